/* SPDX-License-Identifier: ISC */
#include "policy/json-parser.h"

#include <string.h>

static int
hex4(struct json_parser *parser)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		int c = json_peek(parser);
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;

		if (digit < 0)
			return -1;
		(void)json_take(parser);
		value = value * 16 + digit;
	}
	return value;
}

/* After "\u". A pair of surrogates is one character; a single one is none. */
static long
code_point(struct json_parser *parser)
{
	long high = hex4(parser);
	long low;

	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || json_take(parser) != '\\' || json_take(parser) != 'u')
		return -1;
	low = hex4(parser);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	return 0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00);
}

static size_t
encode(long c, char *out)
{
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

/* After the backslash. Returns how many bytes are in @out, or 0. */
static size_t
escape(struct json_parser *parser, char *out)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char means[] = "\"\\/\b\f\n\r\t";
	int c = json_take(parser);
	const char *letter = c > 0 ? strchr(letters, c) : NULL;
	long point;

	if (letter) {
		out[0] = means[letter - letters];
		return 1;
	}
	if (c != 'u')
		return 0;
	point = code_point(parser);
	return point > 0 ? encode(point, out) : 0;
}

const char *
json_string(struct json_parser *parser)
{
	struct place start = parser->at;
	/* An escape is never shorter than what it stands for. */
	char *text = NULL;
	size_t n = 0;
	const char *end = parser->next + 1;

	while (end < parser->end && *end != '"')
		end += *end == '\\' && end + 1 < parser->end ? 2 : 1;
	text = arena_take(parser->arena, (size_t)(end - parser->next) + 4, 1);
	(void)json_take(parser);
	for (;;) {
		struct place at = parser->at;
		int c = json_take(parser);

		if (c == '"')
			return text;
		if (c < 0)
			return json_wrong(parser, start, "close it with a double quote",
					  "this string has no end");
		if (c < ' ')
			return json_wrong(parser, at, "a string ends on the line it began on",
					  "a control character is inside a string");
		if (c == '\\') {
			size_t more = escape(parser, text + n);

			if (more == 0)
				return json_wrong(parser, at,
						  "JSON has \\\" \\\\ \\/ \\b \\f \\n "
						  "\\r \\t and \\uXXXX, not \\u0000",
						  "this is no escape sequence");
			n += more;
		} else {
			text[n++] = (char)c;
		}
	}
}
