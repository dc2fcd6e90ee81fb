/* SPDX-License-Identifier: ISC */
#include "policy/reading.h"

#include <string.h>

static void
read_allow_rules(struct reading *reading, const struct json *json, void *into)
{
	read_allow(reading, json, &((struct source_grant *)into)->allow);
}

static void
read_deny_rules(struct reading *reading, const struct json *json, void *into)
{
	read_deny(reading, json, &((struct source_grant *)into)->deny);
}

static void
read_explain(struct reading *reading, const struct json *json, void *into)
{
	read_bool(reading, json, &((struct source_grant *)into)->explain);
}

static bool
name_sound(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < IPC_GRANT &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       n;
}

static void
read_grant(struct reading *reading, const struct json *json, struct source_grant *grant)
{
	static const struct field fields[] = {
		{"auth",
		 "write {\"tokens\": [\"sha256:...\"]}, or \"none\" for clients without a token",
		 read_auth},
		{"origins", NULL, read_origins},
		{"allow", NULL, read_allow_rules},
		{"deny", NULL, read_deny_rules},
		{"listen", NULL, read_listen},
		{"ethernet", NULL, read_ethernet},
		{"limits", NULL, read_grant_limits},
		{"explain", NULL, read_explain},
	};

	grant->at = json->key_at;
	grant->name = json->key;
	limits_default_grant(grant);
	if (!name_sound(grant->name))
		report_error(reading->report, grant->at,
			     "1 to 63 letters, digits, dots, hyphens and underscores",
			     "`%s' is no name for a grant", grant->name);
	read_object(reading, json, "the grant", fields, sizeof(fields) / sizeof(fields[0]), grant);
	if (json->kind == JSON_OBJECT && grant->origins.n == 0 && !grant->origin_any &&
	    !grant->origin_none)
		report_note(reading->report, grant->at,
			    "list the pages' origins; \"none\" admits programs, \"*\" any page",
			    "the grant `%s' has no origins, so nobody can use it", grant->name);
}

void
read_grants(struct reading *reading, const struct json *json, void *into)
{
	struct policy_source *source = into;

	if (!read_is(reading, json, JSON_OBJECT, "`grants'"))
		return;
	source->grants = arena_take(reading->arena, json->n, sizeof(*source->grants));
	for (const struct json *at = json->first; at; at = at->next)
		read_grant(reading, at, &source->grants[source->n_grants++]);
}
