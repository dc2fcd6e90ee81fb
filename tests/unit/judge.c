/* SPDX-License-Identifier: ISC */
/*
 * Answers questions about a policy, as the broker would: tests that ask thousands
 * of them start one program.
 *
 *   judge POLICY < questions > answers
 *
 * A question is a line of fields with tabs between them:
 *   judge GRANT HOST PORT PROTOCOL [ADDRESS]   ADDRESS: what a name resolved to
 *   serves HOST
 *   admits GRANT [ORIGIN]
 * An answer is a line: "REASON RULE BLOCK NAMED" with tabs, "-" for none, or yes
 * or no.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/authenticator/credentials.h"
#include "ipc/channel.h"
#include "policy/check.h"
#include "policy/host.h"
#include "policy/compile.h"
#include "policy/read.h"

#define FIELDS 8

static uint8_t
protocol_of(const char *word)
{
	return strcmp(word, "tcp") == 0   ? PROTOCOL_TCP
	       : strcmp(word, "udp") == 0 ? PROTOCOL_UDP
	       : strcmp(word, "tls") == 0 ? PROTOCOL_TLS
					  : 0;
}

static void
judge(const struct policy *policy, char **field, size_t n)
{
	struct policy_verdict verdict = {.reason = REASON_NAME_INVALID, .rule = IMAGE_NONE};
	char name[IPC_HOST], unused[IPC_HOST];
	struct ipc_addr addr = {0};
	struct policy_question question = {
		.port = (uint16_t)strtoul(field[3], NULL, 10),
		.protocol = protocol_of(field[4]),
	};
	enum host_kind kind = HOST_INVALID;

	if (strlen(field[2]) < IPC_HOST)
		kind = policy_host(field[2], name, &addr);
	if (kind == HOST_NAME)
		question.name = name;
	if (kind == HOST_ADDRESS)
		question.addr = &addr;
	if (n > 5) {
		if (kind != HOST_NAME || policy_host(field[5], unused, &addr) != HOST_ADDRESS)
			exit(3);
		question.addr = &addr;
	}
	addr.port = question.port;
	if (kind != HOST_INVALID)
		policy_judge(policy, policy_grant(policy, field[1]), &question, &verdict);
	printf("%s\t%s\t%s\t%d\n", reason_word(verdict.reason),
	       verdict.rule == IMAGE_NONE ? "-" : policy->rules[verdict.rule].text,
	       verdict.reason == REASON_SPECIAL_ADDRESS ? verdict.text : "-", verdict.named);
}

static bool
admits(const struct policy_source *source, const struct policy *policy, char **field)
{
	uint32_t grant = policy_grant(policy, field[1]);
	struct ipc_auth auth = {.has_origin = field[2] != NULL};

	if (field[2] && ipc_text_set(auth.origin, sizeof(auth.origin), field[2]) < 0)
		return false;
	return grant != IMAGE_NONE && credentials_admits(&source->grants[grant], &auth);
}

static void
answer(const struct policy_source *source, const struct policy *policy, char *line)
{
	char *field[FIELDS] = {NULL};
	size_t n = 0;

	while (n < FIELDS && (field[n] = strsep(&line, "\t")))
		n++;
	if (n >= 5 && strcmp(field[0], "judge") == 0)
		judge(policy, field, n);
	else if (n == 2 && strcmp(field[0], "serves") == 0)
		puts(credentials_serves(&source->hosts, field[1]) ? "yes" : "no");
	else if (n >= 2 && strcmp(field[0], "admits") == 0)
		puts(admits(source, policy, field) ? "yes" : "no");
	else
		exit(3);
}

int
main(int argc, char **argv)
{
	static struct report report;
	struct policy_source *source = NULL;
	struct policy policy;
	char line[1024];
	void *image;
	size_t size;
	FILE *file;

	file = argc == 2 ? fopen(argv[1], "r") : NULL;
	if (!file)
		return 2;
	source = policy_read_fd(fileno(file), &report);
	(void)fclose(file);
	report_print(&report, argv[1], stderr);
	if (!source)
		return 1;
	if (policy_compile(source, &image, &size) < 0 || image_open(&policy, image, size))
		return 2;
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		answer(source, &policy, line);
	}
	free(image);
	policy_free(source);
	return 0;
}
