/* SPDX-License-Identifier: ISC */
#include "policy/import-toml.h"

#include <stdlib.h>
#include <string.h>

#include "policy/json-parser.h"

/* The place in the text is counted as in a policy's JSON. */
struct toml_parser {
	struct json_parser at;
	const char *table;
	bool inside; /* behind its head */
	struct toml *toml;
};

static bool
wrong(struct toml_parser *p, struct place at, const char *hint, const char *text)
{
	return json_wrong(&p->at, at, hint, text) != NULL;
}

static void
skip_blanks(struct toml_parser *p)
{
	while (json_peek(&p->at) == ' ' || json_peek(&p->at) == '\t')
		(void)json_take(&p->at);
}

/* Up to the end of the line, which stays; a comment is not looked at. */
static void
skip_comment(struct toml_parser *p)
{
	skip_blanks(p);
	if (json_peek(&p->at) != '#')
		return;
	while (json_peek(&p->at) >= 0 && json_peek(&p->at) != '\n')
		(void)json_take(&p->at);
}

/* Blanks, comments and line ends. */
static void
skip_lines(struct toml_parser *p)
{
	skip_comment(p);
	while (json_peek(&p->at) == '\n' || json_peek(&p->at) == '\r') {
		(void)json_take(&p->at);
		skip_comment(p);
	}
}

static bool
end_of_line(struct toml_parser *p)
{
	skip_comment(p);
	if (json_peek(&p->at) == '\r')
		(void)json_take(&p->at);
	if (json_peek(&p->at) < 0)
		return true;
	if (json_peek(&p->at) != '\n')
		return wrong(p, p->at.at, "one key and its value stand in a line",
			     "something follows here");
	(void)json_take(&p->at);
	return true;
}

static bool
is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* The length in bytes of what \u or \U names; 0: it names no character, or NUL. */
static size_t
put_character(uint32_t c, char out[4])
{
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* What stands behind a backslash; returns its bytes, 0 after an error. */
static size_t
take_escape(struct toml_parser *p, struct place at, char out[4])
{
	static const char letters[] = "\"\\btnfr";
	static const char means[] = "\"\\\b\t\n\f\r";
	int c = json_take(&p->at);
	const char *letter = c > 0 ? strchr(letters, c) : NULL;
	uint32_t value = 0;
	size_t n;

	if (letter) {
		out[0] = means[letter - letters];
		return 1;
	}
	for (int left = c == 'u' ? 4 : c == 'U' ? 8 : 0; left > 0; left--) {
		int digit = json_take(&p->at);

		if (digit >= '0' && digit <= '9')
			value = value << 4 | (uint32_t)(digit - '0');
		else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
			value = value << 4 | (uint32_t)((digit | 0x20) - 'a' + 10);
		else
			value = UINT32_MAX >> 4; /* stays too large whatever follows */
	}
	n = put_character(value, out);
	if (!n)
		(void)wrong(p, at, "there are \\\" \\\\ \\b \\t \\n \\f \\r \\uXXXX \\UXXXXXXXX",
			    "this is no escape");
	return n;
}

/* Bytes up to a string's end, or its line's: decoded, it is no longer. */
static size_t
raw_length(const struct toml_parser *p, int quote)
{
	const char *at = p->at.next;

	while (at < p->at.end && *at != quote && *at != '\n')
		at += *at == '\\' && quote == '"' && at + 1 < p->at.end && at[1] != '\n' ? 2 : 1;
	return (size_t)(at - p->at.next);
}

/* "basic" or 'literal', one line of it. */
static const char *
take_string(struct toml_parser *p)
{
	struct place start = p->at.at;
	int quote = json_take(&p->at);
	/* An escape is written before it is known to be right: 4 bytes more. */
	char *text = arena_take(p->at.arena, raw_length(p, quote) + 5, 1);
	size_t n = 0;

	for (;;) {
		struct place at = p->at.at;
		int c = json_take(&p->at);

		if (c == quote)
			break;
		if (c < 0 || c == '\n')
			return json_wrong(&p->at, start, "strings of several lines are not read",
					  "this string has no end in its line");
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return json_wrong(&p->at, at, NULL, "a control code stands in a string");
		if (c != '\\' || quote == '\'') {
			text[n++] = (char)c;
			continue;
		}
		if (take_escape(p, at, text + n) == 0)
			return NULL;
		n += strlen(text + n);
	}
	if (n == 0 && json_peek(&p->at) == quote)
		return json_wrong(&p->at, start, "write each string in a line of its own",
				  "strings of several lines are not read");
	return text;
}

static const char *
take_key(struct toml_parser *p)
{
	const char *start = p->at.next;

	if (json_peek(&p->at) == '"' || json_peek(&p->at) == '\'')
		return take_string(p);
	while (is_bare(json_peek(&p->at)))
		(void)json_take(&p->at);
	if (p->at.next == start)
		return json_wrong(&p->at, p->at.at, "a line is KEY = VALUE, [network] or # comment",
				  "a key is missing");
	return arena_text(p->at.arena, start, (size_t)(p->at.next - start));
}

static bool
take_list(struct toml_parser *p, struct toml_member *member)
{
	struct toml_string *strings = arena_take(p->at.arena, TOML_STRINGS, sizeof(*strings));

	member->kind = TOML_LIST;
	member->strings = strings;
	(void)json_take(&p->at);
	for (;;) {
		skip_lines(p);
		if (json_peek(&p->at) == ']')
			break;
		if (json_peek(&p->at) != '"' && json_peek(&p->at) != '\'')
			return wrong(p, p->at.at, "a list is [\"one\", \"two\"]",
				     "a string, or the list's end, is missing");
		if (member->n == TOML_STRINGS)
			return wrong(p, p->at.at, NULL, "a list has at most 4,096 strings");
		strings[member->n].at = p->at.at;
		strings[member->n].text = take_string(p);
		if (!strings[member->n++].text)
			return false;
		skip_lines(p);
		if (json_peek(&p->at) == ']')
			break;
		if (json_peek(&p->at) != ',')
			return wrong(p, p->at.at, "a list is [\"one\", \"two\"]",
				     "a comma, or the list's end, is missing");
		(void)json_take(&p->at);
	}
	(void)json_take(&p->at);
	return true;
}

/* Decimal, with single underscores between digits. */
static bool
take_number(struct toml_parser *p, struct toml_member *member)
{
	bool digit = false;
	size_t digits = 0;
	bool zero = json_peek(&p->at) == '0';

	member->kind = TOML_NUMBER;
	while (is_bare(json_peek(&p->at))) {
		int c = json_take(&p->at);
		bool was = digit;

		digit = c >= '0' && c <= '9';
		if (!digit && (c != '_' || !was))
			break;
		digits += digit;
		if (digit)
			member->number = member->number * 10 + (uint64_t)(c - '0');
		if (digits > 18)
			return wrong(p, member->value_at, NULL, "this number is too large");
	}
	if (!digit || (zero && digits > 1) || json_peek(&p->at) == '.' ||
	    is_bare(json_peek(&p->at)))
		return wrong(p, member->value_at, "write decimal digits",
			     "this is no whole number");
	return true;
}

static bool
take_value(struct toml_parser *p, struct toml_member *member)
{
	struct toml_string *one;
	int c = json_peek(&p->at);

	member->value_at = p->at.at;
	if (c == '[')
		return take_list(p, member);
	if (c >= '0' && c <= '9')
		return take_number(p, member);
	if (c != '"' && c != '\'')
		return wrong(p, p->at.at, "others are not in wasmnet's policies",
			     "a string, a list of strings or a whole number is missing");
	one = arena_take(p->at.arena, 1, sizeof(*one));
	one->at = p->at.at;
	one->text = take_string(p);
	member->kind = TOML_STRING;
	member->strings = one;
	member->n = 1;
	return one->text != NULL;
}

static bool
take_member(struct toml_parser *p)
{
	struct toml_member *member = &p->toml->members[p->toml->n];

	if (!p->inside)
		return wrong(p, p->at.at, "begin with [network]", "this stands in no table");
	if (p->toml->n == TOML_MEMBERS)
		return wrong(p, p->at.at, NULL, "a table has at most 64 keys");
	member->at = p->at.at;
	member->key = take_key(p);
	if (!member->key)
		return false;
	for (size_t i = 0; i < p->toml->n; i++) {
		if (strcmp(p->toml->members[i].key, member->key) == 0)
			return wrong(p, member->at, "leave one of them out",
				     "this key stands here for the second time");
	}
	skip_blanks(p);
	if (json_peek(&p->at) == '.')
		return wrong(p, p->at.at, "write [network], and its keys below it",
			     "keys with dots are not read");
	if (json_peek(&p->at) != '=')
		return wrong(p, p->at.at, "a line is KEY = VALUE", "a `=' is missing");
	(void)json_take(&p->at);
	skip_blanks(p);
	p->toml->n++;
	return take_value(p, member) && end_of_line(p);
}

static bool
take_table(struct toml_parser *p)
{
	struct place at = p->at.at;
	const char *name;

	(void)json_take(&p->at);
	skip_blanks(p);
	name = json_peek(&p->at) == '[' ? "" : take_key(p);
	if (!name)
		return false;
	skip_blanks(p);
	if (strcmp(name, p->table) != 0 || json_peek(&p->at) != ']')
		return wrong(p, at, "there is one table, [network]", "there is no such table");
	if (p->inside)
		return wrong(p, at, "leave one of them out",
			     "this table stands here for the second time");
	(void)json_take(&p->at);
	p->inside = true;
	return end_of_line(p);
}

bool
toml_read(const char *text, size_t size, const char *table, struct arena *arena, struct toml *toml,
	  struct report *report)
{
	struct toml_parser p = {
		{text, text + size, {1, 1}, 0, false, arena, report}, table, false, toml};

	if (size > JSON_SIZE)
		return wrong(&p, (struct place){0, 0}, NULL, "at most 1 MiB is read");
	for (skip_lines(&p); json_peek(&p.at) >= 0; skip_lines(&p)) {
		if (!(json_peek(&p.at) == '[' ? take_table(&p) : take_member(&p)))
			return false;
	}
	return true;
}
