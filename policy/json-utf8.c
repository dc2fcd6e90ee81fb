/* SPDX-License-Identifier: ISC */
#include "policy/json-parser.h"

#include <string.h>

/* Length of the well-formed sequence (RFC 3629) at @at, or 0. */
static size_t
sequence(const unsigned char *at, size_t room)
{
	size_t n = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

	if (n == 0 || n > room || at[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates, beyond the last code point. */
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
	    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return n;
}

/* The whole text, comments too, before anything else looks at it. */
static bool
check_text(struct json_parser *parser)
{
	while (json_peek(parser) >= 0) {
		size_t n = sequence((const unsigned char *)parser->next,
				    (size_t)(parser->end - parser->next));

		if (n == 0 || *parser->next == '\0')
			return json_wrong(parser, parser->at, "save the file as UTF-8",
					  "this is not UTF-8") != NULL;
		if (parser->at.line > JSON_LINES)
			return json_wrong(parser, parser->at, NULL,
					  "a policy has at most 65,535 lines") != NULL;
		while (n-- > 0)
			(void)json_take(parser);
	}
	return true;
}

const struct json *
json_read(const char *text, size_t size, struct arena *arena, struct report *report)
{
	const struct place nowhere = {0, 0}, start = {1, 1};
	struct json_parser parser = {text, text + size, start, 0, false, arena, report};
	const struct json *json;

	if (size > JSON_SIZE)
		return json_wrong(&parser, nowhere, NULL, "a policy has at most 1 MiB");
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return json_wrong(&parser, start, "save the file as UTF-8 without it",
				  "a byte order mark stands before the policy");
	if (!check_text(&parser))
		return NULL;
	parser.next = text;
	parser.at = start;
	json = json_value(&parser);
	return json && json_end(&parser) ? json : NULL;
}
