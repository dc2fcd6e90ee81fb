/* SPDX-License-Identifier: ISC */
#include "policy/json.h"

#include <stdio.h>
#include <string.h>

#include "policy/json-parser.h"

const char *
json_kind_name(enum json_kind kind)
{
	static const char *const names[] = {"null",     "false",    "true",     "a number",
					    "a string", "an array", "an object"};

	return names[kind];
}

void *
json_wrong(struct json_parser *parser, struct place at, const char *hint, const char *text)
{
	if (!parser->failed)
		report_error(parser->report, at, hint, "%s", text);
	parser->failed = true;
	return NULL;
}

int
json_peek(const struct json_parser *parser)
{
	return parser->next < parser->end ? (unsigned char)*parser->next : -1;
}

int
json_take(struct json_parser *parser)
{
	int c = json_peek(parser);

	if (c < 0)
		return c;
	parser->next++;
	if (c == '\n') {
		parser->at.line++;
		parser->at.column = 1;
	} else if ((c & 0xc0) != 0x80) {
		parser->at.column++;
	}
	return c;
}

static bool
comes(const struct json_parser *parser, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(parser->end - parser->next) >= n && memcmp(parser->next, word, n) == 0;
}

static bool
comment(struct json_parser *parser)
{
	struct place start = parser->at;
	bool block = comes(parser, "/*");

	(void)json_take(parser);
	(void)json_take(parser);
	while (json_peek(parser) >= 0) {
		if (block && comes(parser, "*/")) {
			(void)json_take(parser);
			(void)json_take(parser);
			return true;
		}
		if (json_take(parser) == '\n' && !block)
			return true;
	}
	if (block)
		(void)json_wrong(parser, start, "close it with */", "this comment has no end");
	return !block;
}

/* Blanks and comments. */
static bool
skip(struct json_parser *parser)
{
	for (;;) {
		int c = json_peek(parser);

		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			(void)json_take(parser);
		} else if (comes(parser, "//") || comes(parser, "/*")) {
			if (!comment(parser))
				return false;
		} else {
			return true;
		}
	}
}

static bool
digits(struct json_parser *parser)
{
	int c = json_peek(parser);

	if (c < '0' || c > '9')
		return false;
	while (c >= '0' && c <= '9') {
		(void)json_take(parser);
		c = json_peek(parser);
	}
	return true;
}

static struct json *
number(struct json_parser *parser, struct json *json)
{
	static const char wrong[] = "this is no number of JSON";
	const char *start = parser->next;
	bool zero;

	json->kind = JSON_NUMBER;
	if (json_peek(parser) == '-')
		(void)json_take(parser);
	zero = json_peek(parser) == '0';
	if (!digits(parser))
		return json_wrong(parser, json->at, NULL, wrong);
	if (zero && parser->next - start > 1 && *start != '-')
		return json_wrong(parser, json->at, "leave out the leading zeros", wrong);
	json->whole = *start != '-' && parser->next - start <= 15;
	for (const char *at = start; json->whole && at < parser->next; at++)
		json->number = json->number * 10 + (uint64_t)(*at - '0');
	if (json_peek(parser) == '.') {
		json->whole = false;
		(void)json_take(parser);
		if (!digits(parser))
			return json_wrong(parser, json->at, NULL, wrong);
	}
	if (json_peek(parser) == 'e' || json_peek(parser) == 'E') {
		json->whole = false;
		(void)json_take(parser);
		if (json_peek(parser) == '+' || json_peek(parser) == '-')
			(void)json_take(parser);
		if (!digits(parser))
			return json_wrong(parser, json->at, NULL, wrong);
	}
	return json;
}

static struct json *
word(struct json_parser *parser, struct json *json)
{
	static const struct {
		const char *word;
		enum json_kind kind;
	} words[] = {{"null", JSON_NULL}, {"false", JSON_FALSE}, {"true", JSON_TRUE}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!comes(parser, words[i].word))
			continue;
		for (size_t n = strlen(words[i].word); n > 0; n--)
			(void)json_take(parser);
		json->kind = words[i].kind;
		return json;
	}
	if (json_peek(parser) < 0)
		return json_wrong(parser, json->at, NULL, "the file ends where a value must stand");
	return json_wrong(parser, json->at,
			  "a value is {...}, [...], \"text\", a number, true or false",
			  "this is no value of JSON");
}

static bool
is_new(struct json_parser *parser, const struct json *object, const struct json *member)
{
	char hint[64];

	for (const struct json *old = object->first; old; old = old->next) {
		if (strcmp(old->key, member->key) != 0)
			continue;
		snprintf(hint, sizeof(hint), "the first one is in line %u", old->key_at.line);
		if (!parser->failed)
			report_error(parser->report, member->key_at, hint,
				     "`%s' stands here for the second time", member->key);
		parser->failed = true;
		return false;
	}
	return true;
}

static struct json *
member(struct json_parser *parser, const struct json *object)
{
	struct place at = parser->at;
	struct json key = {.key_at = at};
	struct json *json;

	if (json_peek(parser) != '"')
		return json_wrong(parser, at,
				  "a member is \"name\": value; no comma behind the last",
				  "a name in double quotes must stand here");
	key.key = json_string(parser);
	if (!key.key || !is_new(parser, object, &key) || !skip(parser))
		return NULL;
	if (json_peek(parser) != ':')
		return json_wrong(parser, parser->at, NULL, "a colon must stand here");
	(void)json_take(parser);
	json = json_value(parser);
	if (json) {
		json->key = key.key;
		json->key_at = at;
	}
	return json;
}

static struct json *
element(struct json_parser *parser)
{
	if (json_peek(parser) == ']')
		return json_wrong(parser, parser->at, "no comma stands behind the last element",
				  "a value must stand here");
	return json_value(parser);
}

/* The inside of an array or object, after its opening bracket. */
static bool
children(struct json_parser *parser, struct json *json, int closing)
{
	struct json **link = &json->first;

	if (!skip(parser))
		return false;
	if (json_peek(parser) == closing)
		return true;
	for (;;) {
		struct json *child = closing == '}' ? member(parser, json) : element(parser);

		if (!child || !skip(parser))
			return false;
		*link = child;
		link = &child->next;
		if (++json->n > JSON_MEMBERS && closing == '}')
			return json_wrong(parser, json->at, NULL, "this has too many members") !=
			       NULL;
		if (json_peek(parser) == closing)
			return true;
		if (json_peek(parser) != ',')
			return json_wrong(parser, parser->at, NULL,
					  closing == '}' ? "a comma or } must stand here"
							 : "a comma or ] must stand here") != NULL;
		(void)json_take(parser);
		if (!skip(parser))
			return false;
	}
}

static struct json *
container(struct json_parser *parser, struct json *json, enum json_kind kind)
{
	bool sound;

	if (++parser->depth > JSON_DEPTH)
		return json_wrong(parser, json->at, NULL, "this is nested too deeply");
	json->kind = kind;
	(void)json_take(parser);
	sound = children(parser, json, kind == JSON_OBJECT ? '}' : ']');
	(void)json_take(parser);
	parser->depth--;
	return sound ? json : NULL;
}

/* Recursion is bounded by JSON_DEPTH. */
struct json *
json_value(struct json_parser *parser)
{
	struct json *json;

	if (!skip(parser))
		return NULL;
	json = arena_take(parser->arena, 1, sizeof(*json));
	json->at = parser->at;
	switch (json_peek(parser)) {
	case '{':
		return container(parser, json, JSON_OBJECT);
	case '[':
		return container(parser, json, JSON_ARRAY);
	case '"':
		json->kind = JSON_STRING;
		json->text = json_string(parser);
		return json->text ? json : NULL;
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		return number(parser, json);
	default:
		return word(parser, json);
	}
}

bool
json_end(struct json_parser *parser)
{
	return skip(parser) &&
	       (json_peek(parser) < 0 ||
		json_wrong(parser, parser->at, "a policy is one {...} and nothing behind it",
			   "the policy has ended before this") != NULL);
}
