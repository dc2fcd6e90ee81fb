/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/facts.h"

#define PARTS      5
#define TROUBLES   7
#define AUDITOR_MS 1000 /* one that is down may have a queue that nobody serves */
#define UNKNOWN    UINT64_MAX

struct part {
	const char *name;
	bool up;
	bool known; /* without the broker nobody knows how its helpers are */
	uint64_t for_ms;
};

/* Something that is amiss. */
struct trouble {
	const char *what;
	uint64_t for_ms; /* or UNKNOWN */
};

struct view {
	const char *dir;
	struct facts facts;
	struct part parts[PARTS];
	struct trouble troubles[TROUBLES];
	int n;
	const char *state;
	uint64_t for_ms;
};

static void
look_at_parts(struct view *view)
{
	const struct ipc_ctl_status *status = &view->facts.status;
	bool known = status->broker_up;

	/* The listener answers, so it is up. */
	view->parts[0] = (struct part){"listener", true, true, status->uptime_ms};
	view->parts[1] = (struct part){"broker", known, true, status->broker_for_ms};
	view->parts[2] =
		(struct part){"resolver", status->resolver_up, known, status->resolver_for_ms};
	view->parts[3] = (struct part){"authenticator", status->authenticator_up, known,
				       status->authenticator_for_ms};
	view->parts[4] =
		(struct part){"auditor", status->auditor_up, known, status->auditor_for_ms};
}

static void
amiss(struct view *view, const char *what, uint64_t for_ms)
{
	view->troubles[view->n++] = (struct trouble){what, for_ms};
}

static void
look_for_troubles(struct view *view)
{
	static const char *const down[PARTS] = {"", "the broker is down", "the resolver is down",
						"the authenticator is down", "the auditor is down"};
	const struct ipc_ctl_status *status = &view->facts.status;

	for (int i = 0; i < PARTS; i++) {
		if (view->parts[i].known && !view->parts[i].up)
			amiss(view, down[i], view->parts[i].for_ms);
	}
	if (status->broker_up && status->generation == 0)
		amiss(view, "no valid policy: everything is denied", status->policy_for_ms);
	/* It may stand still, and the broker hears nothing of that but that nothing is stored. */
	if (status->auditor_up && view->facts.silent)
		amiss(view, "the auditor does not answer", UNKNOWN);
	if (view->facts.auditor && view->facts.metrics.failing_ms)
		amiss(view, "the audit file cannot be written", view->facts.metrics.failing_ms);
}

static void
judge(struct view *view)
{
	const struct ipc_ctl_status *status = &view->facts.status;

	look_at_parts(view);
	look_for_troubles(view);
	view->state = "serving";
	view->for_ms = status->uptime_ms;
	for (int i = 0; i < PARTS && !view->n; i++)
		if (view->parts[i].for_ms < view->for_ms)
			view->for_ms = view->parts[i].for_ms;
	for (int i = 0; i < view->n; i++) {
		uint64_t for_ms = view->troubles[i].for_ms;

		if (i == 0 || view->for_ms == UNKNOWN ||
		    (for_ms != UNKNOWN && for_ms > view->for_ms))
			view->for_ms = for_ms;
		view->state = "degraded";
	}
	if (status->broker_up && status->generation == 0)
		view->state = "no policy";
	if (status->draining) {
		view->state = "draining";
		view->for_ms = status->draining_for_ms;
	}
}

static void
print_span(uint64_t ms)
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
}

/* "since Sat 2026-11-21 20:01:02 UTC; 3 min 2 s ago" */
static void
print_since(uint64_t ms)
{
	time_t then = time(NULL) - (time_t)(ms / 1000);
	struct tm day;
	char text[64];

	if (ms == UNKNOWN) {
		puts("since an unknown time");
		return;
	}
	if (localtime_r(&then, &day) &&
	    strftime(text, sizeof(text), "%a %Y-%m-%d %H:%M:%S %Z", &day))
		printf("since %s; ", text);
	print_span(ms);
	printf(" ago\n");
}

static void
print_programs(const struct view *view)
{
	printf("  Programs: ");
	for (int i = 0; i < PARTS; i++) {
		const struct part *part = &view->parts[i];

		printf("%s%s %s", i ? ", " : "", part->name,
		       !part->known ? "unknown"
		       : part->up   ? "up"
				    : "DOWN");
	}
	putchar('\n');
}

static void
print_policy(const struct ipc_ctl_status *status)
{
	printf("    Policy: ");
	if (!status->generation) {
		puts(status->broker_up ? "none is valid: everything is denied"
				       : "unknown while the broker is down");
		return;
	}
	printf("generation %u, fingerprint %016" PRIx64 ", for ", status->generation,
	       status->policy);
	print_span(status->policy_for_ms);
	putchar('\n');
}

static void
print_audit(const struct facts *facts)
{
	if (!facts->auditor)
		return;
	printf("     Audit: %" PRIu64 " records since its start, the file ",
	       facts->metrics.records);
	if (facts->metrics.failing_ms) {
		printf("CANNOT be written ");
		print_since(facts->metrics.failing_ms);
	} else {
		puts("can be written");
	}
}

static void
print_table(const struct view *view)
{
	const struct ipc_ctl_status *status = &view->facts.status;

	printf("%s sockward in %s\n", view->n || status->draining ? "!" : "*", view->dir);
	printf("     State: %s ", view->state);
	print_since(view->for_ms);
	for (int i = 0; i < view->n; i++) {
		printf("            %s, ", view->troubles[i].what);
		print_since(view->troubles[i].for_ms);
	}
	printf("    Uptime: ");
	print_span(status->uptime_ms);
	putchar('\n');
	print_programs(view);
	print_policy(status);
	printf("  Sessions: %u now, %u begun in the last minute, %" PRIu64 " since the start\n",
	       status->sessions, status->sessions_minute, status->sessions_total);
	printf("    Limits: %u sessions at once, %u from an address, %u ms for a handshake\n",
	       status->sessions_most, status->sessions_per_source, status->handshake_ms);
	printf("      Shed: %" PRIu64 " connections, for a limit\n", status->shed_total);
	printf("   Crashed: %u workers\n", status->workers_crashed);
	print_audit(&view->facts);
}

static void
add(struct json_object *object, const char *name, uint64_t value)
{
	json_object_object_add(object, name, json_object_new_uint64(value));
}

static void
add_span(struct json_object *object, const char *name, uint64_t ms)
{
	json_object_object_add(object, name, ms == UNKNOWN ? NULL : json_object_new_uint64(ms));
}

static void
add_bool(struct json_object *object, const char *name, bool value)
{
	json_object_object_add(object, name, json_object_new_boolean(value));
}

static void
add_troubles(struct json_object *object, const struct view *view)
{
	struct json_object *list = json_object_new_array();

	for (int i = 0; i < view->n; i++) {
		struct json_object *one = json_object_new_object();

		json_object_object_add(one, "what", json_object_new_string(view->troubles[i].what));
		add_span(one, "for_ms", view->troubles[i].for_ms);
		json_object_array_add(list, one);
	}
	json_object_object_add(object, "amiss", list);
}

/* A helper of a broker that is gone: null, since nobody knows. */
static void
add_parts(struct json_object *object, const struct view *view)
{
	char name[32];

	for (int i = 0; i < PARTS; i++) {
		const struct part *part = &view->parts[i];

		json_object_object_add(object, part->name,
				       part->known ? json_object_new_boolean(part->up) : NULL);
		snprintf(name, sizeof(name), "%s_for_ms", part->name);
		add(object, name, part->for_ms);
	}
}

static void
print_json(const struct view *view)
{
	const struct ipc_ctl_status *status = &view->facts.status;
	const struct ipc_metrics *metrics = &view->facts.metrics;
	struct json_object *object = json_object_new_object();
	char policy[17];

	snprintf(policy, sizeof(policy), "%016" PRIx64, status->policy);
	json_object_object_add(object, "directory", json_object_new_string(view->dir));
	json_object_object_add(object, "state", json_object_new_string(view->state));
	add_span(object, "state_for_ms", view->for_ms);
	add_troubles(object, view);
	add(object, "uptime_ms", status->uptime_ms);
	add(object, "generation", status->generation);
	json_object_object_add(object, "policy", json_object_new_string(policy));
	add(object, "policy_for_ms", status->policy_for_ms);
	add(object, "sessions", status->sessions);
	add(object, "sessions_most", status->sessions_most);
	add(object, "sessions_per_source", status->sessions_per_source);
	add(object, "handshake_ms", status->handshake_ms);
	add(object, "sessions_minute", status->sessions_minute);
	add(object, "sessions_total", status->sessions_total);
	add(object, "shed_total", status->shed_total);
	add(object, "workers_crashed", status->workers_crashed);
	add_bool(object, "draining", status->draining);
	add_parts(object, view);
	if (view->facts.auditor) {
		add(object, "audit_records", metrics->records);
		add_bool(object, "audit_writable", !metrics->failing_ms);
	}
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_SPACED |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

/* @fd: to where the status is told, or -1 with errno; it is closed. */
static int
look_at(const char *dir, int fd, struct view *view)
{
	int result;
	int saved;

	if (fd < 0)
		return -1;
	*view = (struct view){.dir = dir};
	result = ask_status(fd, &view->facts.status);
	saved = errno;
	close(fd);
	errno = saved;
	if (result < 0)
		return -1;
	facts_ask_auditor(dir, &view->facts, view->facts.status.auditor_up ? ASK_MS : AUDITOR_MS);
	judge(view);
	return 0;
}

/* Of several a line each, as the JSON of one is anyway. */
static int
print_all(const struct which_suites *suites, bool json)
{
	int result = STATUS_OK;
	struct view view;

	for (size_t i = 0; i < suites->n; i++) {
		const char *dir = suites->dirs[i];
		char option[WHICH_OPTION];
		bool there = look_at(dir, facts_status_open(dir), &view) == 0;

		which_option(dir, option);
		if (!there || view.n || view.facts.status.draining)
			result = STATUS_DEGRADED;
		if (there && json)
			print_json(&view);
		else if (there)
			printf("%-28s %-9s %6u sessions\n", option, view.state,
			       view.facts.status.sessions);
		else
			fprintf(json ? stderr : stdout, "%-28s no answer\n", option);
	}
	return result;
}

int
cmd_status(int argc, char **argv)
{
	struct which_suites suites;
	struct view view;
	struct ask ask;
	int fd;
	int result = ask_options(argc, argv, "rj", &ask);

	if (result != STATUS_OK)
		return result;
	if (which_suites(&ask.which, &suites) < 0)
		return STATUS_FAILED;
	if (suites.n > 1)
		return print_all(&suites, ask.json);
	ask.which = (struct which){.dir = suites.dirs[0]};
	fd = ask_open(&ask, facts_status_open);
	if (fd < 0)
		return STATUS_FAILED;
	if (look_at(ask.where, fd, &view) < 0)
		return ask_unanswered(&ask);
	if (ask.json)
		print_json(&view);
	else
		print_table(&view);
	return view.n || view.facts.status.draining ? STATUS_DEGRADED : STATUS_OK;
}
