/* SPDX-License-Identifier: ISC */
#include "worker/json.h"

#include <json-c/json_object.h>
#include <json-c/json_object_iterator.h>
#include <json-c/json_tokener.h>
#include <stdlib.h>

#include "worker/json_scan.h"

bool
json_prepare(void)
{
	static const char text[] = "{\"a\":0}";
	struct json_object *object;

	if (json_read(text, sizeof(text) - 1, sizeof(text), &object) != JSON_FINE)
		return false;
	json_release(object);
	return true;
}

/* Members of all objects in a tree; the scanner bounded its depth. */
static size_t
count_all(struct json_object *value)
{
	size_t n = 0;

	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			n += count_all(json_object_array_get_idx(value, i));
	} else if (json_object_is_type(value, json_type_object)) {
		struct json_object_iterator at = json_object_iter_begin(value);
		struct json_object_iterator end = json_object_iter_end(value);

		for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
			n += 1 + count_all(json_object_iter_peek_value(&at));
	}
	return n;
}

/*
 * json-c 0.16 does not survive a failed allocation: it crashes, or gives a tree
 * that lacks something. So ask for all at once, more than it can need, before:
 * a container's first table has less than 800 bytes, text is held at most three
 * times, and the tokener has its stack and buffers.
 */
static bool
memory_suffices(size_t length, size_t values)
{
	void *volatile all = malloc(16384 + 4 * length + 1024 * values);
	bool enough = all;

	free(all);
	return enough;
}

static struct json_object *
parse(const char *text, size_t length)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MOST + 1);
	struct json_object *object;

	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, text, (int)length);
	json_tokener_free(tokener);
	return object;
}

enum json_result
json_read(const char *text, size_t length, size_t most, struct json_object **out)
{
	enum json_result result;
	struct json_object *object;
	struct json_counts counts;

	if (length > most || length > INT32_MAX)
		return JSON_TOO_LONG;
	result = json_scan(text, length, &counts);
	if (result != JSON_FINE)
		return result;
	if (!memory_suffices(length, counts.values))
		return JSON_NO_MEMORY;
	/* The grammar was right, so only memory can be wrong now. */
	object = parse(text, length);
	if (!object)
		return JSON_NO_MEMORY;
	/* A member that overwrote another is one less in the tree. */
	if (count_all(object) != counts.members) {
		json_release(object);
		return JSON_DUPLICATE;
	}
	*out = object;
	return JSON_FINE;
}

void
json_release(struct json_object *object)
{
	(void)json_object_put(object);
}

const char *
json_sentence(enum json_result result)
{
	switch (result) {
	case JSON_FINE:
		return "the message is right";
	case JSON_TOO_LONG:
		return "the message is too long";
	case JSON_MALFORMED:
		return "the message is not JSON";
	case JSON_TOO_DEEP:
		return "the message is nested too deep";
	case JSON_NO_OBJECT:
		return "the message is not a JSON object";
	case JSON_DUPLICATE:
		return "a member name occurs twice";
	case JSON_NO_MEMORY:
		return "the server is out of memory";
	}
	abort();
}

size_t
json_count(const struct json_object *object)
{
	return (size_t)json_object_object_length(object);
}

enum json_member
json_unsigned(const struct json_object *object, const char *name, uint64_t low, uint64_t high,
	      uint64_t *out)
{
	struct json_object *value;
	uint64_t number;

	if (high > JSON_INTEGER_MOST)
		abort();
	if (!json_object_object_get_ex(object, name, &value))
		return JSON_ABSENT;
	if (!json_object_is_type(value, json_type_int))
		return JSON_WRONG_TYPE;
	/* Out of its range json-c gives the nearest number, which is out of ours. */
	if (json_object_get_int64(value) < 0)
		return JSON_OUT_OF_RANGE;
	number = json_object_get_uint64(value);
	if (number < low || number > high)
		return JSON_OUT_OF_RANGE;
	*out = number;
	return JSON_RIGHT;
}

enum json_member
json_string(const struct json_object *object, const char *name, size_t most, const char **text,
	    size_t *length)
{
	struct json_object *value;
	size_t size;

	if (!json_object_object_get_ex(object, name, &value))
		return JSON_ABSENT;
	if (!json_object_is_type(value, json_type_string))
		return JSON_WRONG_TYPE;
	size = (size_t)json_object_get_string_len(value);
	if (size > most)
		return JSON_OUT_OF_RANGE;
	*text = json_object_get_string(value);
	*length = size;
	return JSON_RIGHT;
}

enum json_member
json_boolean(const struct json_object *object, const char *name, bool *out)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, name, &value))
		return JSON_ABSENT;
	if (!json_object_is_type(value, json_type_boolean))
		return JSON_WRONG_TYPE;
	*out = json_object_get_boolean(value);
	return JSON_RIGHT;
}
