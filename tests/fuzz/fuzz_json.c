/* SPDX-License-Identifier: ISC */
/*
 * A message, and a string of a reply. What is taken and written by json-c is
 * taken again; what is written here is taken, and comes back.
 */
#include <json-c/json_object.h>
#include <string.h>

#include "tests/fuzz/check.h"
#include "worker/json.h"
#include "worker/utf8.h"

#define MOST 16384

static void
check_members(const struct json_object *object)
{
	static const char *const names[] = {"id", "t", "a", ""};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint64_t number = UINT64_MAX;
		const char *text = NULL;
		size_t length = SIZE_MAX;

		if (json_unsigned(object, names[i], 1, 65535, &number) == JSON_RIGHT)
			CHECK(number >= 1 && number <= 65535);
		else
			CHECK(number == UINT64_MAX);
		if (json_string(object, names[i], 64, &text, &length) == JSON_RIGHT)
			CHECK(length <= 64 && !text[length] && utf8_valid(text, length));
		else
			CHECK(!text && length == SIZE_MAX);
	}
}

static void
check_message(const char *text, size_t size)
{
	struct json_object *object = NULL;
	struct json_object *again = NULL;
	const char *written;

	if (json_read(text, size, MOST, &object) != JSON_FINE) {
		CHECK(!object);
		return;
	}
	CHECK(utf8_valid(text, size) && !memchr(text, '\0', size));
	check_members(object);
	written = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	CHECK(json_read(written, strlen(written), SIZE_MAX, &again) == JSON_FINE);
	CHECK(json_count(object) == json_count(again) && json_object_equal(object, again));
	json_release(again);
	json_release(object);
}

static void
check_reply(const uint8_t *data, size_t size)
{
	static char reply[16 * MOST];
	struct json_writer writer;
	struct json_object *object = NULL;
	const char *text;
	size_t length;
	uint64_t number;

	json_begin(&writer, reply, sizeof(reply));
	json_put_unsigned(&writer, "n", size);
	json_put_string(&writer, "s", (const char *)data, size);
	json_put_base64(&writer, "b", data, size);
	length = json_end(&writer);
	CHECK(length && json_read(reply, length, sizeof(reply), &object) == JSON_FINE);
	CHECK(json_unsigned(object, "n", 0, MOST, &number) == JSON_RIGHT && number == size);
	CHECK(json_string(object, "s", 3 * MOST, &text, &length) == JSON_RIGHT);
	if (utf8_valid(data, size))
		CHECK(length == size && !memcmp(text, data, size));
	else
		CHECK(utf8_valid(text, length));
	json_release(object);
	json_begin(&writer, reply, size);
	json_put_string(&writer, "s", (const char *)data, size);
	CHECK(!json_end(&writer));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct utf8 utf8 = {0};
	bool whole = utf8_valid(data, size);
	size_t i = 0;

	if (!size || size > MOST)
		return 0;
	while (i < size && utf8_feed(&utf8, data + i, 1))
		i++;
	CHECK(whole == (i == size && utf8_ended(&utf8)));
	check_message((const char *)data, size);
	check_reply(data, size);
	return 0;
}
