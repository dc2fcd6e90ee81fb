/* SPDX-License-Identifier: ISC */
#include "policy/reading.h"

#include <stdio.h>
#include <string.h>

#define KIB  1024ULL
#define DAYS (24ULL * 60 * 60 * 1000)

enum unit {
	COUNT,
	BYTES,
	TIME
};

struct limit {
	const char *key;
	enum unit unit;
	size_t at; /* of the field in its struct */
	size_t size;
	uint64_t least;
	uint64_t most;
	uint64_t usual; /* where the policy says nothing */
	bool zero;      /* 0 is fine too: not limited */
};

#define FIELD(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)

static const struct limit instance_limits[] = {
	{"sessions", COUNT, FIELD(policy_source, sessions), 1, 100000, 1000, false},
	{"sessions_per_source", COUNT, FIELD(policy_source, sessions_per_source), 1, 100000, 64,
	 false},
	{"handshake_timeout", TIME, FIELD(policy_source, handshake_ms), 100, 10 * 60000, 10000,
	 false},
};

static const struct limit grant_limits[] = {
	{"sessions", COUNT, FIELD(source_grant, sessions), 1, 100000, 100, false},
	{"channels", COUNT, FIELD(source_grant, channels), 1, IMAGE_CHANNELS, 8, false},
	{"connects_per_minute", COUNT, FIELD(source_grant, connects_per_minute), 1, 1000000, 30,
	 true},
	{"datagrams_per_minute", COUNT, FIELD(source_grant, datagrams_per_minute), 1, 100000000,
	 60000, true},
	{"reply_ratio", COUNT, FIELD(source_grant, reply_ratio), 1, 1000000, 32, true},
	{"bytes_per_minute", BYTES, FIELD(source_grant, bytes_per_minute), 1, KIB << 40,
	 KIB *KIB * 10, true},
	{"bytes_per_second", BYTES, FIELD(source_grant, bytes_per_second), KIB, KIB << 40, 0, true},
	{"message_bytes", BYTES, FIELD(source_grant, message_bytes), 256, KIB *KIB * 64, KIB *KIB,
	 false},
	{"connect_timeout", TIME, FIELD(source_grant, connect_timeout_ms), 100, 10 * 60000, 30000,
	 false},
	{"idle_timeout", TIME, FIELD(source_grant, idle_timeout_ms), 100, 30 * DAYS, 60000, true},
	{"session_timeout", TIME, FIELD(source_grant, session_timeout_ms), 100, 30 * DAYS,
	 60 * 60000, true},
};

#define INSTANCE_LIMITS (sizeof(instance_limits) / sizeof(instance_limits[0]))
#define GRANT_LIMITS    (sizeof(grant_limits) / sizeof(grant_limits[0]))

static const struct {
	const char *word;
	enum unit unit;
	uint64_t times;
} units[] = {
	{"KiB", BYTES, KIB},     {"MiB", BYTES, KIB *KIB}, {"GiB", BYTES, KIB *KIB *KIB},
	{"ms", TIME, 1},         {"s", TIME, 1000},        {"m", TIME, 60000},
	{"h", TIME, 60 * 60000},
};

static void
set(const struct limit *limit, void *into, uint64_t value)
{
	uint32_t narrow = (uint32_t)value;

	if (limit->size == sizeof(narrow))
		memcpy((char *)into + limit->at, &narrow, sizeof(narrow));
	else
		memcpy((char *)into + limit->at, &value, sizeof(value));
}

static void
set_usual(const struct limit *limits, size_t n, void *into)
{
	for (size_t i = 0; i < n; i++)
		set(&limits[i], into, limits[i].usual);
}

void
limits_default_instance(struct policy_source *source)
{
	set_usual(instance_limits, INSTANCE_LIMITS, source);
}

void
limits_default_grant(struct source_grant *grant)
{
	set_usual(grant_limits, GRANT_LIMITS, grant);
}

/* "10MiB", "30s": digits and one of the words. */
static bool
with_unit(const char *text, enum unit unit, uint64_t *value)
{
	size_t n = strspn(text, "0123456789");
	uint64_t number = 0;

	if (n == 0 || n > 10 || (n > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].unit == unit && strcmp(units[i].word, text + n) == 0) {
			*value = number * units[i].times;
			return true;
		}
	}
	return false;
}

static bool
read_value(const struct json *json, const struct limit *limit, uint64_t *value)
{
	if (json->kind == JSON_NUMBER && json->whole &&
	    (limit->unit != TIME || json->number == 0)) {
		*value = json->number;
		return true;
	}
	return json->kind == JSON_STRING && limit->unit != COUNT &&
	       with_unit(json->text, limit->unit, value);
}

static void
read_limit(struct reading *reading, const struct json *json, const struct limit *limit, void *into)
{
	static const char *const kinds[] = {"a whole number",
					    "a size: 4096, \"64KiB\", \"10MiB\", \"1GiB\"",
					    "a duration: \"500ms\", \"30s\", \"5m\", \"1h\""};
	uint64_t value;
	char hint[128];

	if (!read_value(json, limit, &value)) {
		snprintf(hint, sizeof(hint), "write %s", kinds[limit->unit]);
		report_error(reading->report, json->at, hint, "this is no value for `%s'",
			     json->key);
		return;
	}
	if ((value >= limit->least && value <= limit->most) || (value == 0 && limit->zero)) {
		set(limit, into, value);
		return;
	}
	snprintf(hint, sizeof(hint), "%llu to %llu%s%s", (unsigned long long)limit->least,
		 (unsigned long long)limit->most,
		 limit->unit == TIME    ? " milliseconds"
		 : limit->unit == BYTES ? " bytes"
					: "",
		 limit->zero ? ", or 0 for no limit" : "");
	report_error(reading->report, json->at, hint, "`%s' is out of range", json->key);
}

static void
read_limits(struct reading *reading, const struct json *json, const struct limit *limits, size_t n,
	    void *into)
{
	if (!read_is(reading, json, JSON_OBJECT, "`limits'"))
		return;
	for (const struct json *member = json->first; member; member = member->next) {
		char hint[REPORT_TEXT];
		size_t i = 0, used;

		while (i < n && strcmp(limits[i].key, member->key) != 0)
			i++;
		if (i < n) {
			read_limit(reading, member, &limits[i], into);
			continue;
		}
		used = (size_t)snprintf(hint, sizeof(hint), "it may have");
		for (i = 0; i < n && used < sizeof(hint); i++)
			used += (size_t)snprintf(hint + used, sizeof(hint) - used, "%s %s",
						 i ? "," : "", limits[i].key);
		report_error(reading->report, member->key_at, hint, "`limits' has no `%s'",
			     member->key);
	}
}

void
read_instance_limits(struct reading *reading, const struct json *json, void *into)
{
	read_limits(reading, json, instance_limits, INSTANCE_LIMITS, into);
}

void
read_grant_limits(struct reading *reading, const struct json *json, void *into)
{
	read_limits(reading, json, grant_limits, GRANT_LIMITS, into);
}
