/* SPDX-License-Identifier: ISC */
/* Streams of a session that listen. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/play_inside.h"
#include "worker/ask.h"
#include "worker/streams.h"

static const struct ipc_addr near_any = {.family = 4, .port = 0, .ip = {192, 0, 2, 1}};

static void
post_refused(struct inside *in, uint32_t tag, uint32_t reason)
{
	const struct ipc_refused refused = {.head = {MSG_REFUSED}, .tag = tag, .reason = reason};

	inside_post(in, &refused, sizeof(refused), -1);
}

static void
post_listening(struct inside *in, uint32_t tag)
{
	const struct ipc_opened listening = {.head = {MSG_LISTENING},
					     .tag = tag,
					     .stream = 5,
					     .peer = {4, 0, 8080, {192, 0, 2, 1}}};

	inside_post(in, &listening, sizeof(listening), -1);
}

/* A stream that listens, as stream 5. */
static struct stream *
listen_now(struct inside *in)
{
	struct stream *stream = session_listen(in->s, &near_any, inside_name("l"));
	struct ipc_buffer buffer;

	assert_non_null(stream);
	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.kind, IPC_LISTEN);
	assert_int_equal(buffer.any.OPEN_body.protocol, PROTOCOL_TCP);
	assert_string_equal(buffer.any.OPEN_body.host, "");
	assert_memory_equal(&buffer.any.OPEN_body.addr, &near_any, sizeof(near_any));
	post_listening(in, buffer.any.OPEN_body.tag);
	inside_told(in, "l listening, ");
	assert_true(stream->listening);
	assert_int_equal(stream->local.port, 8080);
	return stream;
}

static void
test_listen(void **state)
{
	struct inside *in = *state;
	struct stream *listener = listen_now(in);
	struct stream *first;
	struct stream *second;
	char text[8];
	int peers[2];

	peers[0] = inside_opened(in, listener->tag, 21, SOCK_STREAM);
	first = in->accepted;
	peers[1] = inside_opened(in, listener->tag, 22, SOCK_STREAM);
	second = in->accepted;
	inside_told(in, "l accepted, l accepted, ");
	assert_ptr_not_equal(first, second);
	assert_int_not_equal(first->tag, listener->tag);
	assert_int_equal(first->peer.port, 53);
	assert_int_equal(first->local.port, 4000);
	assert_int_equal(session_push(in->s, second, "hello", 5), 0);
	assert_int_equal(play_read(peers[1], text, 5), 5);
	play_write(peers[0], "abc", 3);
	inside_told(in, "x data 3, ");
	/* the listener goes, and what it brought stays */
	session_drop(in->s, listener, REASON_CLIENT_CLOSED);
	inside_told(in, "");
	inside_expect_end(in, 5, REASON_CLIENT_CLOSED, 0, 0);
	play_write(peers[0], "de", 2);
	shutdown(peers[0], SHUT_WR);
	inside_told(in, "x data 2, x ended peer-closed, ");
	inside_expect_end(in, 21, REASON_PEER_CLOSED, 0, 5);
	close(peers[0]);
	session_drop(in->s, second, REASON_CLIENT_CLOSED);
	close(peers[1]);
	inside_run(in);
	inside_expect_end(in, 22, REASON_CLIENT_CLOSED, 5, 0);
	assert_false(streams_busy(in->s));
}

/* What a connection sends at once is not read before the dialect took it. */
static void
test_nothing_before_accepted(void **state)
{
	struct inside *in = *state;
	struct stream *listener = listen_now(in);
	struct ipc_opened opened = {.head = {MSG_OPENED}, .tag = listener->tag, .stream = 21};
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	play_write(fds[0], "early", 5);
	shutdown(fds[0], SHUT_WR);
	inside_post(in, &opened, sizeof(opened), fds[1]);
	inside_told(in, "l accepted, x data 5, x ended peer-closed, ");
	assert_memory_equal(in->bytes, "early", 5);
	inside_expect_end(in, 21, REASON_PEER_CLOSED, 0, 5);
	close(fds[0]);
}

static void
is_dead(int peer)
{
	char byte;

	assert_int_equal(read(peer, &byte, 1), 0);
	assert_int_equal(send(peer, "x", 1, MSG_NOSIGNAL), -1);
	close(peer);
}

/* Without a free slot a connection is ended at once, and the others go on. */
static void
test_slots_end(void **state)
{
	struct inside *in = *state;
	struct stream *listener = listen_now(in);
	uint32_t slots = INSIDE_CHANNELS + SESSION_SPARE;
	int peers[64];

	for (uint32_t i = 1; i < slots; i++)
		peers[i] = inside_opened(in, listener->tag, 100 + i, SOCK_STREAM);
	in->told[0] = '\0';
	for (uint32_t i = 0; i < 40; i++) {
		is_dead(inside_opened(in, listener->tag, 200 + i, SOCK_STREAM));
		inside_expect_end(in, 200 + i, REASON_CONNECT_FAILED, 0, 0);
	}
	inside_told(in, "");
	play_write(peers[1], "x", 1);
	inside_told(in, "x data 1, ");
	/* one goes, one comes */
	shutdown(peers[1], SHUT_WR);
	inside_told(in, "x ended peer-closed, ");
	inside_expect_end(in, 101, REASON_PEER_CLOSED, 0, 1);
	close(peers[1]);
	peers[1] = inside_opened(in, listener->tag, 300, SOCK_STREAM);
	inside_told(in, "l accepted, ");
	for (uint32_t i = 1; i < slots; i++)
		close(peers[i]);
}

static void
test_dialect_that_accepts_nothing(void **state)
{
	struct inside *in = *state;
	struct stream *listener = listen_now(in);

	in->dialect.accepted = NULL;
	is_dead(inside_opened(in, listener->tag, 21, SOCK_STREAM));
	inside_told(in, "");
	inside_expect_end(in, 21, REASON_CONNECT_FAILED, 0, 0);
}

/* The broker accepted before it read that the listener ended: no fault of its. */
static void
test_accepted_crosses_end(void **state)
{
	struct inside *in = *state;
	struct stream *listener = listen_now(in);
	uint32_t tag = listener->tag;

	session_drop(in->s, listener, REASON_CLIENT_CLOSED);
	inside_run(in);
	inside_expect_end(in, 5, REASON_CLIENT_CLOSED, 0, 0);
	is_dead(inside_opened(in, tag, 21, SOCK_STREAM));
	inside_expect_end(in, 21, REASON_CONNECT_FAILED, 0, 0);
	assert_false(in->s->over);
}

/* A channel that takes nothing: ends wait, in bounds, and none is lost. */
static void
test_returned_to_a_full_channel(void **state)
{
	const struct ipc_counts filler = {.head = {MSG_COUNTS}};
	struct inside *in = *state;
	struct stream *listener = listen_now(in);
	struct ipc_buffer buffer;
	uint32_t seen = 0;
	int peers[20];

	in->dialect.accepted = NULL;
	while (ipc_post(in->s->channel, &filler, sizeof(filler)) == 0)
		;
	for (uint32_t i = 0; i < 20; i++)
		peers[i] = inside_opened(in, listener->tag, i, SOCK_STREAM);
	assert_true(in->s->channel_blocked);
	assert_int_equal(in->s->n_returned, SESSION_SPARE);
	for (;;) {
		struct ipc_got got;

		memset(&buffer, 0, sizeof(buffer));
		if (ipc_take(in->broker, &buffer, &got, false) < 0) {
			if (seen == (1U << 20) - 1)
				break;
			ask_again(in->s);
			inside_run(in);
			continue;
		}
		if (buffer.any.head.type == MSG_END)
			seen |= 1U << buffer.any.END_body.stream;
	}
	assert_int_equal(in->s->n_returned, 0);
	for (uint32_t i = 0; i < 20; i++)
		is_dead(peers[i]);
}

static void
test_listener_is_cut(void **state)
{
	const struct ipc_cut cut = {{MSG_CUT}, 5, REASON_POLICY_CHANGED};
	struct inside *in = *state;
	struct stream *listener = listen_now(in);
	int peer = inside_opened(in, listener->tag, 21, SOCK_STREAM);

	inside_told(in, "l accepted, ");
	inside_post(in, &cut, sizeof(cut), -1);
	inside_told(in, "l ended policy-changed, ");
	inside_expect_end(in, 5, REASON_POLICY_CHANGED, 0, 0);
	play_write(peer, "x", 1);
	inside_told(in, "x data 1, ");
	close(peer);
}

static void
test_listen_refused_or_dropped(void **state)
{
	struct inside *in = *state;
	struct stream *stream = session_listen(in->s, &near_any, inside_name("l"));
	uint32_t tag;

	post_refused(in, stream->tag, REASON_NO_RULE);
	inside_told(in, "l refused no-rule, ");
	assert_int_equal(stream->state, STREAM_FREE);
	/* dropped while the answer is under way: it ends as soon as it is there */
	stream = session_listen(in->s, &near_any, inside_name("l"));
	tag = stream->tag;
	session_drop(in->s, stream, REASON_CLIENT_CLOSED);
	post_listening(in, tag);
	inside_told(in, "");
	assert_int_equal(stream->state, STREAM_FREE);
}

/* The next OPEN's port, and that it is for the grant's address. */
static uint16_t
port_asked(struct inside *in)
{
	static const uint8_t granted[16] = {198, 51, 100, 7};
	struct ipc_buffer buffer;

	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.kind, IPC_LISTEN);
	assert_int_equal(buffer.any.OPEN_body.addr.family, 4);
	assert_memory_equal(buffer.any.OPEN_body.addr.ip, granted, sizeof(granted));
	return buffer.any.OPEN_body.addr.port;
}

/* Any address is the grant's, any port one of its ports; one that is taken, the next. */
static void
test_any_is_the_grants(void **state)
{
	static const struct ipc_addr any = {.family = 6};
	struct inside *in = *state;
	struct stream *stream;
	uint16_t port;
	uint32_t asked = 0;

	in->s->granted.near = (struct ipc_addr){4, 0, 3000, {198, 51, 100, 7}};
	in->s->granted.port_high = 3002;
	stream = session_listen(in->s, &any, inside_name("l"));
	for (int i = 0; i < 15; i++) {
		port = port_asked(in);
		assert_in_range(port, 3000, 3002);
		asked |= 1U << (port - 3000);
		post_refused(in, stream->tag, REASON_ERRNO + EADDRINUSE);
		inside_told(in, "");
	}
	assert_int_equal(asked, 7);
	(void)port_asked(in);
	post_refused(in, stream->tag, REASON_ERRNO + EADDRINUSE);
	inside_told(in, "l refused port-taken, ");
	assert_int_equal(stream->state, STREAM_FREE);
	/* what is no matter of ports is told at once, and so is one port that was asked for */
	stream = session_listen(in->s, &any, inside_name("l"));
	(void)port_asked(in);
	post_refused(in, stream->tag, REASON_NO_RULE);
	inside_told(in, "l refused no-rule, ");
	stream = session_listen(in->s, &(struct ipc_addr){.family = 4, .port = 3001},
				inside_name("l"));
	assert_int_equal(port_asked(in), 3001);
	post_refused(in, stream->tag, REASON_ERRNO + EADDRINUSE);
	inside_told(in, "l refused port-taken, ");
}

/* Without a place to listen the request is made all the same: the refusal is on record. */
static void
test_nowhere_is_asked(void **state)
{
	struct inside *in = *state;
	struct ipc_buffer buffer;

	assert_non_null(session_listen(in->s, &(struct ipc_addr){.family = 4}, inside_name("l")));
	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.kind, IPC_LISTEN);
	assert_int_equal(buffer.any.OPEN_body.addr.port, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, inside_setup, inside_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(listen),
		TEST(nothing_before_accepted),
		TEST(slots_end),
		TEST(dialect_that_accepts_nothing),
		TEST(accepted_crosses_end),
		TEST(returned_to_a_full_channel),
		TEST(listener_is_cut),
		TEST(listen_refused_or_dropped),
		TEST(any_is_the_grants),
		TEST(nowhere_is_asked),
	};

	return cmocka_run_group_tests_name("session_listen", tests, NULL, NULL);
}
