/* SPDX-License-Identifier: ISC */
#include "policy/read.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/reading.h"

bool
read_is(struct reading *reading, const struct json *json, enum json_kind kind, const char *what)
{
	if (json->kind == kind)
		return true;
	report_error(reading->report, json->at, NULL, "%s must be %s, and is %s", what,
		     json_kind_name(kind), json_kind_name(json->kind));
	return false;
}

bool
read_list(struct reading *reading, const struct json *json, enum json_kind kind, size_t most,
	  const char *what)
{
	char element[64];
	bool sound = true;

	if (!read_is(reading, json, JSON_ARRAY, what))
		return false;
	if (json->n > most) {
		report_error(reading->report, json->at, NULL, "%s has more than %zu elements", what,
			     most);
		return false;
	}
	snprintf(element, sizeof(element), "an element of %s", what);
	for (const struct json *at = json->first; at; at = at->next)
		sound = read_is(reading, at, kind, element) && sound;
	return sound;
}

void
read_bool(struct reading *reading, const struct json *json, void *into)
{
	bool *out = into;

	if (json->kind == JSON_TRUE || json->kind == JSON_FALSE)
		*out = json->kind == JSON_TRUE;
	else
		report_error(reading->report, json->at, NULL,
			     "`%s' must be true or false, and is %s", json->key,
			     json_kind_name(json->kind));
}

static void
unknown_key(struct reading *reading, const struct json *member, const char *what,
	    const struct field *fields, size_t n)
{
	char hint[REPORT_TEXT];
	size_t used;

	used = (size_t)snprintf(hint, sizeof(hint), "it may have");
	for (size_t i = 0; i < n && used < sizeof(hint); i++)
		used += (size_t)snprintf(hint + used, sizeof(hint) - used, "%s %s", i ? "," : "",
					 fields[i].key);
	report_error(reading->report, member->key_at, hint, "%s has no `%s'", what, member->key);
}

void
read_object(struct reading *reading, const struct json *json, const char *what,
	    const struct field *fields, size_t n, void *into)
{
	if (!read_is(reading, json, JSON_OBJECT, what))
		return;
	for (const struct json *member = json->first; member; member = member->next) {
		size_t i = 0;

		while (i < n && strcmp(fields[i].key, member->key) != 0)
			i++;
		if (i < n)
			fields[i].take(reading, member, into);
		else
			unknown_key(reading, member, what, fields, n);
	}
	for (size_t i = 0; i < n; i++) {
		const struct json *member = json->first;

		while (member && strcmp(fields[i].key, member->key) != 0)
			member = member->next;
		if (!member && fields[i].missing)
			report_error(reading->report, json->at, fields[i].missing, "%s lacks `%s'",
				     what, fields[i].key);
	}
}

static void
read_version(struct reading *reading, const struct json *json, void *into)
{
	(void)into;
	if (json->kind != JSON_NUMBER || !json->whole || json->number != 1)
		report_error(reading->report, json->at, "write \"version\": 1",
			     "this version of sockward reads version 1 of the format");
}

static void
read_sync(struct reading *reading, const struct json *json, void *into)
{
	struct policy_source *source = into;

	read_bool(reading, json, &source->audit_sync);
}

static void
read_audit(struct reading *reading, const struct json *json, void *into)
{
	static const struct field fields[] = {{"sync", NULL, read_sync}};

	read_object(reading, json, "`audit'", fields, 1, into);
}

static void
read_policy(struct reading *reading, const struct json *json)
{
	static const struct field fields[] = {
		{"version", "begin with \"version\": 1", read_version},
		{"hosts",
		 "list the names that clients reach this server by, as [\"gw.example.com\"]",
		 read_hosts},
		{"dialects", "list what is spoken here, as [\"raw\", \"netproxy\"]", read_dialects},
		{"proxies", NULL, read_proxies},
		{"limits", NULL, read_instance_limits},
		{"audit", NULL, read_audit},
		{"grants", "without grants nobody may do anything; write {} to say so",
		 read_grants},
	};

	read_object(reading, json, "the policy", fields, sizeof(fields) / sizeof(fields[0]),
		    reading->source);
	auth_check(reading);
	for (size_t i = 0; i < reading->source->n_grants; i++)
		lint_grant(reading, &reading->source->grants[i]);
}

static uint64_t
fingerprint(const char *text, size_t size)
{
	struct sha256_ctx sha;
	uint8_t digest[SHA256_DIGEST_SIZE];
	uint64_t first = 0;

	sha256_init(&sha);
	sha256_update(&sha, size, (const uint8_t *)text);
	sha256_digest(&sha, sizeof(digest), digest);
	for (int i = 0; i < 8; i++)
		first = first << 8 | digest[i];
	return first;
}

struct policy_source *
policy_read(const char *text, size_t size, struct report *report)
{
	struct arena arena = {0};
	struct policy_source *source = arena_take(&arena, 1, sizeof(*source));
	struct reading reading = {&arena, report, source};
	const struct json *json;

	limits_default_instance(source);
	source->fingerprint = fingerprint(text, size);
	json = json_read(text, size, &arena, report);
	if (json)
		read_policy(&reading, json);
	if (!json || report->errors > 0) {
		arena_free(&arena);
		return NULL;
	}
	source->arena = arena;
	return source;
}

struct policy_source *
policy_read_fd(int fd, struct report *report)
{
	struct policy_source *source = NULL;
	char *text = malloc(JSON_SIZE + 1);
	size_t n = 0;
	ssize_t got;

	if (!text)
		goto unread;
	/* One byte more than allowed, so that a longer file shows. */
	do {
		got = read(fd, text + n, JSON_SIZE + 1 - n);
		if (got > 0)
			n += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		goto unread;
	source = policy_read(text, n, report);
	free(text);
	return source;
unread:
	report_error(report, (struct place){0, 0}, NULL, "it cannot be read: %s", strerror(errno));
	free(text);
	return NULL;
}

void
policy_free(struct policy_source *source)
{
	struct arena arena;

	if (!source)
		return;
	/* The policy itself lies in its arena. */
	arena = source->arena;
	arena_free(&arena);
}
