/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/accept.h"

static const char KEY[] = "dGhlIHNhbXBsZSBub25jZQ==";

/* RFC 6455, 1.3 */
static void
value(void **state)
{
	char out[ACCEPT_VALUE_LENGTH + 1];

	(void)state;
	accept_value(KEY, out);
	assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void
upgrade(void **state)
{
	static const char plain[] = "HTTP/1.1 101 Switching Protocols\r\n"
				    "Upgrade: websocket\r\n"
				    "Connection: Upgrade\r\n"
				    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
				    "\r\n";
	static const char binary[] = "xOo=\r\nSec-WebSocket-Protocol: binary\r\n\r\n";
	char out[ACCEPT_SIZE];
	char longest[ACCEPT_PROTOCOL_MOST];
	size_t length = accept_upgrade(KEY, NULL, 0, out);

	(void)state;
	assert_int_equal(length, sizeof(plain) - 1);
	assert_memory_equal(out, plain, length);
	length = accept_upgrade(KEY, "binary, not this", 6, out);
	assert_memory_equal(out + length - strlen(binary), binary, strlen(binary));
	memset(longest, 'x', sizeof(longest));
	length = accept_upgrade(KEY, longest, sizeof(longest), out);
	assert_true(length <= sizeof(out));
	assert_memory_equal(out + length - 5, "x\r\n\r\n", 5);
}

/* Checks what every answer but the 101 must have; returns its body's place. */
static const char *
check(const char *text, size_t length)
{
	const char *end = memmem(text, length, "\r\n\r\n", 4);
	const char *size = memmem(text, length, "Content-Length: ", 16);

	assert_int_equal(strlen(text), length);
	assert_memory_equal(text, "HTTP/1.1 ", 9);
	assert_non_null(memmem(text, length, "\r\nConnection: close", 19));
	assert_non_null(end);
	if (size)
		assert_int_equal(strtoul(size + 16, NULL, 10), strlen(end + 4));
	else
		assert_int_equal(strlen(end + 4), 0);
	return end + 4;
}

static void
refusals(void **state)
{
	static const unsigned int all[] = {400, 404, 405, 426, 431, 503};
	size_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *text = accept_refusal(all[i], &length);

		assert_true(strlen(check(text, length)) > 0);
		assert_int_equal(strtoul(text + 9, NULL, 10), all[i]);
		assert_int_equal(strstr(text, "\r\nAllow: GET, OPTIONS\r\n") != NULL,
				 all[i] == 405);
		assert_int_equal(strstr(text, "\r\nSec-WebSocket-Version: 13\r\n") != NULL,
				 all[i] == 426);
		assert_int_equal(strstr(text, "\r\nUpgrade: websocket\r\n") != NULL, all[i] == 426);
	}
}

static void
other_answers(void **state)
{
	size_t length;
	const char *text = accept_health(&length);

	(void)state;
	assert_string_equal(check(text, length), "ok");
	assert_memory_equal(text, "HTTP/1.1 200 ", 13);
	text = accept_preflight(&length);
	(void)check(text, length);
	assert_memory_equal(text, "HTTP/1.1 204 ", 13);
	assert_non_null(strstr(text, "\r\nAccess-Control-Allow-Origin: *\r\n"));
	assert_non_null(strstr(text, "\r\nAccess-Control-Allow-Methods: GET, OPTIONS\r\n"));
	assert_non_null(strstr(text, "\r\nAccess-Control-Allow-Headers: Authorization\r\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(value),
		cmocka_unit_test(upgrade),
		cmocka_unit_test(refusals),
		cmocka_unit_test(other_answers),
	};

	return cmocka_run_group_tests_name("accept", tests, NULL, NULL);
}
