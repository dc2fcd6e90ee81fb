/* SPDX-License-Identifier: ISC */
/* A path, and behind a '?' a query. */
#include <stdbool.h>
#include <string.h>

#include "tests/fuzz/check.h"
#include "worker/target.h"

static bool
is_text(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return true;
}

/* What was decoded, all of it escaped, must decode to the same. */
static void
check_decoded(const char *text, size_t length)
{
	static char escaped[3 * 8192];
	static char again[8192];
	size_t back;

	CHECK(is_text(text, length) && !text[length]);
	for (size_t i = 0; i < length; i++)
		snprintf(escaped + 3 * i, 4, "%%%02x", (unsigned int)(unsigned char)text[i]);
	CHECK(target_decode(escaped, 3 * length, again, sizeof(again), &back));
	CHECK(back == length && !memcmp(text, again, length + 1));
	CHECK(!target_decode(escaped, 3 * length, again, length, &back));
}

static void
check_path(const char *path, size_t length)
{
	struct target target;
	char port[8];

	target_read(path, length, &target);
	CHECK(target.host_length < sizeof(target.host));
	CHECK(strlen(target.host) == target.host_length);
	if (target.route != TARGET_RAW) {
		CHECK(!target.host_length && !target.port);
		return;
	}
	check_decoded(target.host, target.host_length);
	if (target.port) {
		size_t n = (size_t)snprintf(port, sizeof(port), "/%u", (unsigned int)target.port);

		CHECK(length > n && !memcmp(path + length - n, port, n));
	}
}

static void
check_query(const char *query, size_t length, const char *name)
{
	static char out[4096];
	size_t written = SIZE_MAX;
	char room[16];

	if (target_query(query, length, name, out, sizeof(out), &written) == TARGET_FOUND)
		check_decoded(out, written);
	else
		CHECK(written == SIZE_MAX);
	written = SIZE_MAX;
	if (target_query(query, length, name, room, sizeof(room), &written) == TARGET_FOUND)
		CHECK(written < sizeof(room) && !memcmp(room, out, written + 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *mark = size ? memchr(text, '?', size) : NULL;
	size_t path = mark ? (size_t)(mark - text) : size;

	if (size > 8191)
		return 0;
	check_path(text, path);
	if (mark) {
		check_query(mark + 1, size - path - 1, "token");
		check_query(mark + 1, size - path - 1, "a");
	}
	return 0;
}
