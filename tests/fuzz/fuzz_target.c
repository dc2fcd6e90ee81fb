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
check_segment(const struct target_segment *segment, const char *path, size_t length)
{
	CHECK(segment->raw >= path && segment->raw + segment->raw_length <= path + length);
	CHECK(!memchr(segment->raw, '/', segment->raw_length));
	CHECK(segment->length < sizeof(segment->text));
	if (!segment->length)
		CHECK(!segment->text[0]);
	else
		check_decoded(segment->text, segment->length);
}

static void
check_path(const char *path, size_t length)
{
	static struct target target;
	size_t slashes = 0;

	target_read(path, length, &target);
	CHECK(strnlen(target.word, sizeof(target.word)) < sizeof(target.word));
	if (target.bad || !length || path[0] != '/') {
		CHECK(!target.segments && !target.word[0]);
		return;
	}
	for (size_t i = 0; i < length; i++)
		slashes += path[i] == '/';
	CHECK(target.segments == slashes - 1);
	CHECK(length > strlen(target.word) && !memcmp(path + 1, target.word, strlen(target.word)));
	CHECK(!strchr(target.word, '/'));
	for (size_t i = 0; i < target.segments && i < TARGET_SEGMENTS; i++)
		check_segment(&target.segment[i], path, length);
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
