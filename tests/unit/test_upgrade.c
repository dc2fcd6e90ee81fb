/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/http.h"

#define HOST    "Host: gw.example\r\n"
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define GET     "GET /raw/h/1 HTTP/1.1\r\n"

static enum http_kind
kind(const char *text)
{
	struct http_head head = {0};

	assert_int_equal(http_parse(&head, text, strlen(text)), HTTP_DONE);
	return http_upgrade(&head, text);
}

static void
preflight(void **state)
{
	(void)state;
	assert_int_equal(kind("OPTIONS /netproxy HTTP/1.1\r\n" HOST "\r\n"), HTTP_PLAIN);
	assert_int_equal(kind("OPTIONS / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "\r\n"),
			 HTTP_BAD_UPGRADE);
}

/* Case 3 */
static void
versions(void **state)
{
	(void)state;
	assert_int_equal(kind(GET HOST UPGRADE KEY "\r\n"), HTTP_OTHER_VERSION);
	assert_int_equal(kind(GET HOST UPGRADE KEY VERSION VERSION "\r\n"), HTTP_OTHER_VERSION);
	assert_int_equal(kind(GET HOST UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n"),
			 HTTP_OTHER_VERSION);
	assert_int_equal(kind(GET HOST UPGRADE KEY "Sec-WebSocket-Version: 0\r\n\r\n"),
			 HTTP_OTHER_VERSION);
	assert_int_equal(kind(GET HOST UPGRADE KEY "Sec-WebSocket-Version: 013\r\n\r\n"),
			 HTTP_OTHER_VERSION);
	assert_int_equal(kind(GET HOST UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n\r\n"),
			 HTTP_OTHER_VERSION);
	assert_int_equal(kind(GET HOST UPGRADE KEY "Sec-WebSocket-Version:\r\n\r\n"),
			 HTTP_OTHER_VERSION);
}

/* Case 4 */
static void
upgrade_and_connection(void **state)
{
	(void)state;
	assert_int_equal(kind(GET HOST "\r\n"), HTTP_PLAIN);
	assert_int_equal(kind(GET HOST "Connection: keep-alive\r\n\r\n"), HTTP_PLAIN);
	assert_int_equal(kind(GET HOST "Upgrade: websocket\r\n" KEY VERSION "\r\n"),
			 HTTP_BAD_UPGRADE);
	assert_int_equal(kind(GET HOST "Connection: Upgrade\r\n" KEY VERSION "\r\n"),
			 HTTP_BAD_UPGRADE);
	assert_int_equal(kind(GET HOST "Connection: Upgrade\r\n\r\n"), HTTP_BAD_UPGRADE);
	assert_int_equal(kind(GET HOST KEY "\r\n"), HTTP_BAD_UPGRADE);
	assert_int_equal(kind(GET HOST VERSION "\r\n"), HTTP_BAD_UPGRADE);
#define WITH(upgrade, connection) \
	kind(GET HOST "Upgrade: " upgrade "\r\nConnection: " connection "\r\n" KEY VERSION "\r\n")
	assert_int_equal(WITH("websocket2", "Upgrade"), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH("websocket/13", "Upgrade"), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH("web socket", "Upgrade"), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH("x=\"a, websocket ,b\"", "Upgrade"), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH("websocket", "keep-alive"), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH("websocket", "Upgraded"), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH("websocket", "close/Upgrade"), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH("", ""), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH("WebSocket", "keep-alive, UPGRADE"), HTTP_WEBSOCKET);
	assert_int_equal(WITH("h2c/2.0 ,\t, websocket", ",upgrade,,"), HTTP_WEBSOCKET);
	assert_int_equal(WITH("h2c\r\nUpgrade: websocket", "a\r\nConnection: upgrade"),
			 HTTP_WEBSOCKET);
}

/* Case 5 */
static void
keys(void **state)
{
	static const char twice[] = GET HOST UPGRADE VERSION KEY KEY "\r\n";
	struct http_head head = {0};

	(void)state;
#define WITH_KEY(key) kind(GET HOST UPGRADE VERSION "Sec-WebSocket-Key: " key "\r\n\r\n")
	assert_int_equal(WITH_KEY("dGhlIHNhbXBsZSBub25jZQ=="), HTTP_WEBSOCKET);
	assert_int_equal(kind(GET HOST UPGRADE VERSION "\r\n"), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH_KEY(""), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH_KEY("dGhlIHNhbXBsZSBub25j"), HTTP_BAD_UPGRADE);     /* 15 */
	assert_int_equal(WITH_KEY("dGhlIHNhbXBsZSBub25jZWU="), HTTP_BAD_UPGRADE); /* 17 */
	assert_int_equal(WITH_KEY("dGhlIHNhbXBsZSBub25jZR=="), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH_KEY("dGhlIHNhbXBsZSBub25jZQ"), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH_KEY("dGhl HNhbXBsZSBub25jZQ=="), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH_KEY("dGhl-HNhbXBsZSBub25jZQ=="), HTTP_BAD_UPGRADE);
	assert_int_equal(http_parse(&head, twice, sizeof(twice) - 1), HTTP_REFUSE);
	assert_int_equal(head.status, 400);
}

static void
subprotocols(void **state)
{
	char text[1024] = GET HOST UPGRADE KEY VERSION "Sec-WebSocket-Protocol: p";
	size_t used = strlen(text);

	(void)state;
#define WITH_PROTOCOL(list) \
	kind(GET HOST UPGRADE KEY VERSION "Sec-WebSocket-Protocol: " list "\r\n\r\n")
	assert_int_equal(WITH_PROTOCOL("binary, base64"), HTTP_WEBSOCKET);
	assert_int_equal(WITH_PROTOCOL("a\r\nSec-WebSocket-Protocol: b"), HTTP_WEBSOCKET);
	assert_int_equal(WITH_PROTOCOL(""), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH_PROTOCOL(","), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH_PROTOCOL("a, a"), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH_PROTOCOL("a\r\nSec-WebSocket-Protocol: a"), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH_PROTOCOL("a b"), HTTP_BAD_UPGRADE);
	assert_int_equal(WITH_PROTOCOL("\"a\""), HTTP_BAD_UPGRADE);
	for (int i = 0; i < HTTP_PROTOCOLS_MOST; i++) {
		snprintf(text + used, sizeof(text) - used, "\r\n\r\n");
		assert_int_equal(kind(text), HTTP_WEBSOCKET);
		used += (size_t)snprintf(text + used, sizeof(text) - used, ",p%d", i);
	}
	snprintf(text + used, sizeof(text) - used, "\r\n\r\n");
	assert_int_equal(kind(text), HTTP_BAD_UPGRADE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preflight),
		cmocka_unit_test(versions),
		cmocka_unit_test(upgrade_and_connection),
		cmocka_unit_test(keys),
		cmocka_unit_test(subprotocols),
	};

	return cmocka_run_group_tests_name("upgrade", tests, NULL, NULL);
}
