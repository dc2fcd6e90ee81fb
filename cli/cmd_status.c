/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli/ask.h"
#include "cli/cli.h"

struct part {
	const char *name;
	uint8_t up;
};

#define PARTS 5

static void
parts_of(const struct ipc_ctl_status *status, struct part parts[PARTS])
{
	/* The listener answers, so it is up. */
	parts[0] = (struct part){"listener", 1};
	parts[1] = (struct part){"broker", status->broker_up};
	parts[2] = (struct part){"resolver", status->resolver_up};
	parts[3] = (struct part){"authenticator", status->authenticator_up};
	parts[4] = (struct part){"auditor", status->auditor_up};
}

/* What is amiss, as a word; NULL for nothing. */
static const char *
amiss(const struct ipc_ctl_status *status)
{
	struct part parts[PARTS];

	if (status->draining)
		return "draining";
	if (status->generation == 0)
		return "no policy";
	parts_of(status, parts);
	for (int i = 0; i < PARTS; i++)
		if (!parts[i].up)
			return "degraded";
	return NULL;
}

static void
print_uptime(uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (s >= 86400)
		printf("%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		printf("%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		printf("%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else
		printf("%" PRIu64 " s", s);
	putchar('\n');
}

static void
print_table(const struct ipc_ctl_status *status)
{
	struct part parts[PARTS];
	const char *word = amiss(status);

	parts_of(status, parts);
	printf("state      %s\nuptime     ", word ? word : "serving");
	print_uptime(status->uptime_ms);
	if (status->generation)
		printf("policy     generation %u, fingerprint %016" PRIx64 "\n", status->generation,
		       status->policy);
	else
		puts("policy     none is valid: everything is denied");
	printf("sessions   %u of %u, %" PRIu64 " since the start\n", status->sessions,
	       status->sessions_most, status->sessions_total);
	printf("shed       %" PRIu64 " connections, for a limit\n", status->shed_total);
	printf("crashed    %u workers\nprograms   ", status->workers_crashed);
	for (int i = 0; i < PARTS; i++)
		printf("%s%s %s", i ? ", " : "", parts[i].name, parts[i].up ? "up" : "DOWN");
	putchar('\n');
}

static void
add(struct json_object *object, const char *name, uint64_t value)
{
	json_object_object_add(object, name, json_object_new_uint64(value));
}

static void
print_json(const struct ipc_ctl_status *status)
{
	struct json_object *object = json_object_new_object();
	struct part parts[PARTS];
	const char *word = amiss(status);
	char policy[17];

	snprintf(policy, sizeof(policy), "%016" PRIx64, status->policy);
	json_object_object_add(object, "state", json_object_new_string(word ? word : "serving"));
	add(object, "uptime_ms", status->uptime_ms);
	add(object, "generation", status->generation);
	json_object_object_add(object, "policy", json_object_new_string(policy));
	add(object, "sessions", status->sessions);
	add(object, "sessions_most", status->sessions_most);
	add(object, "sessions_total", status->sessions_total);
	add(object, "shed_total", status->shed_total);
	add(object, "workers_crashed", status->workers_crashed);
	json_object_object_add(object, "draining", json_object_new_boolean(status->draining));
	parts_of(status, parts);
	for (int i = 0; i < PARTS; i++)
		json_object_object_add(object, parts[i].name, json_object_new_boolean(parts[i].up));
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_SPACED));
	json_object_put(object);
}

int
cmd_status(int argc, char **argv)
{
	struct ipc_ctl_status status;
	struct ask ask;
	int fd;
	int result = ask_options(argc, argv, "rj", &ask);

	if (result != STATUS_OK)
		return result;
	fd = ask_open(&ask);
	if (fd < 0)
		return STATUS_FAILED;
	if (ask_status(fd, &status) < 0) {
		result = ask_unanswered(&ask);
	} else {
		if (ask.json)
			print_json(&status);
		else
			print_table(&status);
		result = amiss(&status) ? STATUS_DEGRADED : STATUS_OK;
	}
	close(fd);
	return result;
}
