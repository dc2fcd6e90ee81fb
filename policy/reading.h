/* SPDX-License-Identifier: ISC */
/*
 * Inside the reader of policies: each part of the format has a file and a
 * function that maps its piece of the tree and reports what is wrong with it.
 * After an error reading goes on, so that a person sees all of them at once;
 * what was read is then thrown away.
 */
#ifndef SOCKWARD_POLICY_READING_H
#define SOCKWARD_POLICY_READING_H

#include "ipc/messages.h"
#include "policy/json.h"
#include "policy/read.h"

struct reading {
	struct arena *arena;
	struct report *report;
	struct policy_source *source;
};

/* A member that an object may have. */
struct field {
	const char *key;
	const char *missing; /* hint when it is absent; NULL: it may be */
	void (*take)(struct reading *reading, const struct json *json, void *into);
};

/**
 * read_object() - take an object's members one by one.
 * @what: such as "the grant", for errors.
 * @fields: the members it may have; unknown ones are errors. @n: how many.
 * @into: handed on to each take().
 */
void read_object(struct reading *reading, const struct json *json, const char *what,
		 const struct field *fields, size_t n, void *into);

/**
 * read_is() - is the value of that kind? Reports when not.
 * @what: such as "`to'".
 */
bool read_is(struct reading *reading, const struct json *json, enum json_kind kind,
	     const char *what);

/**
 * read_list() - is it an array of at most @most elements, all of that kind? Reports when not.
 */
bool read_list(struct reading *reading, const struct json *json, enum json_kind kind, size_t most,
	       const char *what);

/**
 * read_bool() - a take() whose @into is a bool.
 */
void read_bool(struct reading *reading, const struct json *json, void *into);

/* read-limits.c; @into is the policy_source, or the source_grant */
void read_instance_limits(struct reading *reading, const struct json *json, void *into);
void read_grant_limits(struct reading *reading, const struct json *json, void *into);

/**
 * limits_default() - set the limits of a policy that names none.
 */
void limits_default_instance(struct policy_source *source);
void limits_default_grant(struct source_grant *grant);

/* read-proxies.c; @into is the policy_source */
void read_proxies(struct reading *reading, const struct json *json, void *into);

/* read-hosts.c; @into is the policy_source, or the source_grant */
void read_hosts(struct reading *reading, const struct json *json, void *into);
void read_dialects(struct reading *reading, const struct json *json, void *into);
void read_origins(struct reading *reading, const struct json *json, void *into);

/* read-auth.c; @into is the source_auth */
void read_auth(struct reading *reading, const struct json *json, void *into);

/**
 * auth_check() - what concerns several grants: "none" twice, a token twice.
 */
void auth_check(struct reading *reading);

/* read-grant.c; @into is the policy_source */
void read_grants(struct reading *reading, const struct json *json, void *into);

/* read-listen.c; @into is the source_grant */
void read_listen(struct reading *reading, const struct json *json, void *into);
void read_ethernet(struct reading *reading, const struct json *json, void *into);

/* read-rules.c; @into is a source_rules */
void read_allow(struct reading *reading, const struct json *json, void *into);
void read_deny(struct reading *reading, const struct json *json, void *into);

/* lint.c */

/**
 * lint_grant() - report rules that can never match, or that others shadow.
 */
void lint_grant(struct reading *reading, const struct source_grant *grant);

#endif
