/* SPDX-License-Identifier: ISC */
/* Messages and violations of a WebSocket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tests/unit/scene.h"

static void
test_messages(void **state)
{
	struct scene *s = *state;

	scene_frame(s, 0x01, "hel", 3);
	scene_frame(s, 0x80, "lo", 2);
	scene_turn(s);
	assert_int_equal(s->begun, 1);
	assert_int_equal(s->ended, 1);
	assert_true(s->text);
	assert_memory_equal(s->got, "hello", 5);
	scene_frame(s, 0x82, "", 0);
	scene_turn(s);
	assert_int_equal(s->begun, 2);
	assert_int_equal(s->ended, 2);
	assert_false(s->text);
	ws_send(&s->ws, true, "yes", 3);
	ws_send(&s->ws, false, "", 0);
	scene_expect(s, "\x81\x03yes\x82\x00", 7);
	assert_int_equal(s->ws.messages_in, 2);
	assert_int_equal(s->ws.messages_out, 2);
}

static void
test_byte_by_byte(void **state)
{
	static const uint8_t bytes[] = "\x01\x82\0\0\0\0ab\x89\x81\0\0\0\0p\x80\x81\0\0\0\0c"
				       "\x82\xfe\0\x7e\0\0\0\0";
	struct scene *s = *state;
	uint8_t rest[126];

	memset(rest, 'z', sizeof(rest));
	for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
		scene_send(s, bytes + i, 1);
		scene_turn(s);
	}
	for (size_t i = 0; i < sizeof(rest); i++) {
		scene_send(s, rest + i, 1);
		scene_turn(s);
	}
	assert_int_equal(s->ended, 2);
	assert_int_equal(s->n, 129);
	assert_memory_equal(s->got, "abcz", 4);
	scene_expect(s, "\x8a\x01p", 3);
}

/* Case 31. */
static void
test_text(void **state)
{
	static const char *const wrong[] = {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
					    "\xf5",     "\xff",         "a\x80"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct scene *s;

		scene_start((void **)&s);
		scene_frame(s, 0x01, wrong[i], strlen(wrong[i])); /* not even the last frame */
		scene_turn(s);
		scene_read(s);
		assert_memory_equal(s->out + 2, "\x88", 1);
		assert_memory_equal(s->out + 4, "\x03\xef", 2);
		assert_int_equal(s->ws.violation, 1007);
		assert_int_equal(s->n, 0);
		scene_stop((void **)&s);
	}
}

static void
test_text_cut(void **state)
{
	struct scene *s = *state;

	scene_frame(s, 0x01, "\xf0\x9f", 2);
	scene_frame(s, 0x00, "\x98", 1);
	scene_frame(s, 0x80, "\x80", 1);
	scene_turn(s);
	assert_int_equal(s->ended, 1);
	assert_memory_equal(s->got, "\xf0\x9f\x98\x80", 4);
	scene_frame(s, 0x81, "\xf0\x9f", 2); /* ends inside a character */
	scene_turn(s);
	scene_read(s);
	assert_memory_equal(s->out + 4, "\x03\xef", 2);
	assert_int_equal(s->ws.violation, 1007);
}

/* Bytes that are no text pass in binary messages. */
static void
test_binary(void **state)
{
	struct scene *s = *state;

	scene_frame(s, 0x82, "\xff\xfe\xed\xa0\x80", 5);
	scene_turn(s);
	assert_int_equal(s->n, 5);
	assert_int_equal(s->ws.state, WS_OPEN);
}

static void
test_violation(void **state)
{
	struct scene *s = *state;

	scene_frame(s, 0x82, "good", 4);
	scene_send(s, "\x82\x03", 2); /* not masked */
	scene_turn(s);
	scene_read(s);
	assert_memory_equal(s->got, "good", 4);
	assert_memory_equal(s->out + 4, "\x03\xea", 2);
	assert_true(s->out_eof);
	/* input is thrown away, then the time is up */
	scene_send(s, "anything at all", 15);
	scene_turn(s);
	assert_int_equal(s->ws.state, WS_LEAVING);
	assert_int_equal(ws_deadline(&s->ws), s->ws.now_ms + WS_CLOSE_WAIT_MS);
	s->ws.now_ms += WS_CLOSE_WAIT_MS;
	ws_ready(&s->ws, 0);
	assert_int_equal(s->ws.state, WS_OVER);
}

/* Case 29: however many pings come, one pong waits; none is lost. */
static void
test_one_pong(void **state)
{
	struct scene *s = *state;
	size_t n = scene_fill(s);
	size_t queued;
	char text = 'a';

	scene_turn(s);
	queued = wslay_event_get_queued_msg_count(s->ws.wslay);
	for (int i = 0; i < 20; i++, text++)
		scene_frame(s, 0x89, &text, 1);
	scene_turn(s);
	assert_int_equal(wslay_event_get_queued_msg_count(s->ws.wslay), queued + 1);
	assert_int_equal(ws_wants(&s->ws) & EPOLLIN, 0);
	for (int i = 0; i < 50; i++) {
		scene_read(s);
		scene_turn(s);
	}
	scene_read(s);
	assert_int_equal(s->out_n, 2 + n + n / 60000 * 4 + 20 * 3);
	text = 'a';
	for (size_t i = 2; i < s->out_n;) {
		if (s->out[i] == 0x8a) {
			assert_int_equal(s->out[i + 2], text++);
			i += 3;
		} else {
			assert_int_equal(s->out[i], 0x82);
			i += 60004;
		}
	}
	assert_int_equal(text, 'a' + 20);
}

static void
test_ping_flood(void **state)
{
	struct scene *s = *state;

	for (int i = 0; i < 65; i++)
		scene_frame(s, 0x89, "", 0);
	scene_turn(s);
	scene_read(s);
	assert_int_equal(s->ws.violation, 1008);
	assert_int_equal(s->out_n, 2 + 64 * 2 + 4 + s->ws.reason_length);
}

static void
test_message_too_big(void **state)
{
	struct scene *s = *state;
	uint8_t bytes[60000] = {0};

	scene_frame(s, 0x02, bytes, sizeof(bytes));
	scene_turn(s);
	assert_int_equal(s->n, 60000);
	scene_send(s, "\x80\xfe\x9c\x41", 4); /* 40,001 more: its header is enough */
	scene_turn(s);
	scene_read(s);
	assert_int_equal(s->ws.violation, 1009);
	assert_memory_equal(s->out + 4, "\x03\xf1", 2);
	assert_int_equal(s->ended, 0);
}

/* While the reader is full, at most what wslay had already is handed on. */
static void
test_reader_full(void **state)
{
	struct scene *s = *state;
	uint8_t bytes[60000] = {0};
	size_t n;

	s->full = true;
	scene_frame(s, 0x82, bytes, sizeof(bytes));
	scene_turn(s);
	assert_int_equal(s->n, 0);
	assert_int_equal(ws_wants(&s->ws), 0);
	assert_false(ws_pending(&s->ws));
	s->full = false;
	ws_ready(&s->ws, EPOLLIN);
	n = s->n;
	assert_true(n > 0);
	scene_turn(s);
	assert_int_equal(s->n, 60000);
}

/* A frame of @n bytes of payload, then an empty one, in two pieces. */
static void
empty_last(size_t n, size_t cut)
{
	uint8_t bytes[5000] = {0x82, 0xfe, (uint8_t)(n >> 8), (uint8_t)n};
	size_t total = 8 + n + 6;
	struct scene *s;

	memcpy(bytes + 8 + n, "\x82\x80", 2);
	scene_start((void **)&s);
	scene_send(s, bytes, cut);
	for (int i = 0; i < 4; i++)
		ws_ready(&s->ws, ws_wants(&s->ws));
	scene_send(s, bytes + cut, total - cut);
	for (int i = 0; i < 4; i++)
		ws_ready(&s->ws, ws_wants(&s->ws));
	assert_int_equal(s->ended, 2);
	assert_int_equal(s->n, n);
	scene_stop((void **)&s);
}

/* The library takes 4,096 bytes at once: a header cut there waits for nothing more. */
static void
test_header_cut_by_room(void **state)
{
	(void)state;
	for (size_t n = 4080; n < 4092; n++)
		empty_last(n, 0);
	for (size_t cut = 1; cut < 4099; cut++)
		empty_last(4085, cut);
}

static void
fill_up(void *who, const uint8_t *bytes, size_t n)
{
	struct scene *s = who;

	(void)bytes;
	s->n += n;
	s->full = true;
}

/* The same when the reader had no room just then. */
static void
test_header_cut_when_full(void **state)
{
	struct scene *s = *state;
	uint8_t bytes[4085] = {0};
	uint8_t frames[8 + sizeof(bytes) + 6] = {0x82, 0xfe, 0x0f, 0xf5};

	memcpy(frames + 8 + sizeof(bytes), "\x82\x80", 2);
	s->ws.reader.chunk = fill_up;
	scene_send(s, frames, sizeof(frames));
	scene_turn(s);
	assert_int_equal(s->ended, 1);
	assert_false(ws_pending(&s->ws));
	s->full = false;
	assert_true(ws_pending(&s->ws));
	ws_ready(&s->ws, 0);
	assert_int_equal(s->ended, 2);
}

/* Messages of few bytes, or none, cost memory too. */
static void
test_room_for_small_messages(void **state)
{
	struct scene *s = *state;
	unsigned int n = 0;

	while (ws_room(&s->ws)) {
		ws_send(&s->ws, false, "", n % 2);
		assert_true(++n < 100000);
	}
	assert_true(s->ws.blocked);
	/* what the client asks is answered yet, up to a bound */
	scene_frame(s, 0x82, "", 0);
	ws_ready(&s->ws, EPOLLIN);
	assert_int_equal(s->ended, 1);
	while (!ws_io_stopped(&s->ws)) {
		ws_send(&s->ws, false, "", 0);
		assert_true(++n < 100000);
	}
	scene_frame(s, 0x82, "", 0);
	ws_ready(&s->ws, EPOLLIN);
	assert_int_equal(s->ended, 1);
	for (int i = 0; i < 100 && !ws_room(&s->ws); i++) {
		scene_read(s);
		ws_ready(&s->ws, EPOLLOUT);
		ws_ready(&s->ws, EPOLLIN);
	}
	assert_int_equal(s->ended, 2);
	assert_true(ws_room(&s->ws));
}

#define WITH_SCENE(f) cmocka_unit_test_setup_teardown(f, scene_start, scene_stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCENE(test_messages),
		WITH_SCENE(test_byte_by_byte),
		cmocka_unit_test(test_text),
		WITH_SCENE(test_text_cut),
		WITH_SCENE(test_binary),
		WITH_SCENE(test_violation),
		WITH_SCENE(test_one_pong),
		WITH_SCENE(test_ping_flood),
		WITH_SCENE(test_message_too_big),
		WITH_SCENE(test_reader_full),
		WITH_SCENE(test_room_for_small_messages),
		cmocka_unit_test(test_header_cut_by_room),
		WITH_SCENE(test_header_cut_when_full),
	};

	return cmocka_run_group_tests_name("ws", tests, NULL, NULL);
}
