/* SPDX-License-Identifier: ISC */
/* A whole Wisp session against a double of the broker: handshake, packets, reasons. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/wisp_play.h"

static void
test_life_of_a_stream(void **state)
{
	struct ipc_buffer buffer;
	struct play p;
	char text[8];
	int peer;

	(void)state;
	wisp_v1(&p, 8);
	wisp_connect(&p, 0x04030201, 1, 0x1f90, "WWW.Example");
	wisp_send(&p, 2, 0x04030201, "ear", 3);
	wisp_send(&p, 2, 0x04030201, "ly", 2);
	peer = play_opened(&p, play_take_open(&p, "www.example", 8080), 1);
	assert_int_equal(play_read(peer, text, 5), 5);
	assert_memory_equal(text, "early", 5);
	play_write(peer, "world", 5);
	wisp_expect(&p, 2, 0x04030201, "world", 5);
	wisp_send(&p, 2, 0x04030201, "last", 4);
	wisp_send(&p, 4, 0x04030201, "\x81", 1);
	wisp_expect(&p, 4, 0x04030201, "\2", 1);
	assert_int_equal(play_read(peer, text, 5), 4);
	assert_memory_equal(text, "last", 4);
	/* nothing after CLOSE, and nothing for what is sent after it */
	play_write(peer, "late", 4);
	close(peer);
	play_take(&p, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.stream, 1);
	assert_int_equal(buffer.any.END_body.claimed_reason, REASON_CLIENT_CLOSED);
	wisp_send(&p, 2, 0x04030201, "late", 4);
	wisp_send(&p, 4, 0x04030201, "\2", 1);
	wisp_send(&p, 3, 0x04030201, BYTES("\0\0\0\0"));
	/* the id is free again */
	peer = wisp_open(&p, 0x04030201);
	play_write(peer, "again", 5);
	wisp_expect(&p, 2, 0x04030201, "again", 5);
	close(peer);
	wisp_expect(&p, 4, 0x04030201, "\2", 1);
	play_lost(&p);
}

static void
test_handshake_of_version_2(void **state)
{
	static const char info[] =
		"\5\0\0\0\0\2\0"
		"\1\0\0\0\0"
		"\2\1\0\0\0\0"
		"\4\x45\0\0\0"
		"sockward: at most 8 streams at a time, and 1048576 bytes in a message"
		"\5\0\0\0\0";
	struct ipc_buffer buffer;
	const struct play_frame *frame;
	struct play p;
	int peer;

	(void)state;
	play_begin(&p, true);
	play_upgrade(&p, "/wisp/", "Sec-WebSocket-Protocol: 5f0c, wisp-v2\r\n", NULL);
	play_grant(&p, 8, 1U << 20);
	frame = play_next(&p);
	assert_int_equal(frame->n, sizeof(info) - 1);
	assert_memory_equal(frame->bytes, info, sizeof(info) - 1);
	/* one extension that nobody knows, credentials, and stream open confirmation */
	wisp_send(&p, 5, 0, BYTES("\2\0\x7f\3\0\0\0xyz\2\7\0\0\0\2\2\0uspw\5\0\0\0\0"));
	wisp_expect(&p, 3, 0, BYTES("\x80\0\0\0"));
	peer = wisp_open(&p, 1);
	wisp_expect(&p, 3, 1, BYTES("\x80\0\0\0"));
	close(peer);
	wisp_expect(&p, 4, 1, "\2", 1);
	play_take(&p, MSG_END, &buffer);
	/* a second INFO means nothing */
	wisp_send(&p, 5, 0, BYTES("\2\0"));
	peer = wisp_open(&p, 2);
	wisp_expect(&p, 3, 2, BYTES("\x80\0\0\0"));
	close(peer);
	play_lost(&p);
}

/* What was sent before the stream opened is taken off what is confirmed. */
static void
test_confirmation_after_data(void **state)
{
	struct play p;
	char text[28];
	int peer;

	(void)state;
	wisp_v2(&p);
	wisp_send(&p, 5, 0, BYTES("\2\0\5\0\0\0\0"));
	wisp_expect(&p, 3, 0, BYTES("\x80\0\0\0"));
	wisp_connect(&p, 3, 1, 80, "a.example");
	for (int i = 0; i < 28; i++)
		wisp_send(&p, 2, 3, "x", 1);
	wisp_connect(&p, 4, 2, 53, "u.example");
	peer = play_opened(&p, play_take_open(&p, "a.example", 80), 1);
	wisp_expect(&p, 3, 3, BYTES("\x64\0\0\0"));
	assert_int_equal(play_read(peer, text, sizeof(text)), sizeof(text));
	close(peer);
	wisp_expect(&p, 4, 3, "\2", 1);
	/* of UDP there is none */
	peer = play_opened_udp(&p, play_take_open(&p, "u.example", 53), 2);
	play_write(peer, "y", 1);
	wisp_expect(&p, 2, 4, "y", 1);
	close(peer);
	play_lost(&p);
}

static void
test_version_1_after_all(void **state)
{
	struct play p;
	int peer;

	(void)state;
	wisp_v2(&p);
	wisp_connect(&p, 1, 1, 80, "a.example");
	wisp_expect(&p, 3, 0, BYTES("\x80\0\0\0"));
	peer = play_opened(&p, play_take_open(&p, "a.example", 80), 1);
	play_write(peer, "x", 1);
	wisp_expect(&p, 2, 1, "x", 1);
	close(peer);
	play_lost(&p);
	wisp_v2(&p);
	wisp_send(&p, 2, 1, "nobody's", 8);
	wisp_expect(&p, 3, 0, BYTES("\x80\0\0\0"));
	play_lost(&p);
}

static void
test_violations(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *reason;
	} cases[] = {
		{BYTES(""), "a packet is shorter than its head"},
		{BYTES("\2\1\0\0"), "a packet is shorter than its head"},
		{BYTES("\1\1\0\0\0\1\x50"), "a packet is shorter than its type needs"},
		{BYTES("\3\1\0\0\0\0\0\0"), "a packet is shorter than its type needs"},
		{BYTES("\4\1\0\0\0"), "a packet is shorter than its type needs"},
		{BYTES("\5\0\0\0\0\2"), "a packet is shorter than its type needs"},
		{BYTES("\0\1\0\0\0"), "a packet of a type that there is not"},
		{BYTES("\6\1\0\0\0....."), "a packet of a type that there is not"},
		{BYTES("\1\0\0\0\0\1\x50\0a.example"), "stream 0 is reserved"},
	};
	struct play p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wisp_v1(&p, 8);
		play_frame(&p, 0x82, cases[i].bytes, cases[i].n);
		play_expect_close(&p, 1002, cases[i].reason);
		play_end(&p, WORKER_DIALECT_VIOLATION);
	}
	wisp_v1(&p, 8);
	play_text(&p, "hello");
	play_expect_close(&p, 1003, "Wisp takes binary messages only");
	play_end(&p, WORKER_DIALECT_VIOLATION);
}

static void
test_broken_infos(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {
		{BYTES("\2\0\1")},
		{BYTES("\2\0\1\0\0\0")},
		{BYTES("\2\0\1\1\0\0\0")},
		{BYTES("\2\0\1\0\0\0\0\4\xff\xff\xff\xff")},
		{BYTES("\2\0\4\xfb\xff\xff\xff....")},
	};
	struct play p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wisp_v2(&p);
		wisp_send(&p, 5, 0, cases[i].bytes, cases[i].n);
		play_expect_close(&p, 1002, "the extensions of INFO do not fill it");
		play_end(&p, WORKER_DIALECT_VIOLATION);
	}
}

static void
test_reasons(void **state)
{
	static const struct {
		uint32_t reason;
		const char *close;
	} cases[] = {
		{REASON_RULE_DENIES, "\x48"},     {REASON_NO_RULE, "\x48"},
		{REASON_SPECIAL_ADDRESS, "\x48"}, {REASON_OWN_ADDRESS, "\x48"},
		{REASON_PORT_CLOSED, "\x48"},     {REASON_NAME_INVALID, "\x41"},
		{REASON_NAME_UNKNOWN, "\x42"},    {REASON_NAME_FAILED, "\x42"},
		{REASON_UNREACHABLE, "\x42"},     {REASON_UNAVAILABLE, "\x42"},
		{REASON_PEER_REFUSED, "\x44"},    {REASON_ERRNO + ECONNREFUSED, "\x44"},
		{REASON_TIMEOUT, "\x43"},         {REASON_ERRNO + ETIMEDOUT, "\x43"},
		{REASON_CONNECT_FAILED, "\x03"},  {REASON_PEER_MISMATCH, "\x01"},
		{REASON_CHANNELS_LIMIT, "\x49"},  {REASON_CONNECTS_LIMIT, "\x49"},
		{REASON_BYTES_LIMIT, "\x49"},     {REASON_RESOURCES, "\x01"},
		{REASON_DRAINING, "\x01"},        {REASON_IDLE, "\x47"},
	};
	struct play p;

	(void)state;
	wisp_v1(&p, 8);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wisp_connect(&p, 1, 1, 25, "h.example");
		play_refused(&p, play_take_open(&p, "h.example", 25), cases[i].reason);
		wisp_expect(&p, 4, 1, cases[i].close, 1);
	}
	play_lost(&p);
}

static void
test_wrong_requests(void **state)
{
	struct play p;
	int peer;

	(void)state;
	wisp_v1(&p, 8);
	wisp_connect(&p, 1, 0, 80, "a.example");
	wisp_expect(&p, 4, 1, "\x41", 1);
	wisp_connect(&p, 1, 3, 80, "a.example");
	wisp_expect(&p, 4, 1, "\x41", 1);
	wisp_connect(&p, 1, 1, 0, "a.example");
	wisp_expect(&p, 4, 1, "\x41", 1);
	play_quiet(&p);
	/* the broker is asked for these, so that its refusal is on record */
	wisp_connect(&p, 1, 1, 80, "");
	play_refused(&p, play_take_open(&p, " ...", 80), REASON_NAME_INVALID);
	wisp_expect(&p, 4, 1, "\x41", 1);
	wisp_connect(&p, 1, 2, 80, "no name");
	play_refused(&p, play_take_open(&p, "no name", 80), REASON_NAME_INVALID);
	wisp_expect(&p, 4, 1, "\x41", 1);
	/* an id that is in use stays what it is */
	peer = wisp_open(&p, 1);
	wisp_connect(&p, 1, 1, 80, "b.example");
	wisp_connect(&p, 1, 9, 0, "");
	play_quiet(&p);
	play_write(peer, "x", 1);
	wisp_expect(&p, 2, 1, "x", 1);
	close(peer);
	play_lost(&p);
}

static void
test_no_slot(void **state)
{
	int peers[17];
	struct play p;

	(void)state;
	wisp_v1(&p, 1);
	/* a broker that opens more than it granted leaves none that could become free */
	for (uint32_t i = 0; i < 17; i++)
		peers[i] = wisp_open(&p, i + 1);
	wisp_connect(&p, 18, 1, 80, "a.example");
	wisp_expect(&p, 4, 18, "\x49", 1);
	/* CLOSE for stream 0 is the end of the session */
	wisp_send(&p, 4, 0, "\2", 1);
	play_expect_close(&p, 1000, "");
	for (uint32_t i = 0; i < 17; i++)
		close(peers[i]);
	play_frame(&p, 0x88, "\x03\xe8", 2);
	play_end(&p, WORKER_DONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_a_stream),
		cmocka_unit_test(test_handshake_of_version_2),
		cmocka_unit_test(test_confirmation_after_data),
		cmocka_unit_test(test_version_1_after_all),
		cmocka_unit_test(test_violations),
		cmocka_unit_test(test_broken_infos),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_wrong_requests),
		cmocka_unit_test(test_no_slot),
	};

	return cmocka_run_group_tests_name("session_wisp", tests, NULL, NULL);
}
