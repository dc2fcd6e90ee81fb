/* SPDX-License-Identifier: ISC */
/* The reader of JSON: syntax, bounds, whatever is cut off or changed. */
#include "tests/unit/policy_wrong.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/json.h"

static void
test_syntax(void **state)
{
	static const struct wrong wrong[] = {
		{"", 1, 1, "the file ends where a value must stand", ""},
		{" // nothing", 1, 12, "the file ends", ""},
		{"{}{}", 1, 3, "has ended before this", ""},
		{"{'version':1,}", 1, 14, "a name in double quotes must stand here", "no comma"},
		{"{'hosts':['a',]}", 1, 15, "a value must stand here", "no comma"},
		{"{'hosts':['a' 'b']}", 1, 15, "a comma or ]", ""},
		{"{'a':1 'b':2}", 1, 8, "a comma or }", ""},
		{"{'a' 1}", 1, 6, "a colon must stand here", ""},
		{"{a:1}", 1, 2, "a name in double quotes", ""},
		{"{'version':\n  yes}", 2, 3, "no value of JSON", "true or false"},
		{"{'version':01}", 1, 12, "no number of JSON", "leading zeros"},
		{"{'version':1.}", 1, 12, "no number of JSON", ""},
		{"{'version':1e}", 1, 12, "no number of JSON", ""},
		{"{'version':-}", 1, 12, "no number of JSON", ""},
		{"{'a", 1, 2, "this string has no end", "close it"},
		{"{'a':'b\n'}", 1, 8, "control character", ""},
		{"{'a\tb':1}", 1, 4, "control character", ""},
		{"{'a\\x':1}", 1, 4, "no escape sequence", "\\uXXXX"},
		{"{'a\\u0000':1}", 1, 4, "no escape sequence", ""},
		{"{'a\\ud800':1}", 1, 4, "no escape sequence", ""},
		{"{'a\\udc00\\ud800':1}", 1, 4, "no escape sequence", ""},
		{"{'a\\u12g4':1}", 1, 4, "no escape sequence", ""},
		{"{ /* never", 1, 3, "this comment has no end", "*/"},
		{"{} /", 1, 4, "has ended before this", ""},
		{"\xef\xbb\xbf{}", 1, 1, "byte order mark", "UTF-8"},
		{"{} // \xc3\xa4\xff", 1, 8, "not UTF-8", "UTF-8"},
		{"{'\xc0\x80':1}", 1, 3, "not UTF-8", ""},
		{"{'\xed\xa0\x80':1}", 1, 3, "not UTF-8", ""},
		{"{'\xf4\x90\x80\x80':1}", 1, 3, "not UTF-8", ""},
		{"{'\xe2\x82", 1, 3, "not UTF-8", ""},
		{"{'\xe2\x82\xac':1,\n '\xe2\x82\xac':1}", 2, 2, "for the second time", "line 1"},
		{"{'a':1,'\\u0061':1}", 1, 8, "`a' stands here for the second time", "line 1"},
		{"[[[[[[[[[[[[[[[[[", 1, 17, "nested too deeply", ""},
	};

	(void)state;
	CHECK(wrong);
}

static void
test_bounds(void **state)
{
	char *text = malloc(JSON_SIZE + 2);

	(void)state;
	assert_non_null(text);
	memset(text, '\n', JSON_SIZE + 1);
	text[JSON_SIZE + 1] = '\0';
	memset(&report, 0, sizeof(report));
	assert_null(policy_read(text, JSON_SIZE + 1, &report));
	assert_non_null(strstr(report.entries[0].text, "at most 1 MiB"));
	memset(&report, 0, sizeof(report));
	assert_null(policy_read(text, JSON_SIZE, &report));
	assert_non_null(strstr(report.entries[0].text, "65,535 lines"));
	memset(text, '[', JSON_SIZE);
	memset(&report, 0, sizeof(report));
	assert_null(policy_read(text, JSON_SIZE, &report));
	assert_non_null(strstr(report.entries[0].text, "nested too deeply"));
	free(text);
}

/* Whatever is cut off or changed is an error or a policy, and nothing else. */
static void
test_mutilated(void **state)
{
	static const char text[] = BASE "'grants':{'g':{'auth':{'tokens':['" HASH "']},"
					"'allow':[{'to':'[2a00::/16]:1-9','protocols':['tcp']}],"
					"'limits':{'bytes_per_minute':'1KiB'}}}}";
	static const char bytes[] = "\"\\{}[]:,0-9a/*\n\xc3 ";
	char copy[sizeof(text)];

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		memcpy(copy, text, n);
		copy[n] = '\0';
		assert_null(read_text(copy));
		assert_true(report.errors > 0);
	}
	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
			struct policy_source *source;

			memcpy(copy, text, sizeof(text));
			copy[at] = bytes[i];
			source = read_text(copy);
			assert_int_equal(source == NULL, report.errors > 0);
			policy_free(source);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_mutilated),
	};

	return cmocka_run_group_tests_name("policy_json", tests, NULL, NULL);
}
