/* SPDX-License-Identifier: ISC */
/* What comes in an order that nobody wishes for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/play_inside.h"
#include "worker/answer.h"
#include "worker/streams.h"

static struct stream *other; /* of the dialect's that drops one at another's refusal */

static void
post_refused(struct inside *in, uint32_t tag)
{
	const struct ipc_refused refused = {
		.head = {MSG_REFUSED}, .tag = tag, .reason = REASON_NO_RULE};

	inside_post(in, &refused, sizeof(refused), -1);
}

static uint32_t
take_open(struct inside *in)
{
	struct ipc_buffer buffer;

	inside_take(in, MSG_OPEN, &buffer);
	return buffer.any.OPEN_body.tag;
}

static void
close_at_refusal(struct session *s, struct stream *stream, uint32_t reason,
		 const struct ipc_addr *peer)
{
	(void)stream;
	(void)peer;
	session_close_reason(s, reason);
}

/*
 * Two refusals at once, the first of which ends the session: the second is not told any
 * more. Whoever waits beside that one must not wait until the session's last deadline.
 */
static void
test_beside_one_that_nobody_is_told_of(void **state)
{
	struct inside *in = *state;
	uint32_t tags[2];
	struct stream *second;
	struct stream *third;
	struct ipc_buffer buffer;

	in->dialect.refused = close_at_refusal;
	(void)inside_udp(in, "a");
	second = inside_udp(in, "b");
	assert_int_equal(session_push(in->s, second, "first words", 11), 0);
	third = session_open_beside(in->s, second, "h.example", 54, inside_name("c"));
	assert_int_equal(session_push(in->s, third, "last words", 10), 0);
	tags[0] = take_open(in);
	tags[1] = take_open(in);
	inside_quiet(in);
	post_refused(in, tags[0]);
	post_refused(in, tags[1]);
	inside_told(in, "");
	assert_int_not_equal(in->s->ws.state, WS_OPEN);
	assert_int_equal(second->datagrams, 0);
	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.addr.port, 54);
	assert_int_equal(buffer.any.OPEN_body.beside, 0);
	/* it is answered, and nothing keeps the session */
	in->s->winding_up = true;
	streams_finish(in->s, REASON_CLIENT_CLOSED);
	assert_true(streams_busy(in->s));
	post_refused(in, buffer.any.OPEN_body.tag);
	inside_run(in);
	assert_false(streams_busy(in->s));
	assert_false(in->s->over);
}

/* Such a one has had its answer: another one is no answer, but nonsense. */
static void
test_answered_twice(void **state)
{
	struct inside *in = *state;
	uint32_t tags[2];

	in->dialect.refused = close_at_refusal;
	(void)inside_udp(in, "a");
	(void)inside_udp(in, "b");
	tags[0] = take_open(in);
	tags[1] = take_open(in);
	post_refused(in, tags[0]);
	post_refused(in, tags[1]);
	inside_told(in, "");
	assert_false(in->s->over);
	post_refused(in, tags[1]);
	inside_told(in, "");
	assert_true(in->s->over);
	assert_int_equal(in->s->exit_status, WORKER_BROKER_LOST);
}

static void
drop_other(struct session *s, struct stream *stream, uint32_t reason, const struct ipc_addr *peer)
{
	(void)stream;
	(void)reason;
	(void)peer;
	session_drop(s, other, REASON_CLIENT_CLOSED);
}

/* The answers that are read before an end is told may be what makes it nobody's. */
static void
test_dropped_before_its_end_is_told(void **state)
{
	struct inside *in = *state;
	struct epoll_event event;
	uint32_t tag;
	int peer;

	in->dialect.refused = drop_other;
	other = session_open(in->s, PROTOCOL_TCP, "h.example", 80, inside_name("a"));
	tag = take_open(in);
	peer = inside_opened(in, tag, 1, SOCK_STREAM);
	inside_told(in, "a opened, ");
	assert_non_null(session_open(in->s, PROTOCOL_TCP, "h.example", 81, inside_name("b")));
	tag = take_open(in);
	shutdown(peer, SHUT_WR);
	assert_int_equal(epoll_wait(in->s->epoll, &event, 1, 1000), 1);
	streams_event(in->s, (uint32_t)event.data.u64, event.events);
	assert_true(other->eof);
	post_refused(in, tag);
	streams_settle(in->s);
	assert_string_equal(in->told, "");
	inside_run(in);
	assert_string_equal(in->told, "");
	inside_expect_end(in, 1, REASON_CLIENT_CLOSED, 0, 0);
	close(peer);
}

static void
post_cut(struct inside *in, uint32_t stream)
{
	const struct ipc_cut cut = {{MSG_CUT}, stream, REASON_BYTES_LIMIT};

	inside_post(in, &cut, sizeof(cut), -1);
}

/* A near port was asked for whose stream the broker was just cutting. */
static void
test_beside_crosses_cut(void **state)
{
	struct inside *in = *state;
	int peers[2];
	struct stream *first = inside_udp_open(in, 0, &peers[0]);
	struct ipc_buffer buffer;

	assert_non_null(session_open_beside(in->s, first, "h.example", 54, inside_name("b")));
	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.beside, 1);
	post_cut(in, 1);
	inside_told(in, "a ended bytes-limit, ");
	inside_expect_end(in, 1, REASON_BYTES_LIMIT, 0, 0);
	peers[1] = inside_opened(in, buffer.any.OPEN_body.tag, 2, 0);
	inside_told(in, "b opened, ");
	/* and once more, for a stream that is long gone */
	post_cut(in, 1);
	assert_int_equal(send(peers[1], "x", 1, 0), 1);
	inside_told(in, "b data 1, ");
	assert_false(in->s->over);
	close(peers[0]);
	close(peers[1]);
}

/* A stream that listens, as stream 5. Its tag is all that stays of it. */
static uint32_t
listens(struct inside *in, bool drop)
{
	const struct ipc_addr near = {.family = 4, .ip = {127, 0, 0, 1}};
	struct stream *stream = session_listen(in->s, &near, inside_name("l"));
	struct ipc_opened listening = {.head = {MSG_LISTENING}, .tag = take_open(in), .stream = 5};

	if (drop)
		session_drop(in->s, stream, REASON_CLIENT_CLOSED);
	inside_post(in, &listening, sizeof(listening), -1);
	return listening.tag;
}

/* Connections come for a listener that is cut, and when its slot has another stream. */
static void
test_accepted_crosses_cut(void **state)
{
	struct inside *in = *state;
	uint32_t tag = listens(in, false);
	int peers[3];
	char byte;

	inside_told(in, "l listening, ");
	post_cut(in, 5);
	peers[0] = inside_opened(in, tag, 6, SOCK_STREAM);
	inside_told(in, "l ended bytes-limit, ");
	inside_expect_end(in, 6, REASON_CONNECT_FAILED, 0, 0);
	inside_expect_end(in, 5, REASON_BYTES_LIMIT, 0, 0);
	peers[1] = inside_opened(in, tag, 7, SOCK_STREAM);
	inside_expect_end(in, 7, REASON_CONNECT_FAILED, 0, 0);
	assert_ptr_equal(session_open(in->s, PROTOCOL_TCP, "h.example", 80, inside_name("a")),
			 &in->s->streams[0]);
	(void)take_open(in);
	peers[2] = inside_opened(in, tag, 8, SOCK_STREAM);
	inside_expect_end(in, 8, REASON_CONNECT_FAILED, 0, 0);
	inside_told(in, "");
	assert_false(in->s->over);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(read(peers[i], &byte, 1), 0);
		close(peers[i]);
	}
}

/* The same for one that was dropped before it was there. */
static void
test_accepted_for_an_abandoned_listener(void **state)
{
	struct inside *in = *state;
	uint32_t tag = listens(in, true);
	int peer = inside_opened(in, tag, 6, SOCK_STREAM);

	inside_told(in, "");
	inside_expect_end(in, 6, REASON_CONNECT_FAILED, 0, 0);
	inside_expect_end(in, 5, REASON_CLIENT_CLOSED, 0, 0);
	post_cut(in, 5);
	inside_told(in, "");
	assert_false(in->s->over);
	close(peer);
}

/* TLS fails while the WebSocket closes: its owner is the dialect's until stop(). */
static void
test_tls_fails_at_the_end(void **state)
{
	struct inside *in = *state;
	struct stream *stream =
		session_open(in->s, PROTOCOL_TLS, "h.example", 443, inside_name("a"));
	int peer;

	assert_non_null(stream);
	session_close(in->s, 1000, "");
	peer = inside_opened(in, take_open(in), 1, SOCK_STREAM);
	in->s->now_ms += 60000;
	inside_told(in, "");
	assert_ptr_equal(session_next(in->s, NULL), stream);
	stream->owner = NULL;
	in->s->winding_up = true;
	streams_finish(in->s, REASON_CLIENT_CLOSED);
	inside_run(in);
	inside_expect_end(in, 1, REASON_TLS_NO_TRUST, 0, 0);
	assert_int_equal(stream->state, STREAM_FREE);
	close(peer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, inside_setup, inside_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(beside_one_that_nobody_is_told_of),
		TEST(answered_twice),
		TEST(dropped_before_its_end_is_told),
		TEST(beside_crosses_cut),
		TEST(accepted_crosses_cut),
		TEST(accepted_for_an_abandoned_listener),
		TEST(tls_fails_at_the_end),
	};

	return cmocka_run_group_tests_name("session_order", tests, NULL, NULL);
}
