/* SPDX-License-Identifier: ISC */
/* Parts of a session in this process: what is forgotten, and when. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/play.h"
#include "worker/handshake.h"
#include "worker/session.h"
#include "worker/streams.h"

#define STACK (512U * 1024)
#define TOKEN "do-not-keep-this-token"

struct parts {
	struct session *s;
	int client;
	int broker;
};

static void
start(struct parts *parts)
{
	const struct ws_reader reader = {0};
	struct session *s = calloc(1, sizeof(*s));
	int channel[2];
	int connection[2];

	assert_non_null(s);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, channel), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, connection), 0);
	s->channel = channel[1];
	s->client = connection[1];
	s->exit_status = -1;
	s->now_ms = s->ws.now_ms = 1000;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	ws_start(&s->ws, s->client, &reader);
	*parts = (struct parts){s, connection[0], channel[0]};
}

static void
stop(struct parts *parts)
{
	streams_stop(parts->s);
	ws_stop(&parts->s->ws);
	free(parts->s->mine);
	close(parts->s->epoll);
	close(parts->s->channel);
	close(parts->s->client);
	free(parts->s);
	close(parts->client);
	close(parts->broker);
}

static void *
read_head(void *s)
{
	handshake_read(s);
	return NULL;
}

static bool
holds(const void *memory, size_t n)
{
	return memmem(memory, n, TOKEN, strlen(TOKEN)) != NULL;
}

/* Reads the head on a stack of its own. Returns that stack. */
static void *
read_on_own_stack(struct session *s)
{
	void *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attributes;
	pthread_t thread;

	assert_ptr_not_equal(stack, MAP_FAILED);
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK), 0);
	assert_int_equal(pthread_create(&thread, &attributes, read_head, s), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
	return stack;
}

static void
forgets(const char *line, bool upgraded)
{
	static const char rest[] = " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
				   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
				   "\x82\x81"; /* the beginning of a message */
	struct ipc_auth auth = {0};
	struct parts parts;
	void *stack;

	start(&parts);
	play_write(parts.client, line, strlen(line));
	play_write(parts.client, rest, sizeof(rest) - 1);
	stack = read_on_own_stack(parts.s);
	if (upgraded) {
		assert_int_equal(read(parts.broker, &auth, sizeof(auth)), sizeof(auth));
		assert_string_equal(auth.token, TOKEN);
		assert_int_equal(parts.s->ws.in_end, 2);
		assert_memory_equal(parts.s->ws.in, "\x82\x81", 2);
	}
	assert_false(holds(parts.s, sizeof(*parts.s)));
	assert_false(holds(stack, STACK));
	munmap(stack, STACK);
	stop(&parts);
}

static void
test_token_is_forgotten(void **state)
{
	(void)state;
	forgets("GET /raw/h.example/80?token=" TOKEN, true);
	forgets("GET /netproxy?token=" TOKEN, true);
	forgets("GET /nowhere?token=" TOKEN, false);
}

/* The broker never answers: the client's last words go, and no timer is left. */
static void
test_last_words_expire(void **state)
{
	struct parts parts;
	struct stream *stream;
	struct session *s;

	(void)state;
	start(&parts);
	s = parts.s;
	s->granted.channels = 1;
	assert_int_equal(streams_start(s), 0);
	stream = session_open(s, PROTOCOL_TCP, "h.example", 80, s);
	assert_non_null(stream);
	assert_int_equal(session_push(s, stream, "words", 5), 0);
	session_drop(s, stream, REASON_CLIENT_CLOSED);
	streams_settle(s);
	assert_int_equal(streams_deadline(s), 1000 + STREAM_ANSWER_MS);
	assert_true(streams_busy(s));
	s->now_ms = 1000 + STREAM_ANSWER_MS;
	streams_settle(s);
	assert_int_equal(streams_deadline(s), 0);
	assert_false(streams_busy(s));
	assert_null(stream->up.bytes);
	stop(&parts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_is_forgotten),
		cmocka_unit_test(test_last_words_expire),
	};

	return cmocka_run_group_tests_name("session_parts", tests, NULL, NULL);
}
