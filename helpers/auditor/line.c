/* SPDX-License-Identifier: ISC */
#include "helpers/auditor/line.h"

#include <string.h>

/* What is still to be read. */
struct reader {
	const char *at;
	const char *end;
};

static bool
next_is(struct reader *reader, char c)
{
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

static bool
hex_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool
escape(struct reader *reader)
{
	if (next_is(reader, '"') || next_is(reader, '\\'))
		return true;
	if (!next_is(reader, 'u') || reader->end - reader->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		if (!hex_digit(*reader->at++))
			return false;
	}
	return true;
}

/* A string behind its first quote. */
static bool
text(struct reader *reader, const char **start, size_t *length)
{
	*start = reader->at;
	while (reader->at < reader->end && *reader->at >= ' ' && *reader->at <= '~') {
		char c = *reader->at++;

		if (c == '"') {
			*length = (size_t)(reader->at - *start) - 1;
			return true;
		}
		if (c == '\\' && !escape(reader))
			return false;
	}
	return false;
}

static bool
number(struct reader *reader, const char **start, size_t *length)
{
	const char *digits;

	*start = reader->at;
	(void)next_is(reader, '-');
	digits = reader->at;
	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
		reader->at++;
	*length = (size_t)(reader->at - *start);
	return reader->at > digits && (*digits != '0' || reader->at == digits + 1);
}

static bool
member(struct reader *reader, struct line_member *out)
{
	if (!next_is(reader, '"') || !text(reader, &out->name, &out->name_length) ||
	    !next_is(reader, ':'))
		return false;
	out->is_text = next_is(reader, '"');
	return out->is_text ? text(reader, &out->value, &out->value_length)
			    : number(reader, &out->value, &out->value_length);
}

static bool
named(const struct line_member *one, const char *name)
{
	return one->name_length == strlen(name) && memcmp(one->name, name, one->name_length) == 0;
}

static bool
seen(const struct line *line, const struct line_member *one)
{
	for (size_t i = 0; i < line->n; i++) {
		if (line->members[i].name_length == one->name_length &&
		    memcmp(line->members[i].name, one->name, one->name_length) == 0)
			return true;
	}
	return false;
}

int
line_parse(struct line *line, const char *start, size_t length)
{
	struct reader reader = {start, start + length};
	struct line found;

	found.n = 0;
	if (length >= LINE_MOST || !next_is(&reader, '{'))
		return -1;
	do {
		if (found.n == LINE_MEMBERS || !member(&reader, &found.members[found.n]) ||
		    seen(&found, &found.members[found.n]))
			return -1;
		found.n++;
	} while (next_is(&reader, ','));
	if (!next_is(&reader, '}') || reader.at != reader.end || found.n < 3 ||
	    !named(&found.members[0], "seq") || !named(&found.members[found.n - 2], "prev") ||
	    !named(&found.members[found.n - 1], "hash"))
		return -1;
	memcpy(line, &found, offsetof(struct line, members) + found.n * sizeof(found.members[0]));
	return 0;
}

const struct line_member *
line_find(const struct line *line, const char *name)
{
	for (size_t i = 0; i < line->n; i++) {
		if (named(&line->members[i], name))
			return &line->members[i];
	}
	return NULL;
}

uint64_t
line_number(const struct line *line, const char *name)
{
	const struct line_member *one = line_find(line, name);
	uint64_t value = 0;

	if (!one || one->is_text || *one->value == '-')
		return 0;
	for (size_t i = 0; i < one->value_length; i++) {
		uint64_t digit = (uint64_t)(one->value[i] - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	return value;
}

uint64_t
line_hex(const struct line *line, const char *name)
{
	const struct line_member *one = line_find(line, name);
	uint64_t value = 0;

	if (!one || !one->is_text || one->value_length != 16)
		return 0;
	for (size_t i = 0; i < 16; i++) {
		char c = one->value[i];

		if (!hex_digit(c))
			return 0;
		value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return value;
}

bool
line_is(const struct line *line, const char *name, const char *value)
{
	const struct line_member *one = line_find(line, name);

	return one && one->is_text && one->value_length == strlen(value) &&
	       memcmp(one->value, value, one->value_length) == 0;
}

void
line_copy(const struct line *line, const char *name, char *out, size_t size)
{
	const struct line_member *one = line_find(line, name);
	size_t n = one && one->is_text ? one->value_length : 0;

	if (n >= size)
		n = size - 1;
	if (n)
		memcpy(out, one->value, n);
	out[n] = '\0';
}
