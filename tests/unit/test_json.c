/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/json.h"

#define MOST (1 << 20)

static enum json_result
result_of(const char *text, size_t length)
{
	struct json_object *object = NULL;
	enum json_result result = json_read(text, length, MOST, &object);

	assert_int_equal(result == JSON_FINE, object != NULL);
	json_release(object);
	return result;
}

#define RESULT(text) result_of(text, sizeof(text) - 1)

static void
right_messages(void **state)
{
	static const char *const texts[] = {
		"{}",
		" \t\r\n{ } \n",
		"{\"a\":1}",
		"{\"a\":-1,\"b\":0,\"c\":-0.0,\"d\":1.5e+3,\"e\":1E-2,\"f\":0e0}",
		"{\"a\":[],\"b\":[1,[2,{}],\"x\"],\"c\":{\"a\":null,\"b\":true,\"c\":false}}",
		"{\"\":\"\",\"\\u00e9\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uD83d\\ude00\"}",
		"{\"a\":\"\x7f\xc3\xa9\xf0\x9f\x98\x80\"}",
		"{\"a\":{\"a\":1},\"b\":{\"a\":1}}",
		"{\"a\":1e400}",
		"{\"a\":18446744073709551616,\"b\":-9223372036854775809}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (result_of(texts[i], strlen(texts[i])) != JSON_FINE)
			fail_msg("%s is refused", texts[i]);
}

static const char *const malformed[] = {
	"",
	" ",
	"{",
	"}",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{,}",
	"{,\"a\":1}",
	"{\"a\":1,,\"b\":2}",
	"{\"a\" 1}",
	"{\"a\"::1}",
	"{a:1}",
	"{'a':1}",
	"{\"a\":'x'}",
	"{1:1}",
	"{\"a\":NaN}",
	"{\"a\":nan}",
	"{\"a\":Infinity}",
	"{\"a\":-Infinity}",
	"{\"a\":01}",
	"{\"a\":-01}",
	"{\"a\":00}",
	"{\"a\":-0}",
	"{\"a\":1.}",
	"{\"a\":.5}",
	"{\"a\":+1}",
	"{\"a\":-}",
	"{\"a\":1e}",
	"{\"a\":1e+}",
	"{\"a\":1.e5}",
	"{\"a\":0x10}",
	"{\"a\":1 2}",
	"{\"a\":1.0.0}",
	"{\"a\":1_0}",
	"{\"a\":True}",
	"{\"a\":TRUE}",
	"{\"a\":nul}",
	"{\"a\":nulll}",
	"{\"a\":undefined}",
	"{/**/\"a\":1}",
	"{\"a\":1//\n}",
	"#\n{}",
	"{\"a\":1}x",
	"{} {}",
	"{},",
	"\xef\xbb\xbf{}",
	"\v{}",
	"{\"a\":[1,]}",
	"{\"a\":[,1]}",
	"{\"a\":[1}",
	"{\"a\":[1}]",
	"{\"a\":1]",
	"[1,]",
	"{\"a\":[1 2]}",
	"{\"a\":\"",
	"{\"a\":\"x\ny\"}",
	"{\"a\":\"x\ty\"}",
	"{\"a\":\"\x01\"}",
	"{\"a\":\"\\x\"}",
	"{\"a\":\"\\'\"}",
	"{\"a\":\"\\u12\"}",
	"{\"a\":\"\\u12g4\"}",
	"{\"a\":\"\\U0041\"}",
	"{\"a\":\"\\u\x10\x11\x12\x13\"}",
	"{\"a\":\"\\\"}",
	"{\"a\":\"\\",
	"{\"a\":\"\\ud800\"}",
	"{\"a\":\"\\udc00\"}",
	"{\"a\":\"\\ud800\\ud800\"}",
	"{\"a\":\"\\ud800x\"}",
	"{\"a\":\"\\ud800\\n\"}",
	"{\"a\":\"\\ud800\\u0041\"}",
	"{\"a\":\"\xc0\x80\"}",
	"{\"a\":\"\xed\xa0\x80\"}",
	"{\"a\":\"\xff\"}",
	"{\"a\":\"\xc3\"}",
	"{\"\xc3\":1}",
	"{\"a\":\xc3\xa9}",
	"{\"a\\u0000b\":1}",
	"{\"\\u0000\":1}",
	"{\"a\":tru",
	"\"a",
	"nul",
};

static void
wrong_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		if (result_of(malformed[i], strlen(malformed[i])) != JSON_MALFORMED)
			fail_msg("%s has result %d", malformed[i],
				 (int)result_of(malformed[i], strlen(malformed[i])));
	assert_int_equal(RESULT("{\"a\":1}\0"), JSON_MALFORMED);
	assert_int_equal(RESULT("{\"a\":\0001}"), JSON_MALFORMED);
	assert_int_equal(RESULT("{\"a\":\"\0\"}"), JSON_MALFORMED);
	assert_int_equal(RESULT("{\"a\0\":1}"), JSON_MALFORMED);
}

static void
no_object(void **state)
{
	(void)state;
	assert_int_equal(RESULT("[]"), JSON_NO_OBJECT);
	assert_int_equal(RESULT(" [{\"a\":1}]"), JSON_NO_OBJECT);
	assert_int_equal(RESULT("1"), JSON_NO_OBJECT);
	assert_int_equal(RESULT("\"a\""), JSON_NO_OBJECT);
	assert_int_equal(RESULT("null"), JSON_NO_OBJECT);
	assert_int_equal(RESULT("true"), JSON_NO_OBJECT);
}

/* @depth levels, the outermost an object, the others objects or arrays. */
static size_t
nest(char *text, size_t depth, bool objects)
{
	char *at = text + sprintf(text, "{\"a\":");

	for (size_t i = 1; i < depth; i++)
		at += sprintf(at, objects ? "{\"a\":" : "[");
	*at++ = '1';
	for (size_t i = 1; i < depth; i++)
		*at++ = objects ? '}' : ']';
	*at++ = '}';
	return (size_t)(at - text);
}

/* Case 43 */
static void
depth(void **state)
{
	static char text[100000];

	(void)state;
	for (int objects = 0; objects < 2; objects++) {
		for (size_t n = 1; n < 64; n++)
			assert_int_equal(result_of(text, nest(text, n, objects)),
					 n <= JSON_DEPTH_MOST ? JSON_FINE : JSON_TOO_DEEP);
		assert_int_equal(result_of(text, nest(text, 10000, objects)), JSON_TOO_DEEP);
	}
	memset(text, '[', sizeof(text));
	assert_int_equal(result_of(text, sizeof(text)), JSON_TOO_DEEP);
}

/* Case 44 */
static void
duplicates(void **state)
{
	static const char *const texts[] = {
		"{\"id\":1,\"id\":2}",
		"{\"id\":1,\"id\":1}",
		"{\"id\":1,\"x\":2,\"id\":3}",
		"{\"id\":1,\"\\u0069d\":2}",
		"{\"\\u0069\\u0064\":1,\"i\\u0064\":2}",
		"{\"a/b\":1,\"a\\/b\":2}",
		"{\"\\u00e9\":1,\"\xc3\xa9\":2}",
		"{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}",
		"{\"\":1,\"\":2}",
		"{\"a\":{\"b\":1,\"b\":2}}",
		"{\"a\":[{},{\"b\":[{\"c\":1,\"c\":2}]}]}",
		"{\"a\":{\"x\":1,\"y\":2},\"a\":{\"x\":1,\"y\":2}}",
		"{\"a\":{\"b\":1,\"b\":2},\"c\":3}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (result_of(texts[i], strlen(texts[i])) != JSON_DUPLICATE)
			fail_msg("%s is taken", texts[i]);
	assert_int_equal(RESULT("{\"id\":1,\"Id\":2,\"ID\":3,\"id \":4}"), JSON_FINE);
}

static void
sizes(void **state)
{
	static const char text[] = "{\"a\":1}";
	struct json_object *object = NULL;
	char *many = malloc(64 << 10);
	size_t length = 0;

	(void)state;
	assert_non_null(many);
	assert_int_equal(json_read(text, sizeof(text) - 1, sizeof(text) - 2, &object),
			 JSON_TOO_LONG);
	assert_null(object);
	length = (size_t)sprintf(many, "{\"a\":[0");
	/* the object, the array and the first 0 are three values */
	for (int values = 3; values <= JSON_VALUES_MOST + 1; values++) {
		if (values >= JSON_VALUES_MOST) {
			memcpy(many + length, "]}", 2);
			assert_int_equal(result_of(many, length + 2),
					 values > JSON_VALUES_MOST ? JSON_TOO_LONG : JSON_FINE);
		}
		memcpy(many + length, ",0", 2);
		length += 2;
	}
	free(many);
}

static enum json_member
number(const char *value, uint64_t low, uint64_t high, uint64_t wanted)
{
	struct json_object *object = NULL;
	enum json_member member;
	uint64_t out = 99;
	char text[128];
	int length = snprintf(text, sizeof(text), "{\"n\":%s}", value);

	assert_int_equal(json_read(text, (size_t)length, MOST, &object), JSON_FINE);
	member = json_unsigned(object, "n", low, high, &out);
	assert_int_equal(out, member == JSON_RIGHT ? wanted : 99);
	json_release(object);
	return member;
}

/* Case 45 */
static void
numbers(void **state)
{
	static const char *const types[] = {"443.0",  "4.43e2", "\"443\"", "1.5",  "1e400",
					    "-1e400", "1e2",    "443e0",   "null", "true",
					    "[443]",  "{}",     "-0.0",    "0.0",  "\"\""};
	static const char *const ranges[] = {"-1",
					     "65536",
					     "9007199254740993",
					     "18446744073709551615",
					     "18446744073709551616",
					     "-9223372036854775808",
					     "-9223372036854775809",
					     "-18446744073709551617",
					     "100000000000000000000000000000000000000"};

	(void)state;
	assert_int_equal(number("443", 1, 65535, 443), JSON_RIGHT);
	assert_int_equal(number("0", 0, 65535, 0), JSON_RIGHT);
	assert_int_equal(number("0", 1, 65535, 0), JSON_OUT_OF_RANGE);
	assert_int_equal(number("65535", 1, 65535, 65535), JSON_RIGHT);
	assert_int_equal(number("9007199254740992", 0, JSON_INTEGER_MOST, 1ULL << 53), JSON_RIGHT);
	assert_int_equal(number("9007199254740993", 0, JSON_INTEGER_MOST, 0), JSON_OUT_OF_RANGE);
	assert_int_equal(number("18446744073709551616", 0, JSON_INTEGER_MOST, 0),
			 JSON_OUT_OF_RANGE);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (number(types[i], 0, 65535, 0) != JSON_WRONG_TYPE)
			fail_msg("%s is taken", types[i]);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (number(ranges[i], 0, 65535, 0) != JSON_OUT_OF_RANGE)
			fail_msg("%s is taken", ranges[i]);
}

static void
members(void **state)
{
	static const char text[] = "{\"s\":\"a\\u0000\\u00e9\",\"n\":1,\"t\":true,\"z\":null}";
	struct json_object *object = NULL;
	const char *string = NULL;
	size_t length = 99;
	bool boolean = false;
	uint64_t n;

	(void)state;
	assert_int_equal(json_read(text, sizeof(text) - 1, MOST, &object), JSON_FINE);
	assert_int_equal(json_count(object), 4);
	assert_int_equal(json_string(object, "s", 3, &string, &length), JSON_OUT_OF_RANGE);
	assert_int_equal(json_string(object, "n", 9, &string, &length), JSON_WRONG_TYPE);
	assert_int_equal(json_string(object, "z", 9, &string, &length), JSON_WRONG_TYPE);
	assert_int_equal(json_string(object, "x", 9, &string, &length), JSON_ABSENT);
	assert_null(string);
	assert_int_equal(length, 99);
	assert_int_equal(json_string(object, "s", 4, &string, &length), JSON_RIGHT);
	assert_int_equal(length, 4);
	assert_memory_equal(string, "a\0\xc3\xa9", 5);
	assert_int_equal(json_unsigned(object, "x", 0, 9, &n), JSON_ABSENT);
	assert_int_equal(json_boolean(object, "n", &boolean), JSON_WRONG_TYPE);
	assert_int_equal(json_boolean(object, "x", &boolean), JSON_ABSENT);
	assert_false(boolean);
	assert_int_equal(json_boolean(object, "t", &boolean), JSON_RIGHT);
	assert_true(boolean);
	json_release(object);
}

static size_t
write_reply(char *buffer, size_t size)
{
	static const char odd[] = "\"\\/\x01\x1f\n\x7f\xc3\xa9\xff\xe2\x82<\0";
	struct json_writer writer;

	json_begin(&writer, buffer, size);
	json_put_string(&writer, "t", "data", 4);
	json_put_unsigned(&writer, "id", 0);
	json_put_unsigned(&writer, "most", UINT64_MAX);
	json_put_string(&writer, "s", odd, sizeof(odd) - 1);
	json_put_base64(&writer, "b64", (const uint8_t *)"foob", 4);
	return json_end(&writer);
}

static void
writing(void **state)
{
	static const char wanted[] =
		"{\"t\":\"data\",\"id\":0,\"most\":18446744073709551615,"
		"\"s\":\"\\\"\\\\/\\u0001\\u001f\\u000a\x7f\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf"
		"\xbd<\\u0000\",\"b64\":\"Zm9vYg==\"}";
	char buffer[256];
	struct json_writer writer;

	(void)state;
	for (size_t size = 0; size < sizeof(buffer); size++) {
		memset(buffer, '#', sizeof(buffer));
		if (size < sizeof(wanted) - 1) {
			assert_int_equal(write_reply(buffer, size), 0);
		} else {
			assert_int_equal(write_reply(buffer, size), sizeof(wanted) - 1);
			assert_memory_equal(buffer, wanted, sizeof(wanted) - 1);
		}
		for (size_t i = size; i < sizeof(buffer); i++)
			assert_int_equal(buffer[i], '#');
	}
	assert_int_equal(result_of(wanted, sizeof(wanted) - 1), JSON_FINE);
	json_begin(&writer, buffer, sizeof(buffer));
	assert_int_equal(json_end(&writer), 2);
	assert_memory_equal(buffer, "{}", 2);
}

static void
prepare(void **state)
{
	(void)state;
	assert_true(json_prepare());
	for (int i = 0; i <= JSON_NO_MEMORY; i++)
		assert_true(strlen(json_sentence((enum json_result)i)) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prepare),        cmocka_unit_test(right_messages),
		cmocka_unit_test(wrong_messages), cmocka_unit_test(no_object),
		cmocka_unit_test(depth),          cmocka_unit_test(duplicates),
		cmocka_unit_test(sizes),          cmocka_unit_test(numbers),
		cmocka_unit_test(members),        cmocka_unit_test(writing),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
