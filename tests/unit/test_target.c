/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/target.h"

static enum target_route
route(const char *path)
{
	struct target target;

	target_read(path, strlen(path), &target);
	return target.route;
}

static void
raw_is(const char *path, const char *host, unsigned int port)
{
	struct target target;

	target_read(path, strlen(path), &target);
	assert_int_equal(target.route, TARGET_RAW);
	assert_string_equal(target.host, host);
	assert_int_equal(target.host_length, strlen(host));
	assert_int_equal(target.port, port);
}

static void
routes(void **state)
{
	static const char *const none[] = {
		"/",         "",           "/health/",    "/healthy",    "/Health",     "//health",
		"/./health", "/%68ealth",  "/raw",        "/raw/",       "/raw/h",      "/raw/h/",
		"/raw//80",  "/raw/h/80/", "/raw/h/80/x", "/netproxy//", "/netproxy/x", "/RAW/h/80",
		"health",
	};

	(void)state;
	assert_int_equal(route("/health"), TARGET_HEALTH);
	assert_int_equal(route("/netproxy"), TARGET_NETPROXY);
	assert_int_equal(route("/netproxy/"), TARGET_NETPROXY);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (route(none[i]) != TARGET_NONE)
			fail_msg("'%s' has a route", none[i]);
}

static void
raw(void **state)
{
	char path[2048] = "/raw/";
	char host[TARGET_HOST] = {0};

	(void)state;
	raw_is("/raw/example.com/443", "example.com", 443);
	raw_is("/raw/127.0.0.1/1", "127.0.0.1", 1);
	raw_is("/raw/[::1]/65535", "[::1]", 65535);
	raw_is("/raw/%5B::1%5d/80", "[::1]", 80);
	raw_is("/raw/b%C3%BCcher.example/80",
	       "b\xc3\xbc"
	       "cher.example",
	       80);
	raw_is("/raw/a%2Fb/80", "a/b", 80);
	raw_is("/raw/a%20b/80", "a b", 80);
	raw_is("/raw/../80", "..", 80);
	raw_is("/raw/h/65536", "h", 0);
	raw_is("/raw/h/http", "h", 0);
	raw_is("/raw/h/%34%34%33", "h", 0);
	raw_is("/raw/../health", "..", 0);
	memset(path + 5, 'x', TARGET_HOST);
	memset(host, 'x', TARGET_HOST - 1);
	strcpy(path + 5 + TARGET_HOST - 1, "/80");
	raw_is(path, host, 80);
	strcpy(path + 5 + TARGET_HOST - 1, "x/80");
	raw_is(path, "", 80);
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
		if (route(bad[i]) != TARGET_BAD)
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
		cmocka_unit_test(routes), cmocka_unit_test(raw),     cmocka_unit_test(escapes),
		cmocka_unit_test(ports),  cmocka_unit_test(queries),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
