/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/target.h"

/* The path's word, and how many segments follow. */
static void
word_is(const char *path, const char *word, size_t segments)
{
	struct target target;

	target_read(path, strlen(path), &target);
	assert_false(target.bad);
	assert_string_equal(target.word, word);
	assert_int_equal(target.segments, segments);
	assert_int_equal(target_is(&target, word), !segments);
}

static void
segment_is(const char *path, size_t i, const char *raw, const char *text)
{
	struct target target;

	target_read(path, strlen(path), &target);
	assert_false(target.bad);
	assert_true(i < target.segments && i < TARGET_SEGMENTS);
	assert_int_equal(target.segment[i].raw_length, strlen(raw));
	assert_memory_equal(target.segment[i].raw, raw, strlen(raw));
	assert_string_equal(target.segment[i].text, text);
	assert_int_equal(target.segment[i].length, strlen(text));
}

static void
words(void **state)
{
	(void)state;
	word_is("/health", "health", 0);
	word_is("/health/", "health", 1);
	word_is("/healthy", "healthy", 0);
	word_is("/Health", "Health", 0);
	word_is("/%68ealth", "%68ealth", 0);
	word_is("//health", "", 1);
	word_is("/./health", ".", 1);
	word_is("/netproxy//", "netproxy", 2);
	word_is("/raw/h/80", "raw", 2);
	word_is("/raw//80", "raw", 2);
	word_is("/w/1/2/3/4/5/6", "w", 6);
	word_is("/", "", 0);
	word_is("", "", 0);
	word_is("health", "", 0);
	word_is("/1234567890123456789012345678901", "1234567890123456789012345678901", 0);
	word_is("/12345678901234567890123456789012", "", 0);
}

static void
segments(void **state)
{
	char path[2048] = "/raw/";
	char raw[TARGET_HOST + 1] = {0};

	(void)state;
	segment_is("/netproxy/", 0, "", "");
	segment_is("/raw/example.com/443", 0, "example.com", "example.com");
	segment_is("/raw/example.com/443", 1, "443", "443");
	segment_is("/raw//80", 0, "", "");
	segment_is("/raw//80", 1, "80", "80");
	segment_is("/raw/h/", 1, "", "");
	segment_is("/raw/%5B::1%5d/80", 0, "%5B::1%5d", "[::1]");
	segment_is("/raw/b%C3%BCcher.example/80", 0, "b%C3%BCcher.example",
		   "b\xc3\xbc"
		   "cher.example");
	segment_is("/raw/a%2Fb/80", 0, "a%2Fb", "a/b");
	segment_is("/raw/../health", 0, "..", "..");
	segment_is("/raw/h/%34%34%33", 1, "%34%34%33", "443");
	segment_is("/w/1/2/3/4/5/6", 3, "4", "4");
	memset(raw, 'x', TARGET_HOST - 1);
	memcpy(path + 5, raw, TARGET_HOST);
	strcat(path, "/80");
	segment_is(path, 0, raw, raw);
	raw[TARGET_HOST - 1] = 'x';
	memcpy(path + 5, raw, TARGET_HOST + 1);
	strcat(path, "/80");
	segment_is(path, 0, raw, "");
	segment_is(path, 1, "80", "80");
}

static bool
is_bad(const char *path)
{
	struct target target;

	target_read(path, strlen(path), &target);
	return target.bad && !target.word[0] && !target.segments;
}

/* Case 51, what of it is the path's */
static void
escapes(void **state)
{
	static const char *const bad[] = {
		"/raw/h%/80",   "/raw/h%4/80",  "/raw/h%4g/80", "/raw/h%g4/80", "/raw/h/8%",
		"/raw/h%00/80", "/raw/h%0a/80", "/raw/h%0D/80", "/raw/h%1f/80", "/raw/h%7f/80",
		"/raw/h%09/80", "/x%",          "/%zz",         "/raw/h%-1/80", "/raw/h%+1/80",
		"/raw/h/80%2",  "/raw/%%41/80",
	};
	char out[8];
	size_t length = 99;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!is_bad(bad[i]))
			fail_msg("'%s' is taken", bad[i]);
	assert_true(target_decode("%41+%2b", 7, out, sizeof(out), &length));
	assert_int_equal(length, 3);
	assert_string_equal(out, "A++");
	assert_true(target_decode("1234567", 7, out, sizeof(out), &length));
	assert_int_equal(length, 7);
	length = 99;
	assert_false(target_decode("12345678", 8, out, sizeof(out), &length));
	assert_false(target_decode("", 0, out, 0, &length));
	assert_false(target_decode("a\0b", 3, out, sizeof(out), &length));
	assert_int_equal(length, 99);
}

/* Case 45, what of it is a port in a path */
static void
ports(void **state)
{
	static const char *const wrong[] = {"",      "0",       "00",         "080",   "65536",
					    "99999", "100000",  "+80",        "-1",    " 80",
					    "80 ",   "8 0",     "0x50",       "443.0", "4e2",
					    "1.5",   "\"443\"", "4294967297", "80\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(target_port(wrong[i], strlen(wrong[i])), 0);
	assert_int_equal(target_port("1", 1), 1);
	assert_int_equal(target_port("65535", 5), 65535);
	assert_int_equal(target_port("4435", 3), 443);
	assert_int_equal(target_port("8\0", 2), 0);
}

static enum target_parameter
query(const char *text, const char *name, const char *wanted)
{
	char out[32];
	size_t length = 99;
	enum target_parameter result =
		target_query(text, strlen(text), name, out, sizeof(out), &length);

	if (wanted) {
		assert_int_equal(result, TARGET_FOUND);
		assert_string_equal(out, wanted);
		assert_int_equal(length, strlen(wanted));
	} else {
		assert_int_equal(length, 99);
	}
	return result;
}

static void
queries(void **state)
{
	(void)state;
	query("token=abc", "token", "abc");
	query("a=b&token=a%3Db%26c&x", "token", "a=b&c");
	query("token=a=b", "token", "a=b");
	query("token", "token", "");
	query("token=", "token", "");
	query("&&token=x&", "token", "x");
	query("token=a+b", "token", "a+b");
	assert_int_equal(query("", "token", NULL), TARGET_ABSENT);
	assert_int_equal(query("Token=a", "token", NULL), TARGET_ABSENT);
	assert_int_equal(query("xtoken=a&tokenx=b", "token", NULL), TARGET_ABSENT);
	assert_int_equal(query("t%6fken=a", "token", NULL), TARGET_ABSENT);
	assert_int_equal(query("token=a&token=a", "token", NULL), TARGET_MALFORMED);
	assert_int_equal(query("token=a&token", "token", NULL), TARGET_MALFORMED);
	assert_int_equal(query("token=a%", "token", NULL), TARGET_MALFORMED);
	assert_int_equal(query("token=a&x=%0", "token", NULL), TARGET_MALFORMED);
	assert_int_equal(query("token=a%00b", "token", NULL), TARGET_MALFORMED);
	assert_int_equal(query("token=a%0d%0a", "token", NULL), TARGET_MALFORMED);
	query("token=1234567890123456789012345678901", "token", "1234567890123456789012345678901");
	assert_int_equal(query("token=12345678901234567890123456789012", "token", NULL),
			 TARGET_MALFORMED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words), cmocka_unit_test(segments), cmocka_unit_test(escapes),
		cmocka_unit_test(ports), cmocka_unit_test(queries),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
