/* SPDX-License-Identifier: ISC */
/* How a client's connection ends: nothing that was accepted is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tests/unit/scene.h"

/* Case 32: a proper close comes back with its code, and ends in order. */
static void
test_close_echo(void **state)
{
	static const unsigned int codes[] = {1000, 1001, 1003, 1007, 1011, 1012,
					     1013, 1014, 3000, 4001, 4999};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		uint8_t payload[5] = {(uint8_t)(codes[i] >> 8), (uint8_t)codes[i], 'b', 'y', 'e'};
		uint8_t wanted[4] = {0x88, 0x02, payload[0], payload[1]};
		struct scene *s;

		scene_start((void **)&s);
		scene_frame(s, 0x88, payload, 5);
		scene_frame(s, 0x82, "late", 4); /* case 33 */
		scene_turn(s);
		scene_expect(s, wanted, 4);
		assert_true(s->out_eof);
		assert_int_equal(s->ended, 0);
		assert_int_equal(s->ws.state, WS_LEAVING);
		assert_int_equal(s->ws.client_code, codes[i]);
		shutdown(s->client, SHUT_WR);
		scene_turn(s);
		assert_int_equal(s->ws.state, WS_OVER);
		assert_false(s->ws.lost);
		scene_stop((void **)&s);
	}
}

static void
test_close_without_status(void **state)
{
	struct scene *s = *state;

	scene_frame(s, 0x88, "", 0);
	scene_turn(s);
	scene_expect(s, "\x88\x00", 2);
	assert_int_equal(s->ws.client_code, 1005);
}

static void
test_our_close(void **state)
{
	struct scene *s = *state;

	ws_send(&s->ws, false, "last", 4);
	ws_close(&s->ws, 4004, "why");
	ws_close(&s->ws, 1000, "a later cause does not count");
	ws_send(&s->ws, false, "too late", 8);
	scene_turn(s);
	scene_expect(s, "\x82\x04last\x88\x05\x0f\xa4why", 13);
	assert_int_equal(s->ws.state, WS_CLOSING);
	scene_frame(s, 0x82, "x", 1); /* on its way when we closed: not delivered */
	scene_frame(s, 0x88, "\x0f\xa4", 2);
	scene_turn(s);
	assert_int_equal(s->ended, 0);
	assert_int_equal(s->ws.state, WS_LEAVING);
	shutdown(s->client, SHUT_WR);
	scene_turn(s);
	assert_int_equal(s->ws.state, WS_OVER);
	assert_int_equal(s->ws.close_code, 4004);
}

static void
test_close_unanswered(void **state)
{
	struct scene *s = *state;

	ws_close(&s->ws, 1000, "");
	scene_turn(s);
	assert_int_equal(s->ws.state, WS_CLOSING);
	s->ws.now_ms = ws_deadline(&s->ws) - 1;
	scene_turn(s);
	assert_int_equal(s->ws.state, WS_CLOSING);
	s->ws.now_ms++;
	scene_turn(s);
	assert_int_equal(s->ws.state, WS_OVER);
	assert_int_equal(s->ws.now_ms, 1000 + WS_CLOSE_WAIT_MS);
}

static void
test_slow_client(void **state)
{
	struct scene *s = *state;
	size_t n = scene_fill(s);

	assert_true(s->ws.blocked);
	assert_true(n >= WS_QUEUE_MARK);
	ws_close(&s->ws, 1000, "");
	scene_turn(s);
	assert_int_equal(s->ws.state, WS_FLUSHING);
	s->ws.now_ms += WS_CLOSE_WAIT_MS * 3;
	scene_turn(s);
	assert_int_equal(s->ws.state, WS_FLUSHING); /* not cut: it has longer */
	while (s->ws.state == WS_FLUSHING) {
		scene_read(s);
		scene_turn(s);
	}
	scene_read(s);
	assert_int_equal(s->ws.state, WS_CLOSING);
	/* every byte, then the close frame: 4 bytes of header for 60,000 each */
	assert_int_equal(s->out_n, 2 + n + n / 60000 * 4 + 4);
	assert_memory_equal(s->out + s->out_n - 4, "\x88\x02\x03\xe8", 4);
}

static void
test_dead_client(void **state)
{
	struct scene *s = *state;

	(void)scene_fill(s);
	ws_close(&s->ws, 1000, "");
	scene_turn(s);
	s->ws.now_ms = ws_deadline(&s->ws);
	scene_turn(s);
	assert_int_equal(s->ws.state, WS_OVER);
	assert_true(s->ws.lost);
}

/* A client that takes a little now and then is not waited for without end. */
static void
test_trickling_client(void **state)
{
	struct scene *s = *state;

	(void)scene_fill(s);
	ws_close(&s->ws, 1000, "");
	while (s->ws.state == WS_FLUSHING) {
		assert_true(s->ws.now_ms <= 1000 + WS_FLUSH_MS);
		s->ws.now_ms = ws_deadline(&s->ws);
		if (s->ws.now_ms < 1000 + WS_FLUSH_MS)
			s->ws.progress_ms = s->ws.now_ms - 1; /* as if a byte had gone */
		scene_turn(s);
	}
	assert_int_equal(s->ws.now_ms, 1000 + WS_FLUSH_MS);
	assert_true(s->ws.lost);
}

static void
test_client_lost(void **state)
{
	struct scene *s = *state;

	scene_frame(s, 0x82, "x", 1);
	shutdown(s->client, SHUT_WR);
	scene_turn(s);
	assert_int_equal(s->n, 1);
	assert_true(s->ws.lost);
	assert_int_equal(s->ws.state, WS_OVER);
}

static void
test_client_gone_while_held_up(void **state)
{
	struct scene *s = *state;

	s->ws.state = WS_HELD_UP;
	ws_ready(&s->ws, EPOLLHUP);
	assert_true(s->ws.lost);
}

static void
test_refusal(void **state)
{
	struct scene *s = *state;

	s->ws.state = WS_HEAD;
	ws_refuse(&s->ws, "NO", 2);
	scene_turn(s);
	scene_expect(s, "NO", 2);
	assert_true(s->out_eof);
	scene_send(s, "more of the same", 16);
	scene_turn(s);
	assert_int_equal(s->ws.state, WS_LEAVING);
	shutdown(s->client, SHUT_WR);
	scene_turn(s);
	assert_int_equal(s->ws.state, WS_OVER);
}

static void
test_long_reason(void **state)
{
	char reason[200];
	struct scene *s = *state;

	memset(reason, 'r', sizeof(reason) - 1);
	reason[199] = '\0';
	memcpy(reason + 121, "\xe2\x82\xac", 3); /* would be cut in its middle */
	ws_close(&s->ws, 4000, reason);
	scene_turn(s);
	scene_read(s);
	assert_int_equal(s->out[3], 2 + 121);
	assert_int_equal(s->out_n, 2 + 2 + 2 + 121);
}

#define WITH_SCENE(f) cmocka_unit_test_setup_teardown(f, scene_start, scene_stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_echo), WITH_SCENE(test_close_without_status),
		WITH_SCENE(test_our_close),        WITH_SCENE(test_close_unanswered),
		WITH_SCENE(test_slow_client),      WITH_SCENE(test_dead_client),
		WITH_SCENE(test_client_lost),      WITH_SCENE(test_client_gone_while_held_up),
		WITH_SCENE(test_refusal),          WITH_SCENE(test_long_reason),
		WITH_SCENE(test_trickling_client),
	};

	return cmocka_run_group_tests_name("ws_end", tests, NULL, NULL);
}
