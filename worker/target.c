/* SPDX-License-Identifier: ISC */
#include "worker/target.h"

#include <string.h>

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte at @at, decoded, or -1; @width: characters that it took. */
static int
next_byte(const char *at, size_t left, size_t *width)
{
	int byte = (unsigned char)at[0];

	*width = 1;
	if (byte == '%') {
		if (left < 3 || hex(at[1]) < 0 || hex(at[2]) < 0)
			return -1;
		byte = hex(at[1]) << 4 | hex(at[2]);
		*width = 3;
	}
	return byte < 0x20 || byte == 0x7f ? -1 : byte;
}

bool
target_decode(const char *text, size_t length, char *out, size_t size, size_t *out_length)
{
	size_t written = 0;
	size_t width;

	for (size_t i = 0; i < length; i += width) {
		int byte = next_byte(text + i, length - i, &width);

		if (byte < 0 || written + 1 >= size)
			return false;
		out[written++] = (char)byte;
	}
	if (!size)
		return false;
	out[written] = '\0';
	*out_length = written;
	return true;
}

static bool
escapes_ok(const char *text, size_t length)
{
	size_t width;

	for (size_t i = 0; i < length; i += width)
		if (next_byte(text + i, length - i, &width) < 0)
			return false;
	return true;
}

uint16_t
target_port(const char *text, size_t length)
{
	unsigned int port = 0;

	if (!length || length > 5 || text[0] == '0')
		return 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		port = port * 10 + (unsigned int)(text[i] - '0');
	}
	return port > UINT16_MAX ? 0 : (uint16_t)port;
}

static bool
is(const char *text, size_t length, const char *wanted)
{
	return length == strlen(wanted) && !memcmp(text, wanted, length);
}

static void
read_segment(const char *text, size_t length, struct target_segment *out)
{
	out->raw = text;
	out->raw_length = length;
	if (!target_decode(text, length, out->text, sizeof(out->text), &out->length))
		out->text[0] = '\0';
}

/* @path: from a slash on. Returns the bytes of the segment behind it. */
static size_t
segment_length(const char *path, size_t length)
{
	const char *slash = memchr(path + 1, '/', length - 1);

	return slash ? (size_t)(slash - path) - 1 : length - 1;
}

void
target_read(const char *path, size_t length, struct target *out)
{
	size_t n;

	memset(out, 0, sizeof(*out));
	out->bad = !escapes_ok(path, length);
	if (out->bad || !length || path[0] != '/')
		return;
	n = segment_length(path, length);
	if (n < sizeof(out->word))
		memcpy(out->word, path + 1, n);
	for (size_t at = n + 1; at < length; at += n + 1) {
		n = segment_length(path + at, length - at);
		if (out->segments < TARGET_SEGMENTS)
			read_segment(path + at + 1, n, &out->segment[out->segments]);
		out->segments++;
	}
}

bool
target_is(const struct target *target, const char *word)
{
	return !target->segments && strcmp(target->word, word) == 0;
}

/* The value of a pair NAME or NAME=VALUE if it has that name. */
static bool
pair_value(const char *pair, size_t length, const char *name, const char **value, size_t *size)
{
	const char *equals = memchr(pair, '=', length);
	size_t left = equals ? (size_t)(equals - pair) : length;

	if (!is(pair, left, name))
		return false;
	*value = pair + left + (equals ? 1 : 0);
	*size = equals ? length - left - 1 : 0;
	return true;
}

enum target_parameter
target_query(const char *query, size_t length, const char *name, char *out, size_t size,
	     size_t *out_length)
{
	const char *found = NULL;
	size_t found_length = 0;

	if (!escapes_ok(query, length))
		return TARGET_MALFORMED;
	for (size_t at = 0; at < length;) {
		const char *end = memchr(query + at, '&', length - at);
		size_t pair = end ? (size_t)(end - query) - at : length - at;
		const char *value;
		size_t value_length;

		if (pair_value(query + at, pair, name, &value, &value_length)) {
			if (found)
				return TARGET_MALFORMED;
			found = value;
			found_length = value_length;
		}
		at += pair + 1;
	}
	if (!found)
		return TARGET_ABSENT;
	return target_decode(found, found_length, out, size, out_length) ? TARGET_FOUND
									 : TARGET_MALFORMED;
}
