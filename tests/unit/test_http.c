/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "worker/http.h"

#define HOST    "Host: gw.example\r\n"
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define GET     "GET /raw/h/1 HTTP/1.1\r\n"

/* Parses at once and byte by byte: the same outcome; returns the status, or 0 when done. */
static unsigned int
parse(const char *text, size_t length, struct http_head *out)
{
	struct http_head whole = {0};
	struct http_head slow = {0};
	enum http_result result = http_parse(&whole, text, length);
	enum http_result slow_result = HTTP_MORE;

	for (size_t n = 0; n <= length && slow_result == HTTP_MORE; n++)
		slow_result = http_parse(&slow, text, n);
	assert_int_equal(result, slow_result);
	assert_memory_equal(&whole, &slow, sizeof(whole));
	assert_int_equal(http_parse(&slow, text, length), result);
	assert_memory_equal(&whole, &slow, sizeof(whole));
	assert_int_equal(result == HTTP_REFUSE, whole.status != 0);
	if (result == HTTP_MORE)
		fail_msg("not complete: %.*s", (int)length, text);
	if (out)
		*out = whole;
	return whole.status;
}

static unsigned int
status(const char *text)
{
	return parse(text, strlen(text), NULL);
}

static void
value_is(const struct http_head *head, const char *text, enum http_name name, const char *wanted)
{
	const struct http_span *value = http_find(head, name);

	assert_non_null(value);
	assert_int_equal(value->length, strlen(wanted));
	assert_memory_equal(text + value->at, wanted, value->length);
}

static void
a_right_request(void **state)
{
	static const char text[] =
		"GET /raw/[::1]/80?token=a&b HTTP/1.1\r\n" HOST "X-Other: \xff\t,\r\n"
		"ORIGIN:https://App.Example:8443\t \r\n"
		"authorization: Bearer x\r\n" UPGRADE KEY VERSION "\r\n\x81\x80rest";
	struct http_head head;
	char origin[HTTP_HOST_MOST + 1];

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1, &head), 0);
	assert_int_equal(head.length, sizeof(text) - 1 - 6);
	assert_int_equal(head.method, HTTP_GET);
	assert_int_equal(head.path.length, strlen("/raw/[::1]/80"));
	assert_memory_equal(text + head.path.at, "/raw/[::1]/80", head.path.length);
	assert_true(head.has_query);
	assert_int_equal(head.query.length, strlen("token=a&b"));
	assert_memory_equal(text + head.query.at, "token=a&b", head.query.length);
	value_is(&head, text, HTTP_HOST, "gw.example");
	value_is(&head, text, HTTP_ORIGIN, "https://App.Example:8443");
	value_is(&head, text, HTTP_AUTHORIZATION, "Bearer x");
	assert_null(http_find(&head, HTTP_PROTOCOL));
	http_copy_lower(text, http_find(&head, HTTP_ORIGIN), origin);
	assert_string_equal(origin, "https://app.example:8443");
	http_copy_lower(text, NULL, origin);
	assert_string_equal(origin, "");
	assert_int_equal(http_upgrade(&head, text), HTTP_WEBSOCKET);
}

/* Case 1 */
static void
other_methods(void **state)
{
	static const char *const methods[] = {"POST", "PUT",   "HEAD",    "DELETE", "TRACE",
					      "get",  "PATCH", "CONNECT", "GETT",   "GE"};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		snprintf(text, sizeof(text), "%s /raw/h/1 HTTP/1.1\r\n%s", methods[i],
			 HOST UPGRADE KEY VERSION "\r\n");
		assert_int_equal(status(text), 405);
	}
	assert_int_equal(status("CONNECT h:1 HTTP/1.1\r\n" HOST "\r\n"), 400);
}

/* Case 2, and targets that are not in origin form */
static void
odd_request_lines(void **state)
{
	static const char *const lines[] = {
		"GET / HTTP/1.0",
		"GET / HTTP/2.0",
		"GET / http/1.1",
		"GET  / HTTP/1.1",
		"GET /  HTTP/1.1",
		"GET / HTTP/1.1 ",
		" GET / HTTP/1.1",
		"GET /\tHTTP/1.1",
		"GET\t/ HTTP/1.1",
		"GET / HTTP/1.11",
		"GET / HTTP/01.1",
		"GET /",
		"GET",
		"",
		"GET / ",
		"GET / HTTP/1.1\r",
		"GET http://gw.example/ HTTP/1.1",
		"GET * HTTP/1.1",
		"OPTIONS * HTTP/1.1",
		"GET gw.example HTTP/1.1",
		"GET  HTTP/1.1",
		"GET HTTP/1.1",
		"GET /a b HTTP/1.1",
		"GET /# HTTP/1.1",
		"GET /\\ HTTP/1.1",
		"GET /\" HTTP/1.1",
		"GET /\xc3\xa9 HTTP/1.1",
		"G(T / HTTP/1.1",
		"/ HTTP/1.1",
		"GET / HTTP/1.1x",
		"PRI * HTTP/2.0",
		"GET / FTP/1.1",
		"GET /{} HTTP/1.1",
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), "%s\r\n" HOST "\r\n", lines[i]);
		if (status(text) != 400)
			fail_msg("'%s' has status %u", lines[i], status(text));
	}
}

/* Case 7 */
static void
origins(void **state)
{
	struct http_head head;
	static const char empty[] = GET HOST "Origin:\r\n\r\n";

	(void)state;
	assert_int_equal(status(GET HOST "Origin: null\r\n\r\n"), 0);
	assert_int_equal(status(GET HOST "Origin: a\r\nOrigin: a\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "Origin: http://a http://b\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "Origin: http://a\thttp://b\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "Origin: http://a,http://b\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "Origin: http://\xc3\xa9\r\n\r\n"), 400);
	assert_int_equal(parse(empty, sizeof(empty) - 1, &head), 0);
	value_is(&head, empty, HTTP_ORIGIN, "");
}

/* Case 8 */
static void
hosts(void **state)
{
	static const char *const right[] = {"gw",        "gw:80", "gw.example.", "127.0.0.1:8086",
					    "[::1]:80",  "[::1]", "_x.example",  "a-b.c:65535",
					    "GW.example"};
	static const char *const wrong[] = {"",         "a b",      "a,b",      "a@b",  "a/b",
					    "a:",       "a:80:80",  "a:8x",     ":80",  "[::1",
					    "[]",       "[::1]80",  "a:123456", "a%20", "[::1]:",
					    "[:%65]:1", "\xc3\xa9", "a\\b"};
	char text[600];

	(void)state;
	assert_int_equal(status(GET "\r\n"), 400);
	assert_int_equal(status(GET HOST HOST "\r\n"), 400);
	assert_int_equal(status(GET HOST "hOST: other\r\n\r\n"), 400);
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		snprintf(text, sizeof(text), GET "Host: %s\r\n\r\n", right[i]);
		if (status(text))
			fail_msg("Host '%s' is refused", right[i]);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), GET "Host: %s\r\n\r\n", wrong[i]);
		if (status(text) != 400)
			fail_msg("Host '%s' is taken", wrong[i]);
	}
	for (int n = HTTP_HOST_MOST; n <= HTTP_HOST_MOST + 1; n++) {
		snprintf(text, sizeof(text), GET "Host: %0*d\r\n\r\n", n, 7);
		assert_int_equal(status(text), n > HTTP_HOST_MOST ? 400 : 0);
		snprintf(text, sizeof(text), GET HOST "Origin: %0*d\r\n\r\n", n, 7);
		assert_int_equal(status(text), n > HTTP_HOST_MOST ? 400 : 0);
	}
}

/* Case 9 */
static void
bodies(void **state)
{
	static const char two[] = "GET / HTTP/1.0\r\n" HOST "\r\nGET / HTTP/1.1\r\n" HOST "\r\n";
	struct http_head head;

	(void)state;
	assert_int_equal(status(GET HOST "Content-Length: 5\r\n\r\nhello"), 400);
	assert_int_equal(status(GET HOST "content-length: 0\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "Transfer-Encoding: chunked\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "TRANSFER-ENCODING:\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "Expect: 100-continue\r\n\r\n"), 400);
	assert_int_equal(parse(two, sizeof(two) - 1, &head), 400);
	assert_int_equal(head.scanned, strlen("GET / HTTP/1.0\r\n"));
}

/* Case 11 */
static void
bad_lines(void **state)
{
	static const char nul[] = GET HOST "A: b\0c\r\n\r\n";
	static const char nul_name[] = GET HOST "A\0: b\r\n\r\n";
	char text[128];

	(void)state;
	assert_int_equal(parse(nul, sizeof(nul) - 1, NULL), 400);
	assert_int_equal(parse(nul_name, sizeof(nul_name) - 1, NULL), 400);
	assert_int_equal(status("GET / HTTP/1.1\n" HOST "\r\n"), 400);
	assert_int_equal(status(GET "Host: a\n\r\n"), 400);
	assert_int_equal(status(GET HOST "\n"), 400);
	assert_int_equal(status(GET HOST "A: b\rc\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "A: b\r\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "A : b\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "A\t: b\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "A: b\r\n c\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "A: b\r\n\tc: d\r\n\r\n"), 400);
	assert_int_equal(status(GET " A: b\r\n" HOST "\r\n"), 400);
	assert_int_equal(status(GET HOST ": b\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "Ab\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "A(b: c\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "\xc3\xa9: c\r\n\r\n"), 400);
	assert_int_equal(status(GET HOST "A:\r\n\r\n"), 0);
	for (int c = 1; c < 256; c++) {
		bool ok = c >= 0x20 && c != 0x7f;

		if (c == '\r' || c == '\n')
			continue;
		snprintf(text, sizeof(text), GET HOST "X-Other: a%cb\r\n\r\n", c);
		assert_int_equal(status(text), ok || c == '\t' ? 0 : 400);
		snprintf(text, sizeof(text), GET HOST "Authorization: a%cb\r\n\r\n", c);
		assert_int_equal(status(text), (ok && c < 0x7f) || c == '\t' ? 0 : 400);
	}
}

/* A request of exactly @size bytes. */
static void
make(char *text, size_t size)
{
	static const char head[] = GET HOST "X: ";

	memcpy(text, head, sizeof(head) - 1);
	memset(text + sizeof(head) - 1, 'x', size - sizeof(head) + 1);
	memcpy(text + size - 4, "\r\n\r\n", 4);
}

/* Case 12 */
static void
caps(void **state)
{
	static char text[1 << 20];
	size_t at = strlen(GET HOST);

	(void)state;
	make(text, HTTP_HEAD_MOST);
	assert_int_equal(parse(text, HTTP_HEAD_MOST, NULL), 0);
	make(text, HTTP_HEAD_MOST + 1);
	assert_int_equal(parse(text, HTTP_HEAD_MOST + 1, NULL), 431);
	make(text, sizeof(text));
	assert_int_equal(parse(text, sizeof(text), NULL), 431);
	memset(text, 'G', sizeof(text));
	assert_int_equal(parse(text, sizeof(text), NULL), 431);
	for (int lines = 1; lines <= 10000; lines++, at += 4) {
		memcpy(text, GET HOST, strlen(GET HOST));
		memcpy(text + at, "A:\r\n\r\n", 6);
		if (lines < HTTP_FIELDS_MOST + 8)
			assert_int_equal(parse(text, at + 6, NULL),
					 lines < HTTP_FIELDS_MOST ? 0 : 431);
	}
	assert_int_equal(parse(text, at, NULL), 431);
}

/* Case 12: byte by byte, the time grows with the bytes and not with their square. */
static void
linear(void **state)
{
	static char text[HTTP_HEAD_MOST];
	struct timespec from;
	struct timespec to;

	(void)state;
	make(text, sizeof(text));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (int round = 0; round < 50; round++) {
		struct http_head head = {0};

		for (size_t n = 0; n < sizeof(text); n++)
			assert_int_equal(http_parse(&head, text, n), HTTP_MORE);
		assert_int_equal(http_parse(&head, text, sizeof(text)), HTTP_DONE);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	/* 410,000 steps; a parser that began anew each time would take 1.7e9. */
	assert_true(to.tv_sec - from.tv_sec < 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_request),
		cmocka_unit_test(other_methods),
		cmocka_unit_test(odd_request_lines),
		cmocka_unit_test(origins),
		cmocka_unit_test(hosts),
		cmocka_unit_test(bodies),
		cmocka_unit_test(bad_lines),
		cmocka_unit_test(caps),
		cmocka_unit_test(linear),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
