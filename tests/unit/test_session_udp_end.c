/* SPDX-License-Identifier: ISC */
/* UDP streams of a session: how they end, and near ports that are shared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/play_inside.h"
#include "worker/streams.h"

static void
test_idle(void **state)
{
	struct inside *in = *state;
	int peer;
	struct stream *stream = inside_udp_open(in, 0, &peer);

	assert_int_equal(streams_deadline(in->s), 1000 + STREAM_IDLE_MS);
	in->s->now_ms += STREAM_IDLE_MS - 1;
	assert_int_equal(session_push(in->s, stream, "", 0), 0);
	in->s->now_ms += STREAM_IDLE_MS - 1;
	assert_int_equal(send(peer, "", 0, 0), 0);
	inside_told(in, "a data 0, ");
	in->s->now_ms += STREAM_IDLE_MS - 1;
	inside_told(in, "");
	assert_int_equal(streams_deadline(in->s), in->s->now_ms + 1);
	in->s->now_ms++;
	inside_told(in, "a ended idle, ");
	inside_expect_end(in, 1, REASON_IDLE, 0, 0);
	assert_int_equal(streams_deadline(in->s), 0);
	assert_false(streams_busy(in->s));
	close(peer);
}

/* The grant can only make it shorter. */
static void
test_idle_of_the_grant(void **state)
{
	struct inside *in = *state;
	int peer;

	in->s->granted.idle_timeout_ms = 2000;
	(void)inside_udp_open(in, 0, &peer);
	assert_int_equal(streams_deadline(in->s), 1000 + 2000);
	in->s->now_ms += 2000;
	inside_told(in, "a ended idle, ");
	inside_expect_end(in, 1, REASON_IDLE, 0, 0);
	close(peer);
	in->s->granted.idle_timeout_ms = 2 * STREAM_IDLE_MS;
	(void)inside_udp_open(in, 0, &peer);
	assert_int_equal(streams_deadline(in->s), in->s->now_ms + STREAM_IDLE_MS);
	close(peer);
}

/* What came before is delivered, then why, and nothing after it. */
static void
test_cut(void **state)
{
	const struct ipc_cut cut = {{MSG_CUT}, 1, REASON_BYTES_LIMIT};
	struct inside *in = *state;
	int peer;
	struct stream *stream = inside_udp_open(in, 0, &peer);
	int brokers = dup(stream->fd);

	assert_int_equal(send(peer, "1", 1, 0), 1);
	assert_int_equal(send(peer, "", 0, 0), 0);
	inside_post(in, &cut, sizeof(cut), -1);
	assert_int_equal(shutdown(brokers, SHUT_RDWR), 0);
	inside_told(in, "a data 1, a data 0, a ended bytes-limit, ");
	inside_expect_end(in, 1, REASON_BYTES_LIMIT, 0, 1);
	/* nothing goes on telling of it, while the broker still has it */
	inside_told(in, "");
	assert_int_equal(streams_deadline(in->s), 0);
	close(brokers);
	close(peer);
}

/* What goes beyond is not the client's, nor is what came behind it. */
static void
test_reply_ratio(void **state)
{
	static const uint8_t much[50000];
	struct inside *in = *state;
	struct ipc_buffer buffer;
	int peer;
	struct stream *stream = inside_udp_open(in, 0, &peer);
	int brokers = dup(stream->fd);

	in->s->granted.reply_ratio = 3;
	assert_int_equal(session_push(in->s, stream, much, 1000), 0);
	/* 65,536 for nothing, and three times 1,000 */
	assert_int_equal(send(peer, much, 50000, 0), 50000);
	assert_int_equal(send(peer, much, 18536, 0), 18536);
	inside_told(in, "a data 50000, a data 18536, ");
	assert_int_equal(session_push(in->s, stream, "a", 1), 0);
	assert_int_equal(send(peer, much, 3, 0), 3);
	inside_told(in, "a data 3, ");
	assert_int_equal(send(peer, "", 0, 0), 0);
	inside_told(in, "a data 0, ");
	assert_int_equal(send(peer, much, 1, 0), 1);
	assert_int_equal(send(peer, much, 2, 0), 2);
	inside_told(in, "a ended reply-ratio, ");
	inside_take(in, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.claimed_reason, REASON_REPLY_RATIO);
	assert_int_equal(buffer.any.END_body.claimed_up, 1001);
	assert_int_equal(buffer.any.END_body.claimed_down, 68540);
	assert_int_equal(buffer.any.END_body.claimed_dropped, 1);
	close(brokers);
	close(peer);
}

/* 0 lets everything come. */
static void
test_no_reply_ratio(void **state)
{
	static const uint8_t much[50000];
	struct inside *in = *state;
	int peer;

	inside_udp_open(in, 0, &peer);
	in->s->granted.reply_ratio = 0;
	assert_int_equal(send(peer, much, 50000, 0), 50000);
	assert_int_equal(send(peer, much, 50000, 0), 50000);
	inside_told(in, "a data 50000, a data 50000, ");
	close(peer);
}

/* CUT alone is enough: a UDP socket need not tell of it. */
static void
test_cut_before_shutdown(void **state)
{
	const struct ipc_cut cut = {{MSG_CUT}, 1, REASON_LIFETIME};
	struct inside *in = *state;
	int peer;

	inside_udp_open(in, 0, &peer);
	inside_post(in, &cut, sizeof(cut), -1);
	inside_told(in, "a ended lifetime, ");
	inside_expect_end(in, 1, REASON_LIFETIME, 0, 0);
	close(peer);
}

static void
test_shut_down_without_cut(void **state)
{
	struct inside *in = *state;
	int peer;
	struct stream *stream = inside_udp_open(in, 0, &peer);
	int brokers = dup(stream->fd);

	assert_int_equal(send(peer, "1", 1, 0), 1);
	assert_int_equal(shutdown(brokers, SHUT_RDWR), 0);
	/* the reason may still come */
	inside_told(in, "a data 1, ");
	assert_int_equal(streams_deadline(in->s), 1250);
	in->s->now_ms = 1250;
	inside_told(in, "a ended connect-failed, ");
	inside_expect_end(in, 1, REASON_CONNECT_FAILED, 0, 1);
	close(brokers);
	close(peer);
}

static void
test_dropped_before_opened(void **state)
{
	struct inside *in = *state;
	struct stream *stream = inside_udp(in, "a");
	struct ipc_buffer buffer;
	int peer;

	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(session_push(in->s, stream, "last", 4), 0);
	assert_int_equal(session_push(in->s, stream, "words", 5), 0);
	session_drop(in->s, stream, REASON_CLIENT_CLOSED);
	peer = inside_opened(in, buffer.any.OPEN_body.tag, 1, 0);
	inside_told(in, "");
	inside_reads(peer, "last", 4);
	inside_reads(peer, "words", 5);
	inside_expect_end(in, 1, REASON_CLIENT_CLOSED, 9, 0);
	close(peer);
}

static void
test_refused(void **state)
{
	struct inside *in = *state;
	struct ipc_refused refused = {.head = {MSG_REFUSED}, .reason = REASON_NO_RULE};
	struct stream *stream = inside_udp(in, "a");

	refused.tag = stream->tag;
	assert_int_equal(session_push(in->s, stream, "x", 1), 0);
	inside_post(in, &refused, sizeof(refused), -1);
	inside_told(in, "a refused no-rule, ");
	assert_int_equal(stream->state, STREAM_FREE);
	assert_false(streams_busy(in->s));
}

/* A half-close means nothing here, and takes nothing away. */
static void
test_shut_is_ignored(void **state)
{
	struct inside *in = *state;
	int peer;
	struct stream *stream = inside_udp_open(in, 0, &peer);

	session_shut(in->s, stream);
	assert_int_equal(session_push(in->s, stream, "x", 1), 0);
	inside_reads(peer, "x", 1);
	close(peer);
}

static void
test_beside(void **state)
{
	struct inside *in = *state;
	int peer;
	struct stream *stream = inside_udp_open(in, 0, &peer);
	struct ipc_buffer buffer;

	assert_non_null(session_open_beside(in->s, stream, "192.0.2.77", 54, inside_name("b")));
	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.beside, 1);
	assert_int_equal(buffer.any.OPEN_body.protocol, PROTOCOL_UDP);
	assert_int_equal(buffer.any.OPEN_body.addr.port, 54);
	assert_int_equal(buffer.any.OPEN_body.addr.ip[3], 77);
	close(peer);
}

/* The other is not open yet: its answer is awaited, and so on along the line. */
static void
test_beside_waits(void **state)
{
	struct inside *in = *state;
	struct stream *a = inside_udp(in, "a");
	struct stream *b;
	struct ipc_buffer buffer;
	int peer;
	int second;

	b = session_open_beside(in->s, a, "h.example", 54, inside_name("b"));
	assert_non_null(session_open_beside(in->s, b, "h.example", 55, inside_name("c")));
	assert_int_equal(session_push(in->s, b, "early", 5), 0);
	inside_take(in, MSG_OPEN, &buffer);
	inside_quiet(in);
	peer = inside_opened(in, buffer.any.OPEN_body.tag, 11, 0);
	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.addr.port, 54);
	assert_int_equal(buffer.any.OPEN_body.beside, 11);
	inside_quiet(in);
	second = inside_opened(in, buffer.any.OPEN_body.tag, 12, 0);
	inside_reads(second, "early", 5);
	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.addr.port, 55);
	assert_int_equal(buffer.any.OPEN_body.beside, 12);
	inside_told(in, "a opened, b opened, ");
	close(peer);
	close(second);
}

static void
test_beside_one_that_is_gone(void **state)
{
	struct inside *in = *state;
	struct ipc_refused refused = {.head = {MSG_REFUSED}, .reason = REASON_NO_RULE};
	struct stream *a = inside_udp(in, "a");
	struct ipc_buffer buffer;

	assert_non_null(session_open_beside(in->s, a, "h.example", 54, inside_name("b")));
	inside_take(in, MSG_OPEN, &buffer);
	refused.tag = buffer.any.OPEN_body.tag;
	inside_post(in, &refused, sizeof(refused), -1);
	inside_told(in, "a refused no-rule, ");
	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.addr.port, 54);
	assert_int_equal(buffer.any.OPEN_body.beside, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, inside_setup, inside_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(idle),
		TEST(idle_of_the_grant),
		TEST(cut),
		TEST(reply_ratio),
		TEST(no_reply_ratio),
		TEST(cut_before_shutdown),
		TEST(shut_down_without_cut),
		TEST(dropped_before_opened),
		TEST(refused),
		TEST(shut_is_ignored),
		TEST(beside),
		TEST(beside_waits),
		TEST(beside_one_that_is_gone),
	};

	return cmocka_run_group_tests_name("session_udp_end", tests, NULL, NULL);
}
