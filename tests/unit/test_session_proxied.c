/* SPDX-License-Identifier: ISC */
/* A session whose client is a listed proxy: its header, then HTTP as ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/play.h"

#define LINE   "PROXY TCP4 203.0.113.9 192.0.2.1 40001 443\r\n"
#define LOCAL  "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
#define HEALTH "GET /health HTTP/1.1\r\nHost: h\r\n\r\n"

static const struct ipc_addr told = {4, 0, 40001, {203, 0, 113, 9}};
static const struct ipc_addr nobody;

static void
begin(struct play *p)
{
	const struct ipc_client client = {.head = {MSG_CLIENT}, .proxy = 1};

	play_begin(p, false);
	play_post(p, &client, sizeof(client), 1);
	close(p->given);
	p->given = -1;
}

static void
expect_told(struct play *p, const struct ipc_addr *whom)
{
	struct ipc_buffer buffer;

	play_take(p, MSG_COUNTS, &buffer);
	assert_memory_equal(&buffer.any.COUNTS_body.told, whom, sizeof(*whom));
}

static void
test_auth_and_counts(void **state)
{
	struct ipc_auth auth;
	struct play p;

	(void)state;
	begin(&p);
	play_send(&p, LINE, sizeof(LINE) - 1);
	play_upgrade(&p, "/netproxy", "", &auth);
	assert_memory_equal(&auth.told, &told, sizeof(told));
	play_grant(&p, 1, 1000);
	play_frame(&p, 0x88, "\x03\xe8", 2);
	play_expect_close(&p, 1000, "");
	play_expect_eof(&p);
	expect_told(&p, &told);
	play_end(&p, WORKER_DONE);
}

static void
test_nobody_is_told(void **state)
{
	struct ipc_auth auth;
	struct play p;

	(void)state;
	begin(&p);
	play_send(&p, LOCAL, sizeof(LOCAL) - 1);
	play_upgrade(&p, "/netproxy", "", &auth);
	assert_memory_equal(&auth.told, &nobody, sizeof(nobody));
	play_lost(&p);
}

/* All that a client sends behind its proxy's header is the client's, wherever it is cut. */
static void
test_every_cut(void **state)
{
	static const char all[] = LINE HEALTH;
	static const char ok[] = "HTTP/1.1 200 OK\r\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof(all) - 1; cut++) {
		char text[sizeof(ok)] = "";
		struct play p;

		begin(&p);
		if (cut) {
			play_send(&p, all, cut);
			usleep(2000); /* else it would not be cut; the outcome is the same */
		}
		play_send(&p, all + cut, sizeof(all) - 1 - cut);
		assert_int_equal(play_read(p.client, text, sizeof(ok) - 1), sizeof(ok) - 1);
		assert_string_equal(text, ok);
		close(p.client);
		p.client = -1;
		expect_told(&p, &told);
		play_end(&p, WORKER_NOT_UPGRADED);
	}
}

/* The longest head behind the longest header; and one byte more than a head may have. */
static void
test_longest(void **state)
{
	static char bytes[536 + 8192 + 1] = "\r\n\r\n\0\r\nQUIT\n\x21\0\2\x08";
	static const char start[] = "GET /health HTTP/1.1\r\nHost: h\r\nX: ";

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		char *head = bytes + 536;
		size_t n = 8192 + over;
		char text[13] = "";
		struct play p;

		memset(head, 'x', n);
		memcpy(head, start, sizeof(start) - 1);
		memcpy(head + n - 4, "\r\n\r\n", 4);
		begin(&p);
		play_send(&p, bytes, 536 + n);
		assert_int_equal(play_read(p.client, text, 12), 12);
		assert_string_equal(text, over ? "HTTP/1.1 431" : "HTTP/1.1 200");
		close(p.client);
		p.client = -1;
		play_end(&p, over ? WORKER_HTTP_REFUSED : WORKER_NOT_UPGRADED);
	}
}

/* Not a byte of an answer; what the header would have been is not on record. */
static void
test_refused(void **state)
{
	static const char *const wrong[] = {
		HEALTH, "PROXY TCP4 203.0.113.9 192.0.2.1 40001 443\n" HEALTH,
		"PROXY TCP4 203.0.113.9 192.0.2.1 40001 99999\r\n" HEALTH, "\r\n" HEALTH};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct ipc_buffer buffer;
		struct play p;
		char byte;

		begin(&p);
		play_send(&p, wrong[i], strlen(wrong[i]));
		assert_int_equal(play_read(p.client, &byte, 1), 0);
		play_take(&p, MSG_COUNTS, &buffer);
		assert_memory_equal(&buffer.any.COUNTS_body.told, &nobody, sizeof(nobody));
		assert_int_equal(buffer.any.COUNTS_body.claimed_http, 0);
		play_end(&p, WORKER_PROXY_VIOLATION);
	}
}

/* Only the first header is the proxy's; and nobody else may have one. */
static void
test_a_header_of_the_clients(void **state)
{
	char text[13] = "";
	struct play p;

	(void)state;
	begin(&p);
	play_send(&p, LINE LINE HEALTH, 2 * (sizeof(LINE) - 1) + sizeof(HEALTH) - 1);
	assert_int_equal(play_read(p.client, text, 12), 12);
	assert_string_equal(text, "HTTP/1.1 400");
	close(p.client);
	p.client = -1;
	expect_told(&p, &told);
	play_end(&p, WORKER_HTTP_REFUSED);

	play_begin(&p, true);
	play_send(&p, LINE HEALTH, sizeof(LINE HEALTH) - 1);
	assert_int_equal(play_read(p.client, text, 12), 12);
	assert_string_equal(text, "HTTP/1.1 400");
	close(p.client);
	p.client = -1;
	expect_told(&p, &nobody);
	play_end(&p, WORKER_HTTP_REFUSED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auth_and_counts),
		cmocka_unit_test(test_nobody_is_told),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_a_header_of_the_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
