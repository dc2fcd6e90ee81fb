/* SPDX-License-Identifier: ISC */
/*
 * JSON (RFC 8259) with comments, read strictly into a tree that knows where
 * everything stood. For policies: what a general parser forgives (duplicate
 * members, broken UTF-8, numbers that round) is an error here.
 */
#ifndef SOCKWARD_POLICY_JSON_H
#define SOCKWARD_POLICY_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/arena.h"
#include "policy/report.h"

#define JSON_SIZE    (1U << 20) /* bytes of a text at most */
#define JSON_LINES   65535      /* a rule's line has 16 bits in the image */
#define JSON_DEPTH   16
#define JSON_MEMBERS 1024 /* of one object at most */

enum json_kind {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json {
	enum json_kind kind;
	struct place at;
	const char *key; /* of a member of an object; else NULL */
	struct place key_at;
	const char *text;   /* JSON_STRING: decoded; holds no NUL but the last */
	uint64_t number;    /* JSON_NUMBER, when @whole */
	bool whole;         /* JSON_NUMBER: written as digits only, below 2^53 */
	size_t n;           /* elements, or members */
	struct json *first; /* of the elements, or members */
	struct json *next;
};

/**
 * json_read() - read a text.
 * @text: any bytes. @size: how many.
 * @arena: owns the tree.
 * @report: receives the first error.
 *
 * Returns the value, or NULL.
 */
const struct json *json_read(const char *text, size_t size, struct arena *arena,
			     struct report *report);

/**
 * json_kind_name() - such as "a string".
 */
const char *json_kind_name(enum json_kind kind);

#endif
