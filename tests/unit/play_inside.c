/* SPDX-License-Identifier: ISC */
#include "tests/unit/play_inside.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/answer.h"
#include "worker/streams.h"

static void __attribute__((format(printf, 3, 4)))
tell(struct session *s, const struct stream *stream, const char *format, ...)
{
	struct inside *in = s->mine;
	size_t n = strlen(in->told);
	va_list args;

	assert_true(n + 64 < sizeof(in->told));
	n += (size_t)snprintf(in->told + n, 32, "%s ", (const char *)stream->owner);
	va_start(args, format);
	n += (size_t)vsnprintf(in->told + n, 30, format, args);
	va_end(args);
	strcpy(in->told + n, ", ");
}

static void
opened(struct session *s, struct stream *stream)
{
	tell(s, stream, "opened");
}

static void
refused(struct session *s, struct stream *stream, uint32_t reason, const struct ipc_addr *peer)
{
	(void)peer;
	tell(s, stream, "refused %s", reason_word(reason));
}

static void
resolved(struct session *s, struct stream *stream, const struct ipc_resolved *answer)
{
	struct inside *in = s->mine;

	in->resolved = *answer;
	tell(s, stream, "resolved");
}

static void
listening(struct session *s, struct stream *stream)
{
	tell(s, stream, "listening");
}

static void
accepted(struct session *s, struct stream *listener, struct stream *stream)
{
	static char name[] = "x";
	struct inside *in = s->mine;

	stream->owner = name;
	in->accepted = stream;
	tell(s, listener, "accepted");
}

static void
data(struct session *s, struct stream *stream, const uint8_t *bytes, size_t n)
{
	struct inside *in = s->mine;

	memcpy(in->bytes, bytes, n);
	in->n = n;
	tell(s, stream, "data %zu", n);
}

static void
ended(struct session *s, struct stream *stream, uint32_t reason)
{
	tell(s, stream, "ended %s", reason_word(reason));
	session_drop(s, stream, reason);
}

void
inside_start(struct inside *in, uint32_t channels)
{
	const struct ws_reader reader = {0};
	struct session *s = calloc(1, sizeof(*s));
	int channel[2];
	int connection[2];

	assert_non_null(s);
	signal(SIGPIPE, SIG_IGN);
	memset(in, 0, sizeof(*in));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, channel), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, connection), 0);
	in->s = s;
	in->broker = channel[0];
	in->client = connection[0];
	in->dialect = (struct dialect_ops){.opened = opened,
					   .refused = refused,
					   .resolved = resolved,
					   .listening = listening,
					   .accepted = accepted,
					   .data = data,
					   .ended = ended};
	s->channel = channel[1];
	s->client = connection[1];
	s->exit_status = -1;
	s->now_ms = s->ws.now_ms = 1000;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->dialect = &in->dialect;
	s->mine = in;
	s->state = IPC_OPEN;
	s->granted = (struct ipc_terms){
		.channels = channels, .message_bytes = 1U << 20, .connect_timeout_ms = 30000};
	ws_start(&s->ws, s->client, &reader);
	assert_int_equal(ws_upgrade(&s->ws, "", 0, "", 0), 0);
	ws_release(&s->ws, 1U << 20);
	assert_int_equal(s->ws.state, WS_OPEN);
	assert_int_equal(streams_start(s), 0);
}

void
inside_stop(struct inside *in)
{
	streams_stop(in->s);
	ws_stop(&in->s->ws);
	close(in->s->epoll);
	close(in->s->channel);
	close(in->s->client);
	close(in->client);
	close(in->broker);
	free(in->s);
}

int
inside_setup(void **state)
{
	struct inside *in = calloc(1, sizeof(*in));

	assert_non_null(in);
	inside_start(in, INSIDE_CHANNELS);
	*state = in;
	return 0;
}

int
inside_teardown(void **state)
{
	inside_stop(*state);
	free(*state);
	return 0;
}

void *
inside_name(const char *name)
{
	return (void *)(uintptr_t)name;
}

void
inside_run(struct inside *in)
{
	struct epoll_event events[16];
	int turns = 0;
	int n;

	do {
		(void)answer_take(in->s);
		streams_settle(in->s);
		n = epoll_wait(in->s->epoll, events, 16, 0);
		for (int i = 0; i < n; i++)
			streams_event(in->s, (uint32_t)events[i].data.u64, events[i].events);
		/* What is told of without end would be a loop that never sleeps. */
		assert_true(++turns < 1000);
	} while (n > 0);
	streams_settle(in->s);
}

void
inside_told(struct inside *in, const char *told)
{
	inside_run(in);
	assert_string_equal(in->told, told);
	in->told[0] = '\0';
}

void
inside_take(struct inside *in, uint32_t type, struct ipc_buffer *buffer)
{
	struct ipc_got got;

	memset(buffer, 0, sizeof(*buffer));
	assert_int_equal(ipc_take(in->broker, buffer, &got, false), 0);
	assert_int_equal(buffer->any.head.type, type);
	assert_true(ipc_legal(IPC_SESSION, IPC_ASK, IPC_OPEN, &buffer->any, &got));
}

void
inside_quiet(struct inside *in)
{
	struct ipc_buffer buffer;
	struct ipc_got got;

	inside_run(in);
	assert_int_equal(ipc_take(in->broker, &buffer, &got, false), -1);
}

void
inside_post(struct inside *in, const void *message, size_t n, int fd)
{
	if (fd < 0) {
		assert_int_equal(ipc_post(in->broker, message, n), 0);
		return;
	}
	assert_int_equal(ipc_pass(in->broker, message, n, fd), 0);
	close(fd);
}

int
inside_opened(struct inside *in, uint32_t tag, uint32_t stream, int type)
{
	const struct ipc_opened opened = {.head = {MSG_OPENED},
					  .tag = tag,
					  .stream = stream,
					  .peer = {4, 0, 53, {192, 0, 2, 9}},
					  .local = {4, 0, 4000, {192, 0, 2, 1}}};
	int fds[2];

	if (type)
		assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds), 0);
	else
		play_udp(fds);
	inside_post(in, &opened, sizeof(opened), fds[1]);
	inside_run(in);
	return fds[0];
}

void
inside_expect_end(struct inside *in, uint32_t stream, uint32_t reason, uint64_t up, uint64_t down)
{
	struct ipc_buffer buffer;

	inside_take(in, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.stream, stream);
	assert_int_equal(buffer.any.END_body.claimed_reason, reason);
	assert_int_equal(buffer.any.END_body.claimed_up, up);
	assert_int_equal(buffer.any.END_body.claimed_down, down);
}

struct stream *
inside_udp(struct inside *in, const char *name)
{
	struct stream *stream =
		session_open(in->s, PROTOCOL_UDP, "h.example", 53, inside_name(name));

	assert_non_null(stream);
	return stream;
}

struct stream *
inside_udp_open(struct inside *in, int type, int *peer)
{
	struct stream *stream = inside_udp(in, "a");
	struct ipc_buffer buffer;

	inside_take(in, MSG_OPEN, &buffer);
	*peer = inside_opened(in, buffer.any.OPEN_body.tag, 1, type);
	inside_told(in, "a opened, ");
	return stream;
}

void
inside_reads(int peer, const void *bytes, size_t n)
{
	static uint8_t got[STREAM_DATAGRAM_MOST + 1];

	assert_int_equal(recv(peer, got, sizeof(got), 0), n);
	assert_memory_equal(got, bytes, n);
}
