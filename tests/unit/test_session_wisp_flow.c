/* SPDX-License-Identifier: ISC */
/* Wisp: credit, packets that come in parts, datagrams, ends that cross a packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/wisp_play.h"

#define CREDIT 128

static void
send_some(struct play *p, uint32_t id, int count)
{
	for (int i = 0; i < count; i++)
		wisp_send(p, 2, id, "x", 1);
}

static void
take_some(int peer, size_t count)
{
	char bytes[CREDIT * 4];

	assert_true(count <= sizeof(bytes));
	assert_int_equal(play_read(peer, bytes, count), count);
}

/* An answer of the session: all that it had to say before has been said. */
static void
nothing_else(struct play *p)
{
	play_frame(p, 0x89, "?", 1);
	assert_int_equal(play_next(p)->op, 10);
}

static void
test_credit(void **state)
{
	struct play p;
	int peer;

	(void)state;
	wisp_v1(&p, 8);
	peer = wisp_open(&p, 5);
	send_some(&p, 5, CREDIT / 2 - 1);
	take_some(peer, CREDIT / 2 - 1);
	nothing_else(&p);
	send_some(&p, 5, 1);
	wisp_expect(&p, 3, 5, BYTES("\x80\0\0\0"));
	/*
	 * It may have used up all when it read that: then it has 128 still to send, and
	 * half of that is left when 128 have come. One that read it at once has none.
	 */
	send_some(&p, 5, CREDIT - 1);
	take_some(peer, CREDIT);
	nothing_else(&p);
	send_some(&p, 5, 1);
	wisp_expect(&p, 3, 5, BYTES("\x80\0\0\0"));
	/* more than was allowed is taken as well */
	send_some(&p, 5, CREDIT * 2);
	wisp_expect(&p, 3, 5, BYTES("\x80\0\0\0"));
	wisp_expect(&p, 3, 5, BYTES("\x80\0\0\0"));
	take_some(peer, CREDIT * 2 + 1);
	nothing_else(&p);
	close(peer);
	play_lost(&p);
}

static void
test_credit_before_it_is_open(void **state)
{
	struct play p;
	int peer;

	(void)state;
	wisp_v1(&p, 8);
	wisp_connect(&p, 1, 1, 80, "a.example");
	for (int i = 0; i < CREDIT; i++)
		wisp_send(&p, 2, 1, "", 0);
	nothing_else(&p);
	peer = play_opened(&p, play_take_open(&p, "a.example", 80), 1);
	wisp_expect(&p, 3, 1, BYTES("\x80\0\0\0"));
	nothing_else(&p);
	close(peer);
	play_lost(&p);
}

/* Nothing is said while bytes wait, and CONTINUE once the last of them is written. */
static void
test_no_credit_while_bytes_wait(void **state)
{
	static uint8_t block[5000];
	static uint8_t all[CREDIT / 2 * sizeof(block)];
	struct play p;
	int peer;

	(void)state;
	wisp_v1(&p, 8);
	peer = wisp_open(&p, 1);
	for (int i = 0; i < CREDIT / 2; i++) {
		memset(block, i, sizeof(block));
		wisp_send(&p, 2, 1, block, sizeof(block));
	}
	/* more than the socket's own buffer takes, less than what stops the client */
	nothing_else(&p);
	assert_int_equal(play_read(peer, all, sizeof(all)), sizeof(all));
	for (size_t i = 0; i < CREDIT / 2; i++)
		assert_int_equal(all[i * sizeof(block)], i);
	wisp_expect(&p, 3, 1, BYTES("\x80\0\0\0"));
	nothing_else(&p);
	close(peer);
	play_lost(&p);
}

/* The bytes of TCP go on as they come; so long a packet need not fit anywhere. */
static void
test_packet_in_parts(void **state)
{
	static const char packet[] = "\2\1\0\0\0abcdef";
	struct play p;
	char text[8];
	int peer;

	(void)state;
	wisp_v1(&p, 8);
	peer = wisp_open(&p, 1);
	for (size_t i = 0; i < sizeof(packet) - 1; i++) {
		play_frame(&p, i ? 0 : 2, packet + i, 1);
		if (i < 5)
			continue;
		assert_int_equal(play_read(peer, text, 1), 1);
		assert_int_equal(text[0], packet[i]);
	}
	play_frame(&p, 0x80, "", 0);
	/* it counts as one */
	send_some(&p, 1, CREDIT / 2 - 2);
	nothing_else(&p);
	send_some(&p, 1, 1);
	wisp_expect(&p, 3, 1, BYTES("\x80\0\0\0"));
	close(peer);
	play_lost(&p);
}

/* The stream ends while a packet for it is under way: the rest is nobody's. */
static void
test_end_within_a_packet(void **state)
{
	const struct ipc_cut cut = {{MSG_CUT}, 1, REASON_BYTES_LIMIT};
	struct ipc_buffer buffer;
	struct play p;
	uint32_t tag;
	int peer;

	(void)state;
	wisp_v1(&p, 8);
	peer = wisp_open(&p, 1);
	play_frame(&p, 2, BYTES("\2\1\0\0\0abc"));
	play_post(&p, &cut, sizeof(cut), 0);
	assert_int_equal(shutdown(peer, SHUT_RDWR), 0);
	wisp_expect(&p, 4, 1, "\x49", 1);
	play_frame(&p, 0x80, "def", 3);
	close(peer);
	play_take(&p, MSG_END, &buffer);
	/* the same before the broker's answer, which is a refusal */
	wisp_connect(&p, 2, 1, 80, "a.example");
	tag = play_take_open(&p, "a.example", 80);
	play_frame(&p, 2, BYTES("\2\2\0\0\0abc"));
	play_refused(&p, tag, REASON_NO_RULE);
	wisp_expect(&p, 4, 2, "\x48", 1);
	play_frame(&p, 0x80, "def", 3);
	/* and of a datagram */
	wisp_connect(&p, 3, 2, 53, "u.example");
	tag = play_take_open(&p, "u.example", 53);
	play_frame(&p, 2, BYTES("\2\3\0\0\0abc"));
	play_refused(&p, tag, REASON_NO_RULE);
	wisp_expect(&p, 4, 3, "\x48", 1);
	play_frame(&p, 0x80, "def", 3);
	nothing_else(&p);
	play_lost(&p);
}

static void
test_ends(void **state)
{
	static const struct {
		uint32_t reason;
		const char *close;
	} cases[] = {
		{REASON_IDLE, "\x47"},
		{REASON_BYTES_LIMIT, "\x49"},
		{REASON_POLICY_CHANGED, "\x01"},
		{REASON_CONNECT_FAILED, "\x03"},
	};
	struct ipc_buffer buffer;
	struct play p;
	int peer;

	(void)state;
	wisp_v1(&p, 8);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ipc_cut cut = {{MSG_CUT}, 1, cases[i].reason};

		peer = wisp_open(&p, 1);
		play_write(peer, "last", 4);
		wisp_expect(&p, 2, 1, "last", 4);
		play_post(&p, &cut, sizeof(cut), 0);
		assert_int_equal(shutdown(peer, SHUT_RDWR), 0);
		wisp_expect(&p, 4, 1, cases[i].close, 1);
		close(peer);
		play_take(&p, MSG_END, &buffer);
	}
	play_lost(&p);
}

static void
test_datagrams(void **state)
{
	static uint8_t big[65508];
	struct play p;
	char text[16];
	int peer;

	(void)state;
	wisp_v1(&p, 8);
	wisp_connect(&p, 1, 2, 53, "u.example");
	wisp_send(&p, 2, 1, "early", 5);
	wisp_send(&p, 2, 1, "", 0);
	peer = play_opened_udp(&p, play_take_open(&p, "u.example", 53), 1);
	assert_int_equal(read(peer, text, sizeof(text)), 5);
	assert_int_equal(read(peer, text, sizeof(text)), 0);
	/* what is in parts is one datagram all the same */
	play_frame(&p, 2, BYTES("\2\1\0"));
	play_frame(&p, 0, BYTES("\0\0in "));
	play_frame(&p, 0x80, BYTES("parts"));
	assert_int_equal(read(peer, text, sizeof(text)), 8);
	assert_memory_equal(text, "in parts", 8);
	/* what no datagram can hold is lost */
	wisp_send(&p, 2, 1, big, sizeof(big));
	for (int i = 0; i < CREDIT * 2; i++) {
		wisp_send(&p, 2, 1, "x", 1);
		assert_int_equal(read(peer, text, sizeof(text)), 1);
	}
	nothing_else(&p);
	play_write(peer, "one", 3);
	play_write(peer, "two", 3);
	assert_int_equal(write(peer, "", 0), 0);
	wisp_expect(&p, 2, 1, "one", 3);
	wisp_expect(&p, 2, 1, "two", 3);
	wisp_expect(&p, 2, 1, "", 0);
	wisp_send(&p, 4, 1, "\2", 1);
	wisp_expect(&p, 4, 1, "\2", 1);
	wisp_send(&p, 2, 1, "late", 4);
	nothing_else(&p);
	close(peer);
	play_lost(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_credit),
		cmocka_unit_test(test_credit_before_it_is_open),
		cmocka_unit_test(test_no_credit_while_bytes_wait),
		cmocka_unit_test(test_packet_in_parts),
		cmocka_unit_test(test_end_within_a_packet),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_datagrams),
	};

	return cmocka_run_group_tests_name("session_wisp_flow", tests, NULL, NULL);
}
