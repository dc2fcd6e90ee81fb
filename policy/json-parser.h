/* SPDX-License-Identifier: ISC */
/* Inside the JSON reader: the place in the text. */
#ifndef SOCKWARD_POLICY_JSON_PARSER_H
#define SOCKWARD_POLICY_JSON_PARSER_H

#include "policy/json.h"

struct json_parser {
	const char *next; /* not yet taken */
	const char *end;
	struct place at; /* of @next */
	unsigned int depth;
	bool failed;
	struct arena *arena;
	struct report *report;
};

/**
 * json_peek() - the next byte, or -1 at the end.
 */
int json_peek(const struct json_parser *parser);

/**
 * json_take() - go on by one byte; returns it, or -1 at the end.
 *
 * Counts lines and characters: bytes that continue a UTF-8 sequence count nothing.
 */
int json_take(struct json_parser *parser);

/**
 * json_wrong() - report the one error of a text, and stop.
 *
 * Returns NULL, so that a caller can return it.
 */
void *json_wrong(struct json_parser *parser, struct place at, const char *hint, const char *text);

/**
 * json_string() - read a string; its opening quote comes next.
 *
 * Returns the decoded text, or NULL after json_wrong().
 */
const char *json_string(struct json_parser *parser);

/**
 * json_value() - read a value of any kind, with the blanks and comments before it.
 *
 * Returns it, or NULL after json_wrong(). Recursion is bounded by JSON_DEPTH.
 */
struct json *json_value(struct json_parser *parser);

/**
 * json_end() - nothing but blanks and comments may follow.
 */
bool json_end(struct json_parser *parser);

#endif
