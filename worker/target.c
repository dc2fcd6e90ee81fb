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

/* @text: behind "/raw/", its escapes checked. */
static enum target_route
read_raw(const char *text, size_t length, struct target *out)
{
	const char *slash = memchr(text, '/', length);
	size_t host = slash ? (size_t)(slash - text) : length;
	size_t port = slash ? length - host - 1 : 0;

	if (!host || !port || memchr(slash + 1, '/', port))
		return TARGET_NONE;
	/* One that is too long is no name either. */
	if (!target_decode(text, host, out->host, sizeof(out->host), &out->host_length))
		out->host[0] = '\0';
	out->port = target_port(slash + 1, port);
	return TARGET_RAW;
}

static enum target_route
route(const char *path, size_t length, struct target *out)
{
	static const char raw[] = "/raw/";

	if (!escapes_ok(path, length))
		return TARGET_BAD;
	if (is(path, length, "/health"))
		return TARGET_HEALTH;
	if (is(path, length, "/netproxy") || is(path, length, "/netproxy/"))
		return TARGET_NETPROXY;
	if (length > strlen(raw) && !memcmp(path, raw, strlen(raw)))
		return read_raw(path + strlen(raw), length - strlen(raw), out);
	return TARGET_NONE;
}

void
target_read(const char *path, size_t length, struct target *out)
{
	*out = (struct target){0};
	out->route = route(path, length, out);
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
