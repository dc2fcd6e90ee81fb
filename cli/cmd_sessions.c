/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/parse.h"

static const char *
state_word(uint32_t state)
{
	switch (state) {
	case IPC_NEW:
		return "new";
	case IPC_ASKED:
		return "asked";
	case IPC_OPEN:
		return "open";
	case IPC_DRAIN:
		return "draining";
	default:
		return "ended";
	}
}

static void
client_text(const struct ipc_addr *addr, char out[ADDRESS_TEXT])
{
	struct sockaddr_storage sa = {0};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};

	if (addr->family == 4) {
		memcpy(&v4.sin_addr, addr->ip, 4);
		memcpy(&sa, &v4, sizeof(v4));
	} else {
		memcpy(&v6.sin6_addr, addr->ip, 16);
		memcpy(&sa, &v6, sizeof(v6));
	}
	show_address(&sa, out);
}

static void
age_text(uint32_t ms, char out[24])
{
	uint32_t s = ms / 1000;

	if (s >= 3600)
		snprintf(out, 24, "%uh%02um", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(out, 24, "%um%02us", s / 60, s % 60);
	else
		snprintf(out, 24, "%us", s);
}

static void
print_row(const struct ipc_ctl_session *session)
{
	char client[ADDRESS_TEXT];
	char whose[ADDRESS_TEXT + 8];
	char age[24];

	client_text(&session->client, client);
	snprintf(whose, sizeof(whose), "%s%s", client, session->client.proxy ? " (proxy)" : "");
	age_text(session->age_ms, age);
	printf("%20" PRIu64 " %8s %-9s %8u  %-22s %s%s%s\n", session->session, age,
	       session->behind && session->state == IPC_OPEN ? "behind"
							     : state_word(session->state),
	       session->pid, whose, session->grant[0] ? session->grant : "-",
	       session->subject[0] ? " " : "", session->subject);
}

static void
add(struct json_object *object, const char *name, uint64_t value)
{
	json_object_object_add(object, name, json_object_new_uint64(value));
}

static void
add_text(struct json_object *object, const char *name, const char *value)
{
	json_object_object_add(object, name, json_object_new_string(value));
}

static void
add_json(struct json_object *list, const struct ipc_ctl_session *session)
{
	struct json_object *object = json_object_new_object();
	char client[ADDRESS_TEXT];

	client_text(&session->client, client);
	add(object, "session", session->session);
	add(object, "age_ms", session->age_ms);
	add_text(object, "state", state_word(session->state));
	json_object_object_add(object, "behind", json_object_new_boolean(session->behind));
	add(object, "worker", session->pid);
	add_text(object, "client", client);
	json_object_object_add(object, "proxy", json_object_new_boolean(session->client.proxy));
	add_text(object, "grant", session->grant);
	add_text(object, "subject", session->subject);
	json_object_array_add(list, object);
}

/* One session a question, in the order of the listener's slots. */
static int
each(int fd, struct json_object *list)
{
	struct ipc_ctl_list msg = {.head.type = MSG_CTL_LIST};
	struct ipc_buffer answer;
	struct ipc_ctl_session *session = &answer.any.CTL_SESSION_body;

	for (;;) {
		if (control_ask(fd, &msg, sizeof(msg), -1, &answer, MSG_CTL_SESSION, ASK_MS) < 0)
			return -1;
		if (session->slot == 0)
			return 0;
		if (session->slot <= msg.after) {
			errno = EPROTO;
			return -1;
		}
		msg.after = session->slot;
		session->grant[IPC_GRANT - 1] = '\0';
		session->subject[IPC_SUBJECT - 1] = '\0';
		printable(session->grant);
		printable(session->subject);
		if (list)
			add_json(list, session);
		else
			print_row(session);
	}
}

int
cmd_sessions(int argc, char **argv)
{
	struct json_object *list = NULL;
	struct ask ask;
	int fd;
	int result = ask_options(argc, argv, "rj", &ask);

	if (result != STATUS_OK)
		return result;
	fd = ask_open(&ask, control_open);
	if (fd < 0)
		return STATUS_FAILED;
	if (ask.json)
		list = json_object_new_array();
	else
		printf("%20s %8s %-9s %8s  %-22s %s\n", "SESSION", "AGE", "STATE", "WORKER",
		       "CLIENT", "GRANT SUBJECT");
	if (each(fd, list) < 0)
		result = ask_unanswered(&ask);
	else if (list)
		puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_SPACED));
	json_object_put(list);
	close(fd);
	return result;
}
