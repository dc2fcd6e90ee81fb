/* SPDX-License-Identifier: ISC */
/* A whole raw session against a double of the broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/play.h"

#define MIB (1U << 20)

static void
test_auth_fields(void **state)
{
	struct play p;
	struct ipc_auth auth;

	(void)state;
	play_begin(&p, true);
	play_upgrade(&p, "/raw/db.example/5432?token=abc",
		     "Origin: HTTPS://App.Example\r\nSec-WebSocket-Protocol: binary\r\n", &auth);
	assert_int_equal(auth.dialect, DIALECT_RAW);
	assert_string_equal(auth.host, "gw.example");
	assert_string_equal(auth.origin, "https://app.example");
	assert_string_equal(auth.token, "abc");
	assert_int_equal(auth.has_origin, 1);
	assert_int_equal(auth.has_token, 1);
	play_refused(&p, 0, REASON_ORIGIN);
	play_expect_close(&p, 4003, "origin-not-allowed: this page's");
	play_frame(&p, 0x88, "\x0f\xa3", 2);
	play_expect_eof(&p);
	play_expect_counts(&p, 4003, 0);
	play_end(&p, WORKER_REFUSED);
}

static void
test_bytes_both_ways(void **state)
{
	struct play p;
	char text[16];
	int peer = play_raw(&p, "/raw/db.example/5432");

	(void)state;
	play_frame(&p, 0x82, "hello", 5);
	assert_int_equal(play_read(peer, text, 5), 5);
	assert_memory_equal(text, "hello", 5);
	play_write(peer, "world!", 6);
	assert_string_equal((const char *)play_next(&p)->bytes, "world!");
	/* the destination ends: what it said before is delivered, then 1000 */
	play_write(peer, "bye", 3);
	shutdown(peer, SHUT_WR);
	assert_string_equal((const char *)play_next(&p)->bytes, "bye");
	play_expect_close(&p, 1000, "");
	play_frame(&p, 0x88, "\x03\xe8", 2);
	play_expect_eof(&p);
	assert_int_equal(play_read(peer, text, 1), 0);
	close(peer);
	play_expect_end(&p, 5, 9);
	play_expect_counts(&p, 1000, 0);
	play_end(&p, WORKER_DONE);
}

static void
test_half_close_by_client(void **state)
{
	struct play p;
	char text[16];
	int peer = play_raw(&p, "/raw/db.example/5432");

	(void)state;
	play_frame(&p, 0x82, "question", 8);
	play_frame(&p, 0x82, "", 0);
	assert_int_equal(play_read(peer, text, sizeof(text)), 8);
	usleep(50000);
	play_write(peer, "answer", 6);
	close(peer);
	assert_string_equal((const char *)play_next(&p)->bytes, "answer");
	play_expect_close(&p, 1000, "");
	play_frame(&p, 0x88, "\x03\xe8", 2);
	play_expect_end(&p, 8, 6);
	play_end(&p, WORKER_DONE);
}

static void
test_half_close_by_peer(void **state)
{
	struct play p;
	char text[16];
	int peer = play_raw(&p, "/raw/db.example/5432?eof=message");

	(void)state;
	play_write(peer, "first", 5);
	shutdown(peer, SHUT_WR);
	assert_string_equal((const char *)play_next(&p)->bytes, "first");
	assert_int_equal(play_next(&p)->n, 0);
	play_frame(&p, 0x82, "still going", 11);
	assert_int_equal(play_read(peer, text, 11), 11);
	play_frame(&p, 0x82, "", 0);
	play_expect_close(&p, 1000, "");
	assert_int_equal(play_read(peer, text, 1), 0);
	play_frame(&p, 0x88, "\x03\xe8", 2);
	play_expect_end(&p, 11, 5);
	play_end(&p, WORKER_DONE);
	close(peer);
}

static void
test_refusals(void **state)
{
	static const struct {
		uint32_t reason;
		unsigned int code;
		const char *text;
	} cases[] = {
		{REASON_UNAVAILABLE, 4004, "unavailable: the destination is not available"},
		{REASON_NO_RULE, 4003, "no-rule: "},
		{REASON_TIMEOUT, 4008, "timeout: "},
		{REASON_CONNECTS_LIMIT, 4009, "connects-limit: "},
		{REASON_RESOURCES, 1011, "resources: "},
		{12345, 1011, "unknown"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ipc_buffer buffer;
		struct play p;

		play_begin(&p, true);
		play_upgrade(&p, "/raw/db.example/5432", "", NULL);
		play_grant(&p, 1, MIB);
		play_take(&p, MSG_OPEN, &buffer);
		play_refused(&p, buffer.any.OPEN_body.tag, cases[i].reason);
		play_expect_close(&p, cases[i].code, cases[i].text);
		play_frame(&p, 0x88, "\x03\xe8", 2);
		play_end(&p, WORKER_DONE);
	}
}

/* A malformed name is asked for all the same: the broker refuses it, on record. */
static void
test_bad_names(void **state)
{
	static const char *const cases[][2] = {
		{"/raw/0x7f.1/80", "0x7f.1"},
		{"/raw/127.1/80", "127.1"},
		{"/raw/A%20b/80", "A b"},
		{"/raw/a%ff/80", "a\xff"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct play p;

		play_begin(&p, true);
		play_upgrade(&p, cases[i][0], "", NULL);
		play_grant(&p, 1, MIB);
		play_refused(&p, play_take_open(&p, cases[i][1], 80), REASON_NAME_INVALID);
		play_expect_close(&p, 4003, "name-invalid: ");
		play_frame(&p, 0x88, "\x0f\xa3", 2);
		play_expect_eof(&p);
		play_expect_counts(&p, 4003, 0);
		play_end(&p, WORKER_DONE);
	}
}

static void
test_long_names(void **state)
{
	char target[2100] = "/raw/";
	char asked[256];
	struct play p;

	(void)state;
	memset(target + 5, 'a', 1023);
	strcpy(target + 5 + 1023, "/80");
	memset(asked, 'a', 251);
	strcpy(asked + 251, " ...");
	play_begin(&p, true);
	play_upgrade(&p, target, "", NULL);
	play_grant(&p, 1, MIB);
	play_refused(&p, play_take_open(&p, asked, 80), REASON_UNAVAILABLE);
	play_expect_close(&p, 4004, "unavailable: ");
	play_end(&p, WORKER_DONE);
	/* of one that is longer than a target holds, nothing is left */
	memset(target + 5, 'a', 2000);
	strcpy(target + 5 + 2000, "/80");
	play_begin(&p, true);
	play_upgrade(&p, target, "", NULL);
	play_grant(&p, 1, MIB);
	play_refused(&p, play_take_open(&p, " ...", 80), REASON_NAME_INVALID);
	play_expect_close(&p, 4003, "name-invalid: ");
	play_end(&p, WORKER_DONE);
}

/* No message can ask for such a port. */
static void
test_bad_ports(void **state)
{
	static const char *const targets[] = {"/raw/good.example/0", "/raw/good.example/65536",
					      "/raw/good.example/080", "/raw/127.1/x",
					      "/raw/good.example/%34%34%33"};

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct play p;

		play_begin(&p, true);
		play_upgrade(&p, targets[i], "", NULL);
		play_grant(&p, 1, MIB);
		play_expect_close(&p, 4003, "name-invalid: ");
		play_frame(&p, 0x88, "\x0f\xa3", 2);
		play_expect_eof(&p);
		play_expect_counts(&p, 4003, 0);
		play_end(&p, WORKER_DONE);
	}
}

static void
test_violations(void **state)
{
	struct play p;
	int peer = play_raw(&p, "/raw/db.example/5432");

	(void)state;
	play_text(&p, "text");
	play_expect_close(&p, 1003, "raw takes binary");
	close(peer);
	play_end(&p, WORKER_DIALECT_VIOLATION);

	peer = play_raw(&p, "/raw/db.example/5432");
	play_frame(&p, 0x82, "", 0);
	play_frame(&p, 0x82, "x", 1);
	play_expect_close(&p, 1008, "data after the end");
	close(peer);
	play_end(&p, WORKER_DIALECT_VIOLATION);

	peer = play_raw(&p, "/raw/db.example/5432");
	play_send(&p, "\x82\x01x", 3); /* not masked */
	play_expect_close(&p, 1002, "");
	close(peer);
	play_end(&p, WORKER_WS_VIOLATION);

	peer = play_raw(&p, "/raw/db.example/5432");
	play_send(&p, "\x82\xff\x00\x00\x00\x00\x00\x10\x00\x01", 10); /* 1 MiB and 1 */
	play_expect_close(&p, 1009, "");
	close(peer);
	play_end(&p, WORKER_WS_VIOLATION);
}

static void
test_client_lost_is_flushed(void **state)
{
	struct play p;
	char text[16];
	int peer = play_raw(&p, "/raw/db.example/5432");

	(void)state;
	play_frame(&p, 0x82, "last words", 10);
	close(p.client);
	p.client = -1;
	assert_int_equal(play_read(peer, text, sizeof(text)), 10);
	close(peer);
	play_expect_end(&p, 10, 0);
	play_end(&p, WORKER_CLIENT_LOST);
}

/* All of it is there before the broker has answered anything. */
static void
test_everything_at_once(void **state)
{
	struct ipc_buffer buffer;
	struct play p;
	char text[32];
	int peer;

	(void)state;
	play_begin(&p, true);
	play_upgrade(&p, "/raw/db.example/5432", "", NULL);
	play_frame(&p, 0x82, "the last words", 14);
	play_frame(&p, 0x88, "\x03\xe8", 2);
	play_grant(&p, 8, MIB);
	play_take(&p, MSG_OPEN, &buffer);
	play_expect_close(&p, 1000, "");
	play_expect_eof(&p);
	usleep(50000);
	peer = play_opened(&p, buffer.any.OPEN_body.tag, 77);
	assert_int_equal(play_read(peer, text, sizeof(text)), 14);
	assert_memory_equal(text, "the last words", 14);
	close(peer);
	play_expect_end(&p, 14, 0);
	play_expect_counts(&p, 1000, 0);
	play_end(&p, WORKER_DONE);
}

static void
test_client_closes(void **state)
{
	struct play p;
	char text[16];
	int peer = play_raw(&p, "/raw/db.example/5432");

	(void)state;
	play_frame(&p, 0x82, "x", 1);
	play_frame(&p, 0x88, "\x0f\xa0why not", 9);
	play_expect_close(&p, 4000, "");
	play_expect_eof(&p);
	assert_int_equal(play_read(peer, text, sizeof(text)), 1);
	close(peer);
	play_expect_end(&p, 1, 0);
	play_expect_counts(&p, 4000, 0);
	play_end(&p, WORKER_DONE);
}

static void
test_cut(void **state)
{
	struct ipc_cut cut = {{MSG_CUT}, 77, REASON_LIFETIME};
	struct play p;
	int peer = play_raw(&p, "/raw/db.example/5432");

	(void)state;
	play_write(peer, "delivered", 9);
	shutdown(peer, SHUT_RDWR); /* as the broker does it, seen from the other end */
	play_post(&p, &cut, sizeof(cut), 0);
	assert_string_equal((const char *)play_next(&p)->bytes, "delivered");
	play_expect_close(&p, 4008, "lifetime: ");
	play_frame(&p, 0x88, "\x0f\xa8", 2);
	play_expect_end(&p, 0, 9);
	play_end(&p, WORKER_DONE);
	close(peer);
}

static void
test_broker_lost(void **state)
{
	struct play p;
	char byte;
	int peer = play_raw(&p, "/raw/db.example/5432");

	(void)state;
	close(p.broker);
	p.broker = -1;
	play_expect_close(&p, 1011, "broker-lost");
	assert_int_equal(play_read(peer, &byte, 1), 0);
	play_end(&p, WORKER_BROKER_LOST);
	close(peer);
}

static void
test_drain(void **state)
{
	struct ipc_drain drain = {{MSG_DRAIN}, REASON_DRAINING, 5000, 0};
	struct play p;
	int peer = play_raw(&p, "/raw/db.example/5432");

	(void)state;
	play_post(&p, &drain, sizeof(drain), 0);
	play_expect_close(&p, 1001, "draining: ");
	play_frame(&p, 0x88, "\x03\xe9", 2);
	close(peer);
	play_expect_end(&p, 0, 0);
	play_end(&p, WORKER_DRAINED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auth_fields),
		cmocka_unit_test(test_bytes_both_ways),
		cmocka_unit_test(test_half_close_by_client),
		cmocka_unit_test(test_half_close_by_peer),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_bad_ports),
		cmocka_unit_test(test_violations),
		cmocka_unit_test(test_client_lost_is_flushed),
		cmocka_unit_test(test_everything_at_once),
		cmocka_unit_test(test_client_closes),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_broker_lost),
		cmocka_unit_test(test_drain),
	};

	return cmocka_run_group_tests_name("session_raw", tests, NULL, NULL);
}
