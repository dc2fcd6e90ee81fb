/* SPDX-License-Identifier: ISC */
/* Streams over socket pairs: order, limits, half-closes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/wire.h"

static void
test_waits_until_connected(void **state)
{
	struct wire *wire = *state;
	char got[16];

	assert_int_equal(stream_push(&wire->s, "one ", 4, 1000), 0);
	assert_int_equal(stream_push(&wire->s, "two", 3, 1000), 0);
	stream_shut(&wire->s, 1000);
	assert_int_equal(stream_push(&wire->s, "after the end", 13, 1000), 0);
	wire_connect(wire);
	assert_int_equal(wire_reads(wire, got, sizeof(got)), 7);
	assert_memory_equal(got, "one two", 7);
	assert_int_equal(read(wire->peer, got, 1), 0); /* not EAGAIN: shut as well */
	assert_int_equal(wire->s.claimed_up, 7);
}

static void
test_limit(void **state)
{
	struct wire *wire = *state;
	uint8_t *bytes = calloc(1, WIRE_MOST + 1);

	assert_int_equal(stream_push(&wire->s, bytes, WIRE_MOST + 1, 1000), -1);
	assert_int_equal(stream_push(&wire->s, bytes, WIRE_MOST, 1000), 0);
	assert_int_equal(stream_push(&wire->s, bytes, 1, 1000), -1);
	assert_int_equal(wire->s.up.length, WIRE_MOST);
	free(bytes);
}

/* Random pieces against a peer that reads in random pieces; every byte compared. */
static void
test_order(void **state)
{
	struct wire *wire = *state;
	uint8_t *sent = malloc(8 * WIRE_MOST);
	uint8_t *got = malloc(8 * WIRE_MOST);
	size_t in = 0;
	size_t out = 0;

	srandom(11);
	for (size_t i = 0; i < 8 * WIRE_MOST; i++)
		sent[i] = (uint8_t)random();
	while (out < 8 * WIRE_MOST) {
		size_t n = (size_t)random() % 100000;

		n = n < 8 * WIRE_MOST - in ? n : 8 * WIRE_MOST - in;
		if (stream_push(&wire->s, sent + in, n, 1000) == 0)
			in += n;
		assert_true(wire->s.up.length <= WIRE_MOST);
		n = (size_t)random() % 100000;
		out += wire_reads(wire, got + out,
				  n < 8 * WIRE_MOST - out ? n : 8 * WIRE_MOST - out);
		stream_write(&wire->s, 1000);
	}
	assert_memory_equal(sent, got, 8 * WIRE_MOST);
	assert_int_equal(wire->s.claimed_up, 8 * WIRE_MOST);
	assert_null(wire->s.up.bytes); /* an empty queue holds no memory */
	free(sent);
	free(got);
}

static void
test_wants(void **state)
{
	struct wire *wire = *state;
	uint8_t *bytes = calloc(1, WIRE_MOST);

	assert_int_equal(stream_wants(&wire->s, true), EPOLLIN);
	assert_int_equal(stream_wants(&wire->s, false), 0);
	assert_int_equal(stream_push(&wire->s, bytes, WIRE_MOST, 1000), 0);
	assert_int_equal(stream_wants(&wire->s, false), EPOLLOUT);
	wire->s.hung = true;
	assert_int_equal(stream_wants(&wire->s, true), ~0U);
	free(bytes);
}

static void
test_read(void **state)
{
	struct wire *wire = *state;

	assert_int_equal(stream_read(&wire->s, wire->piece, 100), 0);
	assert_false(wire->s.eof);
	assert_int_equal(write(wire->peer, "abc", 3), 3);
	shutdown(wire->peer, SHUT_WR);
	assert_int_equal(stream_read(&wire->s, wire->piece, 100), 3);
	assert_int_equal(stream_read(&wire->s, wire->piece, 100), 0);
	assert_true(wire->s.eof);
	assert_false(wire->s.reset);
	/* and the other way still works */
	assert_int_equal(stream_push(&wire->s, "x", 1, 1000), 0);
	assert_int_equal(wire_reads(wire, wire->piece, 10), 1);
	assert_int_equal(wire->s.claimed_down, 3);
}

static void
test_peer_gone(void **state)
{
	struct wire *wire = *state;

	close(wire->peer);
	wire->peer = -1;
	assert_int_equal(stream_push(&wire->s, "x", 1, 1000), 0);
	assert_true(wire->s.up_broken);
	assert_int_equal(stream_push(&wire->s, "y", 1, 1000), 0);
	assert_int_equal(wire->s.claimed_up, 0);
	assert_int_equal(stream_read(&wire->s, wire->piece, 1), 0);
	assert_true(wire->s.eof);
}

static void
test_cut(void **state)
{
	struct wire *wire = *state;
	uint8_t *bytes = calloc(1, WIRE_MOST);

	assert_int_equal(stream_push(&wire->s, bytes, WIRE_MOST, 1000), 0);
	assert_int_equal(write(wire->peer, "kept", 4), 4);
	stream_cut(&wire->s, REASON_LIFETIME);
	assert_int_equal(wire->s.up.length, 0);
	assert_int_equal(stream_read(&wire->s, wire->piece, 100), 4);
	stream_finish(&wire->s, REASON_CLIENT_CLOSED, 1000);
	assert_int_equal(wire->s.reason, REASON_LIFETIME);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_waits_until_connected, wire_asked, wire_stop),
		cmocka_unit_test_setup_teardown(test_limit, wire_asked, wire_stop),
		cmocka_unit_test_setup_teardown(test_order, wire_start, wire_stop),
		cmocka_unit_test_setup_teardown(test_wants, wire_start, wire_stop),
		cmocka_unit_test_setup_teardown(test_read, wire_start, wire_stop),
		cmocka_unit_test_setup_teardown(test_peer_gone, wire_start, wire_stop),
		cmocka_unit_test_setup_teardown(test_cut, wire_start, wire_stop),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
