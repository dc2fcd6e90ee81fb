/* SPDX-License-Identifier: ISC */
/* What `sockward` reads from a person and from a server's handshake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/handshake.h"
#include "cli/parse.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
listen_addresses(void **state)
{
	static const struct {
		const char *text;
		const char *shown; /* NULL: refused */
	} cases[] = {
		{"127.0.0.1:8086", "127.0.0.1:8086"},
		{"0.0.0.0:0", "0.0.0.0:0"},
		{"[::1]:65535", "[::1]:65535"},
		{"[0:0::1]:1", "[::1]:1"},
		{"[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1"},
		{"127.0.0.1", NULL},
		{"127.0.0.1:", NULL},
		{"127.0.0.1:65536", NULL},
		{"127.0.0.1:-1", NULL},
		{"127.0.0.1:+1", NULL},
		{"127.0.0.1: 1", NULL},
		{"127.0.0.1:1 ", NULL},
		{"127.1:80", NULL},
		{"127.0.0.01:80", NULL},
		{"localhost:80", NULL},
		{":80", NULL},
		{"::1:80", NULL},
		{"[::1]", NULL},
		{"[::1]80", NULL},
		{"[::1:80", NULL},
		{"[]:80", NULL},
		{"[127.0.0.1]:80", NULL},
		{"[fe80::1%lo]:80", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sockaddr_storage addr;
		socklen_t length = 0;
		char shown[ADDRESS_TEXT];
		const char *wrong = parse_listen(cases[i].text, &addr, &length);

		if (!cases[i].shown) {
			assert_non_null(wrong);
			assert_int_equal(length, 0);
			continue;
		}
		assert_null(wrong);
		assert_true(length > 0);
		show_address(&addr, shown);
		assert_string_equal(shown, cases[i].shown);
	}
}

static void
durations(void **state)
{
	static const struct {
		const char *text;
		uint32_t ms; /* UINT32_MAX: refused */
	} cases[] = {
		{"0s", 0},
		{"250ms", 250},
		{"10s", 10000},
		{"5m", 300000},
		{"24h", 86400000},
		{"86400s", 86400000},
		{"25h", UINT32_MAX},
		{"86401s", UINT32_MAX},
		{"99999999999s", UINT32_MAX},
		{"10", UINT32_MAX},
		{"s", UINT32_MAX},
		{"-1s", UINT32_MAX},
		{"1.5s", UINT32_MAX},
		{"10 s", UINT32_MAX},
		{"10sec", UINT32_MAX},
		{"", UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t ms = UINT32_MAX;
		const char *wrong = parse_duration(cases[i].text, &ms);

		assert_int_equal(ms, cases[i].ms);
		assert_int_equal(wrong == NULL, cases[i].ms != UINT32_MAX);
	}
}

static void
numbers(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_int_equal(parse_number("18446744073709551615", UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(parse_number("18446744073709551616", UINT64_MAX, &n), -1);
	assert_int_equal(parse_number("99999999999999999999", UINT64_MAX, &n), -1);
	assert_int_equal(parse_number("65536", 65535, &n), -1);
	assert_int_equal(parse_number("9", 8, &n), -1);
	assert_int_equal(parse_number("0x1", 8, &n), -1);
	assert_int_equal(parse_number("", 8, &n), -1);
	assert_true(n == UINT64_MAX);
	assert_int_equal(parse_number("007", 8, &n), 0);
	assert_true(n == 7);
}

static void
urls(void **state)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: refused */
		const char *port;
		const char *authority;
		const char *path;
	} cases[] = {
		{"ws://a.example:8086/raw/b/80", "a.example", "8086", "a.example:8086",
		 "/raw/b/80"},
		{"ws://a.example", "a.example", "80", "a.example", "/"},
		{"ws://a.example?x=1", "a.example", "80", "a.example", "/?x=1"},
		{"ws://[::1]:1/x", "::1", "1", "[::1]:1", "/x"},
		{"ws://[::1]/x", "::1", "80", "[::1]", "/x"},
		{"ws://127.0.0.1:0/", NULL, NULL, NULL, NULL},
		{"ws://127.0.0.1:65536/", NULL, NULL, NULL, NULL},
		{"ws://127.0.0.1:/", NULL, NULL, NULL, NULL},
		{"ws:///x", NULL, NULL, NULL, NULL},
		{"ws://:80/x", NULL, NULL, NULL, NULL},
		{"ws://[::1/x", NULL, NULL, NULL, NULL},
		{"ws://[::1]x/x", NULL, NULL, NULL, NULL},
		{"ws://user@host/x", NULL, NULL, NULL, NULL},
		{"ws://host/x#y", NULL, NULL, NULL, NULL},
		{"ws://host/a b", NULL, NULL, NULL, NULL},
		{"ws://host/a\r\nX: y", NULL, NULL, NULL, NULL},
		{"ws://host/\xc3\xa4", NULL, NULL, NULL, NULL},
		{"wss://host/", NULL, NULL, NULL, NULL},
		{"http://host/", NULL, NULL, NULL, NULL},
		{"", NULL, NULL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ws_url url = {.port = "none"};
		const char *wrong = parse_ws_url(cases[i].text, &url);

		if (!cases[i].host) {
			assert_non_null(wrong);
			assert_string_equal(url.port, "none");
			continue;
		}
		assert_null(wrong);
		assert_string_equal(url.host, cases[i].host);
		assert_string_equal(url.port, cases[i].port);
		assert_string_equal(url.authority, cases[i].authority);
		assert_string_equal(url.path, cases[i].path);
	}
}

static void
long_urls(void **state)
{
	char text[URL_PATH + 64];
	struct ws_url url;

	(void)state;
	for (size_t n = URL_PATH - 4; n < URL_PATH + 4; n++) {
		memset(text, 0, sizeof(text));
		strcpy(text, "ws://h/");
		memset(text + 7, 'a', n - 1);
		assert_int_equal(parse_ws_url(text, &url) == NULL, n + 2 <= URL_PATH);
	}
	for (size_t n = URL_HOST - 4; n < URL_HOST + 32; n++) {
		memset(text, 0, sizeof(text));
		strcpy(text, "ws://");
		memset(text + 5, 'a', n);
		assert_int_equal(parse_ws_url(text, &url) == NULL, n < URL_HOST);
	}
}

static void
tls_is_named(void **state)
{
	struct ws_url url;

	(void)state;
	assert_non_null(strstr(parse_ws_url("wss://host/", &url), "TLS"));
}

/* The example of RFC 6455, section 1.3. */
static void
accept_value(void **state)
{
	char out[ACCEPT_TEXT];

	(void)state;
	handshake_accept("dGhlIHNhbXBsZSBub25jZQ==", out);
	assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#define UPGRADE    "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define ACCEPT     "Sec-WebSocket-Accept: s3=\r\n"
#define OK         "HTTP/1.1 101 Switching Protocols\r\n"

static void
answers(void **state)
{
	static const struct {
		const char *head;
		int result;
	} cases[] = {
		{OK UPGRADE CONNECTION ACCEPT "\r\n", 0},
		{OK "upgrade:WebSocket \r\nconnection:upgrade\r\nsec-websocket-accept:s3=\r\n\r\n",
		 0},
		{OK UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol: binary\r\n\r\n", 0},
		{"HTTP/1.1 101\r\n" UPGRADE CONNECTION ACCEPT "\r\n", 0},
		{OK UPGRADE CONNECTION "\r\n", -1},
		{OK UPGRADE ACCEPT "\r\n", -1},
		{OK CONNECTION ACCEPT "\r\n", -1},
		{OK UPGRADE CONNECTION "Sec-WebSocket-Accept: S3=\r\n\r\n", -1},
		{OK UPGRADE UPGRADE CONNECTION ACCEPT "\r\n", -1},
		{OK UPGRADE CONNECTION ACCEPT ACCEPT "\r\n", -1},
		{OK UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n"
					      "\r\n",
		 -1},
		{OK UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol: auth.x\r\n\r\n", -1},
		{OK UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol: auth.x\r\n"
					      "Sec-WebSocket-Protocol: binary\r\n\r\n",
		 -1},
		{OK UPGRADE CONNECTION ACCEPT "no colon\r\n\r\n", -1},
		{"HTTP/1.1 1010 x\r\n" UPGRADE CONNECTION ACCEPT "\r\n", -1},
		{"HTTP/1.1 200 OK\r\n" UPGRADE CONNECTION ACCEPT "\r\n", -1},
		{"HTTP/1.0 101 OK\r\n" UPGRADE CONNECTION ACCEPT "\r\n", -1},
		{"HTTP/1.1 403 \x1b[31m\r\n\r\n", -1},
		{"\r\n", -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *head = strdup(cases[i].head);
		char why[128] = "";

		assert_non_null(head);
		assert_int_equal(handshake_judge(head, "s3=", why, sizeof(why)), cases[i].result);
		assert_int_equal(why[0] != '\0', cases[i].result != 0);
		assert_null(strchr(why, '\x1b'));
		free(head);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listen_addresses), cmocka_unit_test(durations),
		cmocka_unit_test(numbers),          cmocka_unit_test(urls),
		cmocka_unit_test(long_urls),        cmocka_unit_test(tls_is_named),
		cmocka_unit_test(accept_value),     cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
