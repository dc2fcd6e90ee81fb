/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/accept.h"
#include "worker/token.h"

struct request {
	char text[HTTP_HEAD_MOST + 1];
	struct http_head head;
};

/* @query, @authorization, @protocols: NULL for none. */
static void
make(struct request *request, const char *query, const char *authorization, const char *protocols)
{
	size_t length = (size_t)snprintf(
		request->text, sizeof(request->text),
		"GET /raw/h/1%s%s HTTP/1.1\r\nHost: gw\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s%s%s%s%s\r\n",
		query ? "?" : "", query ? query : "", authorization ? "Authorization: " : "",
		authorization ? authorization : "", authorization ? "\r\n" : "",
		protocols ? "Sec-WebSocket-Protocol: " : "", protocols ? protocols : "",
		protocols ? "\r\n" : "");

	memset(&request->head, 0, sizeof(request->head));
	assert_int_equal(http_parse(&request->head, request->text, length), HTTP_DONE);
	assert_int_equal(http_upgrade(&request->head, request->text), HTTP_WEBSOCKET);
}

/* The token that is found; "-" for none, "!" for a malformed one. */
static const char *
token(enum dialect dialect, const char *query, const char *authorization, const char *protocols)
{
	static char out[IPC_TOKEN];
	struct request request;

	make(&request, query, authorization, protocols);
	memset(out, '#', sizeof(out));
	switch (token_find(&request.head, request.text, dialect, out)) {
	case TOKEN_ABSENT:
		assert_int_equal(out[0], '#');
		return "-";
	case TOKEN_MALFORMED:
		assert_int_equal(out[0], '#');
		return "!";
	case TOKEN_FOUND:
		for (size_t i = strlen(out); i < sizeof(out); i++)
			assert_int_equal(out[i], 0);
		return out;
	}
	return "?";
}

/* "P" is "UA" in base64url */
static void
order(void **state)
{
	(void)state;
	assert_string_equal(token(DIALECT_RAW, "token=Q", "Bearer A", "auth.UA, binary"), "P");
	assert_string_equal(token(DIALECT_RAW, "token=Q", "Bearer A", "binary"), "Q");
	assert_string_equal(token(DIALECT_RAW, "x=Q", "Bearer A", NULL), "A");
	assert_string_equal(token(DIALECT_RAW, NULL, NULL, NULL), "-");
	assert_string_equal(token(DIALECT_NETPROXY, "token=Q", "Bearer A", "auth.UA, x"), "Q");
	assert_string_equal(token(DIALECT_NETPROXY, "x", "Bearer A", "auth.UA, x"), "A");
	assert_string_equal(token(DIALECT_NETPROXY, NULL, "Basic QTpC", "auth.UA, x"), "P");
	assert_string_equal(token(DIALECT_NETPROXY, "token=", "Bearer", "auth."), "-");
	assert_string_equal(token(DIALECT_NETPROXY, "token=Q%00", "Bearer A", NULL), "!");
	assert_string_equal(token(DIALECT_RAW, "token=Q", NULL, "auth.U, binary"), "!");
}

static void
subprotocol_entries(void **state)
{
	(void)state;
	assert_string_equal(token(DIALECT_RAW, NULL, NULL, "auth.c2Vj-_8"), "sec\xfb\xff");
	assert_string_equal(token(DIALECT_RAW, NULL, NULL, "Auth.UA"), "-");
	assert_string_equal(token(DIALECT_RAW, NULL, NULL, "auth"), "-");
	assert_string_equal(token(DIALECT_RAW, NULL, NULL, "auth.UB"), "!");
	assert_string_equal(token(DIALECT_RAW, NULL, NULL, "auth.AAAA"), "!");
	assert_string_equal(token(DIALECT_RAW, NULL, NULL, "auth.DQo"), "!");
	assert_string_equal(token(DIALECT_RAW, NULL, NULL, "auth.c2Vj+"), "!");
	assert_string_equal(token(DIALECT_RAW, NULL, NULL, "auth.UA, auth.QQ"), "!");
}

static void
authorization(void **state)
{
	(void)state;
	assert_string_equal(token(DIALECT_RAW, NULL, "bearer   aB-._~+/1==", NULL), "aB-._~+/1==");
	assert_string_equal(token(DIALECT_RAW, NULL, "Bearerx", NULL), "-");
	assert_string_equal(token(DIALECT_RAW, NULL, "Bear x", NULL), "-");
	assert_string_equal(token(DIALECT_RAW, NULL, "", NULL), "-");
	assert_string_equal(token(DIALECT_RAW, NULL, "Bearer a b", NULL), "!");
	assert_string_equal(token(DIALECT_RAW, NULL, "Bearer a,b", NULL), "!");
	assert_string_equal(token(DIALECT_RAW, NULL, "Bearer =", NULL), "!");
	assert_string_equal(token(DIALECT_RAW, NULL, "Bearer a=b", NULL), "!");
	assert_string_equal(token(DIALECT_RAW, NULL, "Bearer \"a\"", NULL), "!");
}

static void
longest(void **state)
{
	static char text[8000];

	(void)state;
	memset(text, 'A', sizeof(text));
	memcpy(text, "Bearer ", 7);
	text[7 + IPC_TOKEN - 1] = '\0';
	assert_int_equal(strlen(token(DIALECT_RAW, NULL, text, NULL)), IPC_TOKEN - 1);
	text[7 + IPC_TOKEN - 1] = 'A';
	text[7 + IPC_TOKEN] = '\0';
	assert_string_equal(token(DIALECT_RAW, NULL, text, NULL), "!");
	memset(text, 'A', sizeof(text));
	memcpy(text, "token=", 6);
	text[6 + IPC_TOKEN] = '\0';
	assert_string_equal(token(DIALECT_RAW, text, NULL, NULL), "!");
	/* 'QUFB' is "AAA": 4095 bytes fit, 4098 do not. */
	memcpy(text, "auth.", 5);
	for (size_t i = 0; i < 1366; i++)
		memcpy(text + 5 + 4 * i, "QUFB", 4);
	text[5 + 4 * 1365] = '\0';
	assert_int_equal(strlen(token(DIALECT_RAW, NULL, NULL, text)), IPC_TOKEN - 1);
	text[5 + 4 * 1365] = 'Q';
	text[5 + 4 * 1366] = '\0';
	assert_string_equal(token(DIALECT_RAW, NULL, NULL, text), "!");
}

static const char *
answer(enum dialect dialect, const char *protocols)
{
	static char out[ACCEPT_PROTOCOL_MOST + 1];
	struct request request;
	struct http_span span;

	make(&request, NULL, NULL, protocols);
	if (!token_protocol(&request.head, request.text, dialect != DIALECT_RAW, &span))
		return "-";
	memset(out, 0, sizeof(out));
	memcpy(out, request.text + span.at, span.length);
	return out;
}

static void
answers(void **state)
{
	char text[ACCEPT_PROTOCOL_MOST + 8];

	(void)state;
	assert_string_equal(answer(DIALECT_RAW, NULL), "-");
	assert_string_equal(answer(DIALECT_RAW, "binary"), "binary");
	assert_string_equal(answer(DIALECT_RAW, "base64, binary"), "binary");
	assert_string_equal(answer(DIALECT_RAW, "base64"), "-");
	assert_string_equal(answer(DIALECT_RAW, "auth.UA, sockward"), "sockward");
	assert_string_equal(answer(DIALECT_RAW, "sockward, auth.UA, binary"), "binary");
	assert_string_equal(answer(DIALECT_RAW, "auth.UA"), "-");
	assert_string_equal(answer(DIALECT_RAW, "Binary"), "-");
	assert_string_equal(answer(DIALECT_NETPROXY, NULL), "-");
	assert_string_equal(answer(DIALECT_NETPROXY, "auth.UA"), "-");
	assert_string_equal(answer(DIALECT_NETPROXY, "auth.UA, x, y"), "x");
	memset(text, 'x', sizeof(text));
	text[ACCEPT_PROTOCOL_MOST] = '\0';
	assert_string_equal(answer(DIALECT_NETPROXY, text), text);
	memcpy(text + ACCEPT_PROTOCOL_MOST, "x, y", 5);
	assert_string_equal(answer(DIALECT_NETPROXY, text), "y");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),         cmocka_unit_test(subprotocol_entries),
		cmocka_unit_test(authorization), cmocka_unit_test(longest),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
