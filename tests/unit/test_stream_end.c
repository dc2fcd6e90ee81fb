/* SPDX-License-Identifier: ISC */
/* How streams end: in order, broken, and in bounded time. */
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

/* The client's last words come before the broker's answer: they are kept for it. */
static void
test_abandoned_is_still_sent(void **state)
{
	struct wire *wire = *state;
	char got[16];

	assert_int_equal(stream_push(&wire->s, "last words", 10, 1000), 0);
	stream_finish(&wire->s, REASON_CLIENT_CLOSED, 1000);
	assert_int_equal(wire->s.state, STREAM_ABANDONED);
	assert_int_equal(stream_deadline(&wire->s), 1000 + STREAM_ANSWER_MS);
	wire_connect(wire);
	stream_finish(&wire->s, REASON_CLIENT_CLOSED, 1000);
	assert_int_equal(wire->s.state, STREAM_FINISHING);
	assert_int_equal(wire_reads(wire, got, sizeof(got)), 10);
	assert_int_equal(read(wire->peer, got, 1), 0);
}

static void
test_abandoned_in_error_is_not(void **state)
{
	struct wire *wire = *state;

	assert_int_equal(stream_push(&wire->s, "x", 1, 1000), 0);
	stream_cut(&wire->s, REASON_CLIENT_CLOSED);
	stream_finish(&wire->s, REASON_CLIENT_CLOSED, 1000);
	assert_int_equal(wire->s.state, STREAM_ABANDONED);
	assert_int_equal(stream_deadline(&wire->s), 0);
	assert_int_equal(wire->s.up.length, 0);
}

/* Whoever closes without reading drops what it sent: so it is read first. */
static void
test_finish_flushes_then_drains(void **state)
{
	struct wire *wire = *state;
	uint8_t *bytes = calloc(1, WIRE_MOST);
	size_t n = 0;

	assert_int_equal(stream_push(&wire->s, bytes, WIRE_MOST, 1000), 0);
	stream_finish(&wire->s, REASON_CLIENT_CLOSED, 1000);
	assert_false(stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000));
	assert_false(wire->s.shut);
	while (n < WIRE_MOST) {
		n += wire_reads(wire, bytes, WIRE_MOST);
		assert_false(stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000));
	}
	assert_true(wire->s.shut);
	assert_int_equal(write(wire->peer, "unread", 6), 6);
	assert_false(stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000));
	assert_int_equal(read(wire->peer, bytes, 1), 0);
	shutdown(wire->peer, SHUT_WR);
	assert_true(stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000));
	assert_int_equal(wire->s.state, STREAM_ENDED);
	assert_int_equal(wire->s.fd, -1);
	assert_int_equal(wire->s.reason, REASON_CLIENT_CLOSED);
	free(bytes);
}

static void
test_finish_is_bounded(void **state)
{
	struct wire *wire = *state;
	uint64_t deadline;

	stream_finish(&wire->s, REASON_CLIENT_CLOSED, 1000);
	assert_false(stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000));
	deadline = stream_deadline(&wire->s);
	assert_int_equal(deadline, 1000 + STREAM_DRAIN_MS);
	assert_false(stream_step(&wire->s, wire->piece, sizeof(wire->piece), deadline - 1));
	assert_true(stream_step(&wire->s, wire->piece, sizeof(wire->piece), deadline));
}

/* Nothing that the far end still sends may meet a dead socket before the broker looks. */
static void
test_the_far_end_goes_on(void **state)
{
	struct wire *wire = *state;
	int brokers = dup(wire->s.fd);
	char got[16];

	stream_finish(&wire->s, REASON_CLIENT_CLOSED, 1000);
	assert_false(stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000));
	assert_true(
		stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000 + STREAM_DRAIN_MS));
	assert_int_equal(wire->s.reason, REASON_CLIENT_CLOSED);
	assert_int_equal(read(wire->peer, got, 1), 0);
	assert_int_equal(send(wire->peer, "more", 4, MSG_NOSIGNAL), 4);
	assert_int_equal(read(brokers, got, sizeof(got)), 4);
	close(brokers);
}

static void
test_stalled_peer(void **state)
{
	struct wire *wire = *state;
	uint8_t *bytes = calloc(1, WIRE_MOST);

	assert_int_equal(stream_push(&wire->s, bytes, WIRE_MOST, 1000), 0);
	stream_finish(&wire->s, REASON_CLIENT_CLOSED, 1000);
	assert_int_equal(stream_deadline(&wire->s), 1000 + STREAM_STALL_MS);
	assert_false(
		stream_step(&wire->s, wire->piece, sizeof(wire->piece), 999 + STREAM_STALL_MS));
	assert_true(wire->s.up.length > 0);
	assert_true(
		stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000 + STREAM_STALL_MS));
	assert_false(wire->s.shut);
	assert_int_equal(wire->s.reason, REASON_CONNECT_FAILED);
	free(bytes);
}

/* One that takes a little now and then is not waited for without end. */
static void
test_trickling_peer(void **state)
{
	struct wire *wire = *state;
	uint8_t *bytes = calloc(1, WIRE_MOST);
	uint64_t now = 1000;

	assert_int_equal(stream_push(&wire->s, bytes, WIRE_MOST, now), 0);
	stream_finish(&wire->s, REASON_CLIENT_CLOSED, now);
	while (!stream_step(&wire->s, wire->piece, sizeof(wire->piece), now)) {
		assert_true(now < 1000 + STREAM_FINISH_MS);
		wire->s.progress_ms = now; /* as if a byte had gone */
		now = stream_deadline(&wire->s) - 1;
		if (now + 1 == 1000 + STREAM_FINISH_MS)
			now++;
	}
	assert_int_equal(now, 1000 + STREAM_FINISH_MS);
	assert_int_equal(wire->s.reason, REASON_CONNECT_FAILED);
	free(bytes);
}

/* Half of an upload must not look whole: no end of stream, and the broker is told. */
static void
test_broken_has_no_end(void **state)
{
	struct wire *wire = *state;
	int brokers = dup(wire->s.fd);
	char got[16];

	assert_int_equal(stream_push(&wire->s, "half", 4, 1000), 0);
	stream_finish(&wire->s, REASON_CONNECT_FAILED, 1000);
	assert_true(stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000));
	assert_int_equal(wire->s.reason, REASON_CONNECT_FAILED);
	assert_int_equal(wire_reads(wire, got, sizeof(got)), 4);
	assert_int_equal(read(wire->peer, got, 1), -1); /* nothing, and no end */
	close(brokers);
}

static void
test_broken_waits_for_flush(void **state)
{
	struct wire *wire = *state;
	uint8_t *bytes = calloc(1, WIRE_MOST);
	size_t n = 0;

	assert_int_equal(stream_push(&wire->s, bytes, WIRE_MOST, 1000), 0);
	stream_finish(&wire->s, REASON_CONNECT_FAILED, 1000);
	while (!stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000)) {
		assert_true(n < WIRE_MOST);
		n += wire_reads(wire, bytes, WIRE_MOST);
	}
	n += wire_reads(wire, bytes, WIRE_MOST);
	assert_int_equal(n, WIRE_MOST);
	assert_false(wire->s.shut);
	free(bytes);
}

/* What the client ended in order stays so, whatever comes after. */
static void
test_ended_is_not_broken(void **state)
{
	struct wire *wire = *state;
	char byte;

	stream_shut(&wire->s, 1000);
	stream_finish(&wire->s, REASON_CONNECT_FAILED, 1000);
	assert_int_equal(read(wire->peer, &byte, 1), 0);
	close(wire->peer);
	wire->peer = -1;
	assert_true(stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000));
	assert_int_equal(wire->s.reason, REASON_CLIENT_CLOSED);
}

/* Freed in the middle: no end of stream either. */
static void
test_free_has_no_end(void **state)
{
	struct wire *wire = *state;
	int brokers = dup(wire->s.fd);
	char byte;

	stream_free(&wire->s);
	assert_int_equal(read(wire->peer, &byte, 1), -1);
	close(brokers);
}

static void
test_abandoned_is_bounded(void **state)
{
	struct wire *wire = *state;

	assert_int_equal(stream_push(&wire->s, "last words", 10, 1000), 0);
	stream_finish(&wire->s, REASON_CLIENT_CLOSED, 1000);
	assert_false(
		stream_step(&wire->s, wire->piece, sizeof(wire->piece), 999 + STREAM_ANSWER_MS));
	assert_int_equal(wire->s.up.length, 10);
	assert_false(
		stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000 + STREAM_ANSWER_MS));
	assert_int_equal(wire->s.up.length, 0);
	assert_int_equal(stream_deadline(&wire->s), 0);
	wire_connect(wire); /* words are missing now */
	stream_finish(&wire->s, REASON_CLIENT_CLOSED, 1000);
	assert_true(stream_step(&wire->s, wire->piece, sizeof(wire->piece), 1000));
	assert_int_equal(wire->s.reason, REASON_CONNECT_FAILED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_abandoned_is_still_sent, wire_asked,
						wire_stop),
		cmocka_unit_test_setup_teardown(test_abandoned_in_error_is_not, wire_asked,
						wire_stop),
		cmocka_unit_test_setup_teardown(test_finish_flushes_then_drains, wire_start,
						wire_stop),
		cmocka_unit_test_setup_teardown(test_finish_is_bounded, wire_start, wire_stop),
		cmocka_unit_test_setup_teardown(test_the_far_end_goes_on, wire_start, wire_stop),
		cmocka_unit_test_setup_teardown(test_stalled_peer, wire_start, wire_stop),
		cmocka_unit_test_setup_teardown(test_trickling_peer, wire_start, wire_stop),
		cmocka_unit_test_setup_teardown(test_broken_has_no_end, wire_start, wire_stop),
		cmocka_unit_test_setup_teardown(test_broken_waits_for_flush, wire_start, wire_stop),
		cmocka_unit_test_setup_teardown(test_ended_is_not_broken, wire_start, wire_stop),
		cmocka_unit_test_setup_teardown(test_free_has_no_end, wire_start, wire_stop),
		cmocka_unit_test_setup_teardown(test_abandoned_is_bounded, wire_asked, wire_stop),
	};

	return cmocka_run_group_tests_name("stream_end", tests, NULL, NULL);
}
