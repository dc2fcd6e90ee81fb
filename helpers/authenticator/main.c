/* SPDX-License-Identifier: ISC */
/* sockward-authenticator: tokens to grants, and nothing else. See sockward-authenticator(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/fds.h"
#include "common/log.h"
#include "helpers/authenticator/credentials.h"
#include "helpers/serve.h"

static struct {
	struct serve serve;
	struct credentials credentials;
} process;

static int
on_message(struct serve_client *client, const union ipc_any *any)
{
	const struct ipc_verify *question = &any->VERIFY_body;
	const struct ipc_auth *auth = &question->auth;
	struct ipc_verdict verdict = {.head = {MSG_VERDICT},
				      .session = question->session,
				      .policy = process.credentials.source->fingerprint};
	time_t now = time(NULL);

	if (!ipc_text_ok(auth->host, sizeof(auth->host)) ||
	    !ipc_text_ok(auth->origin, sizeof(auth->origin)) ||
	    !ipc_text_ok(auth->token, sizeof(auth->token)) || now <= 0)
		verdict.reason = REASON_PROTOCOL;
	else
		credentials_judge(&process.credentials, auth, (uint64_t)now, &verdict);
	return serve_answer(client, &verdict, sizeof(verdict));
}

static noreturn void
usage(int status)
{
	(void)fprintf(status ? stderr : stdout,
		      "usage: sockward-authenticator [--key-dir DIR | --key-fd N | --keys FILE] "
		      "[--policy FILE | <POLICY]\n");
	exit(status);
}

static int
file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_start("cannot read %s", path);
	return fd;
}

static int
descriptor(const char *text)
{
	size_t n = strspn(text, "0123456789");
	int fd = n && n < 10 && !text[n] ? atoi(text) : -1;

	if (fd < FDS_FIRST || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		errno = 0;
		fail_start("--key-fd needs the number of an open descriptor");
	}
	return fd;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"key-dir", required_argument, NULL, 'k'}, {"key-fd", required_argument, NULL, 'f'},
		{"keys", required_argument, NULL, 'K'},    {"policy", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
	};
	const struct confinement wanted = {
		.descriptors = 64,
		.address_space = 256 << 20,
		.file_bytes = 1 << 30, /* standard error may be a file */
		.filter = &filter_authenticator,
	};
	struct key_places places = {-1, NULL};
	int policy = STDIN_FILENO;
	int listening;
	int null;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'k')
			places.dir = optarg;
		else if (c == 'f')
			places.passed = descriptor(optarg);
		else if (c == 'K')
			places.passed = file(optarg);
		else if (c == 'p')
			policy = file(optarg);
		else
			usage(c == 'h' ? 0 : 2);
	}
	if (optind != argc)
		usage(2);
	listening = serve_socket("authenticator", NULL, 0);
	credentials_load(&process.credentials, policy, &places);
	if (places.passed >= 0)
		(void)close(places.passed);
	if (policy != STDIN_FILENO)
		(void)close(policy);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		fail_start("cannot let go of the policy's descriptor");
	(void)close(null);
	process.serve.channel = IPC_AUTHENTICATOR;
	process.serve.greeting = IPC_OPEN;
	process.serve.message = on_message;
	serve_open(&process.serve, listening);
	log_note("%zu tokens and %zu keys are known", process.credentials.n_tokens,
		 process.credentials.n_signers);
	fds_notify("READY=1");
	confine(&wanted);
	serve_run(&process.serve);
	credentials_free(&process.credentials);
	return 0;
}
