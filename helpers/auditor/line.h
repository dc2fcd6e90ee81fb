/* SPDX-License-Identifier: ISC */
/*
 * Reading one line of an audit file, strictly as the auditor writes it: a flat
 * JSON object without blanks, whose values are whole numbers or strings of
 * printable ASCII with the escapes \" \\ and \uXXXX. Anything else is no record.
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_LINE_H
#define SOCKWARD_HELPERS_AUDITOR_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_MOST    8192 /* bytes of a line, with its newline */
#define LINE_MEMBERS 64

struct line_member {
	const char *name; /* not NUL-terminated */
	size_t name_length;
	const char *value; /* of a string: between its quotes, escapes as they stand */
	size_t value_length;
	bool is_text;
};

struct line {
	size_t n;
	struct line_member members[LINE_MEMBERS];
};

/**
 * line_parse() - take a line apart.
 * @line: set on success; points into @text.
 * @text: without the newline. @length: its bytes.
 *
 * The first member must be seq, the last two prev and hash; names are unique.
 * Returns 0, or -1 when it is no record.
 */
int line_parse(struct line *line, const char *text, size_t length);

/**
 * line_find() - the member of that name, or NULL.
 */
const struct line_member *line_find(const struct line *line, const char *name);

/**
 * line_number() - a member that is a number from 0 to 2^64 - 1; 0 when there is none.
 */
uint64_t line_number(const struct line *line, const char *name);

/**
 * line_hex() - a member that is a string of 16 hex digits, as a number; 0 when there is none.
 */
uint64_t line_hex(const struct line *line, const char *name);

/**
 * line_is() - is there a string member of that name with exactly that value?
 */
bool line_is(const struct line *line, const char *name, const char *value);

/**
 * line_copy() - a string member's value, escapes as they stand, cut to @size - 1 bytes.
 * @out: receives it with a NUL; empty when there is no such member.
 */
void line_copy(const struct line *line, const char *name, char *out, size_t size);

#endif
