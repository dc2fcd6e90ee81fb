/* SPDX-License-Identifier: ISC */
#include "worker/json_scan.h"

#include <string.h>

#include "worker/utf8.h"

enum step {
	STEP_VALUE,
	STEP_FIRST_ITEM, /* a value, or the end of an empty array */
	STEP_FIRST_NAME, /* a name, or the end of an empty object */
	STEP_NAME,
	STEP_AFTER, /* behind a value */
	STEP_END,
};

struct scan {
	const unsigned char *at;
	const unsigned char *end;
	uint32_t objects; /* bit n: what is open at depth n is an object */
	unsigned int depth;
	struct json_counts counts;
	enum step step;
	enum json_result result;
};

_Static_assert(JSON_DEPTH_MOST < 32, "a bit for each depth");

static void
finish(struct scan *scan, enum json_result result)
{
	scan->result = result;
	scan->step = STEP_END;
}

/* The next byte, 0 at the end: a NUL is right nowhere. */
static unsigned char
peek(const struct scan *scan)
{
	return scan->at < scan->end ? *scan->at : 0;
}

static bool
take(struct scan *scan, unsigned char c)
{
	if (peek(scan) != c)
		return false;
	scan->at++;
	return true;
}

static void
skip_blanks(struct scan *scan)
{
	while (peek(scan) == ' ' || peek(scan) == '\t' || peek(scan) == '\n' || peek(scan) == '\r')
		scan->at++;
}

static bool
take_digits(struct scan *scan)
{
	const unsigned char *from = scan->at;

	while (peek(scan) >= '0' && peek(scan) <= '9')
		scan->at++;
	return scan->at > from;
}

static bool
take_number(struct scan *scan)
{
	bool minus = take(scan, '-');
	bool zero = take(scan, '0');
	bool whole = true;

	if (!zero && !take_digits(scan))
		return false;
	if (take(scan, '.')) {
		whole = false;
		if (!take_digits(scan))
			return false;
	}
	if (take(scan, 'e') || take(scan, 'E')) {
		whole = false;
		if (!take(scan, '-'))
			(void)take(scan, '+');
		if (!take_digits(scan))
			return false;
	}
	return !(minus && zero && whole);
}

static bool
take_word(struct scan *scan, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
		return false;
	scan->at += length;
	return true;
}

/* Four hexadecimal digits, or -1. */
static int
take_hex4(struct scan *scan)
{
	int value = 0;

	for (int i = 0; i < 4; i++, scan->at++) {
		unsigned char c = peek(scan);

		if (c >= '0' && c <= '9')
			value = value << 4 | (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value << 4 | ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return value;
}

/* Behind "\u": a character, or two halves of one. */
static bool
take_unicode(struct scan *scan, bool is_name)
{
	int first = take_hex4(scan);
	int second;

	if (first < 0 || (is_name && !first))
		return false;
	if (first < 0xd800 || first > 0xdfff)
		return true;
	if (first > 0xdbff || !take_word(scan, "\\u"))
		return false;
	second = take_hex4(scan);
	return second >= 0xdc00 && second <= 0xdfff;
}

static bool
take_string(struct scan *scan, bool is_name)
{
	const unsigned char *from;

	if (!take(scan, '"'))
		return false;
	for (from = scan->at; peek(scan) != '"';) {
		if (peek(scan) < 0x20)
			return false;
		if (*scan->at++ != '\\')
			continue;
		if (take(scan, 'u')) {
			if (!take_unicode(scan, is_name))
				return false;
		} else if (!peek(scan) || !strchr("\"\\/bfnrt", peek(scan))) {
			return false;
		} else {
			scan->at++;
		}
	}
	scan->at++;
	return utf8_valid(from, (size_t)(scan->at - 1 - from));
}

static void
open_level(struct scan *scan, bool object)
{
	scan->at++;
	if (scan->depth == JSON_DEPTH_MOST) {
		finish(scan, JSON_TOO_DEEP);
		return;
	}
	scan->depth++;
	scan->objects &= ~(1U << scan->depth);
	if (object)
		scan->objects |= 1U << scan->depth;
	scan->step = object ? STEP_FIRST_NAME : STEP_FIRST_ITEM;
}

static bool
in_object(const struct scan *scan)
{
	return scan->objects & 1U << scan->depth;
}

static void
close_level(struct scan *scan)
{
	scan->depth--;
	scan->step = STEP_AFTER;
}

static bool
take_scalar(struct scan *scan)
{
	switch (peek(scan)) {
	case '"':
		return take_string(scan, false);
	case 't':
		return take_word(scan, "true");
	case 'f':
		return take_word(scan, "false");
	case 'n':
		return take_word(scan, "null");
	default:
		return take_number(scan);
	}
}

static void
take_value(struct scan *scan)
{
	if (scan->counts.values++ == JSON_VALUES_MOST)
		finish(scan, JSON_TOO_LONG);
	else if (peek(scan) == '{' || peek(scan) == '[')
		open_level(scan, peek(scan) == '{');
	else if (take_scalar(scan))
		scan->step = STEP_AFTER;
	else
		finish(scan, JSON_MALFORMED);
}

static void
take_name(struct scan *scan)
{
	scan->counts.members++;
	if (!take_string(scan, true)) {
		finish(scan, JSON_MALFORMED);
		return;
	}
	skip_blanks(scan);
	if (take(scan, ':'))
		scan->step = STEP_VALUE;
	else
		finish(scan, JSON_MALFORMED);
}

static void
go_on(struct scan *scan)
{
	if (!scan->depth) {
		finish(scan, scan->at == scan->end ? JSON_FINE : JSON_MALFORMED);
	} else if (take(scan, ',')) {
		scan->step = in_object(scan) ? STEP_NAME : STEP_VALUE;
	} else if (take(scan, in_object(scan) ? '}' : ']')) {
		close_level(scan);
	} else {
		finish(scan, JSON_MALFORMED);
	}
}

static void
next(struct scan *scan)
{
	skip_blanks(scan);
	switch (scan->step) {
	case STEP_FIRST_ITEM:
		if (take(scan, ']'))
			close_level(scan);
		else
			take_value(scan);
		break;
	case STEP_FIRST_NAME:
		if (take(scan, '}'))
			close_level(scan);
		else
			take_name(scan);
		break;
	case STEP_VALUE:
		take_value(scan);
		break;
	case STEP_NAME:
		take_name(scan);
		break;
	case STEP_AFTER:
		go_on(scan);
		break;
	case STEP_END:
		break;
	}
}

enum json_result
json_scan(const char *text, size_t length, struct json_counts *counts)
{
	struct scan scan = {
		.at = (const unsigned char *)text,
		.end = (const unsigned char *)text + length,
	};
	bool object;

	skip_blanks(&scan);
	object = peek(&scan) == '{';
	while (scan.step != STEP_END)
		next(&scan);
	if (scan.result != JSON_FINE)
		return scan.result;
	if (!object)
		return JSON_NO_OBJECT;
	*counts = scan.counts;
	return JSON_FINE;
}
