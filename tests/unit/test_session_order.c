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

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, inside_setup, inside_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(beside_one_that_nobody_is_told_of),
		TEST(answered_twice),
		TEST(dropped_before_its_end_is_told),
	};

	return cmocka_run_group_tests_name("session_order", tests, NULL, NULL);
}
