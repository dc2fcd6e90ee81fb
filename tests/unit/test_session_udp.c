/* SPDX-License-Identifier: ISC */
/* UDP streams of a session: borders, order, limits, errors. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/play_inside.h"
#include "worker/streams.h"

#define MOST 65507U

static void
nothing_more(int peer)
{
	char byte;

	assert_int_equal(recv(peer, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void
test_request(void **state)
{
	static const struct ipc_addr wanted = {.family = 6, .port = 5353, .ip = {0x20, 1, 13, 184}};
	struct inside *in = *state;
	struct ipc_buffer buffer;

	assert_non_null(session_open(in->s, PROTOCOL_UDP, "2001:db8::", 5353, in));
	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.protocol, PROTOCOL_UDP);
	assert_int_equal(buffer.any.OPEN_body.kind, IPC_CONNECT);
	assert_int_equal(buffer.any.OPEN_body.beside, 0);
	assert_memory_equal(&buffer.any.OPEN_body.addr, &wanted, sizeof(wanted));
	assert_string_equal(buffer.any.OPEN_body.host, "");
}

/* Both ways together, in a minute; what is beyond is dropped and counted. */
static void
test_a_minute_has_its_limits(void **state)
{
	struct inside *in = *state;
	struct stream *stream = inside_udp(in, "a");
	struct ipc_buffer buffer;
	int peer;

	inside_take(in, MSG_OPEN, &buffer);
	in->s->granted.datagrams_per_minute = 4;
	in->s->granted.bytes_per_minute = 10;
	peer = inside_opened(in, buffer.any.OPEN_body.tag, 1, 0);
	assert_int_equal(session_push(in->s, stream, "one", 3), 0);
	play_write(peer, "two", 3);
	inside_told(in, "a opened, a data 3, ");
	assert_int_equal(session_push(in->s, stream, "12345", 5), 0); /* the bytes' limit */
	assert_int_equal(stream->dropped, 1);
	assert_int_equal(session_push(in->s, stream, "1234", 4), 0);
	assert_int_equal(session_push(in->s, stream, "", 0), 0);
	assert_int_equal(stream->dropped, 1);
	assert_int_equal(session_push(in->s, stream, "", 0), 0); /* the datagrams' limit */
	assert_int_equal(stream->dropped, 2);
	assert_int_equal(send(peer, "", 0, 0), 0);
	inside_told(in, "");
	assert_int_equal(stream->dropped, 3);
	inside_reads(peer, "one", 3);
	inside_reads(peer, "1234", 4);
	inside_reads(peer, "", 0);
	nothing_more(peer);
	in->s->now_ms += 60000;
	assert_int_equal(session_push(in->s, stream, "five5", 5), 0);
	inside_reads(peer, "five5", 5);
	assert_int_equal(stream->datagrams_up, 4);
	close(peer);
}

static void
test_borders_up(void **state)
{
	struct inside *in = *state;
	uint8_t *bytes = test_malloc(MOST + 1);
	struct stream *stream = inside_udp(in, "a");
	struct ipc_buffer buffer;
	int peer;

	play_random(bytes, MOST + 1, 3);
	inside_take(in, MSG_OPEN, &buffer);
	/* before it is open */
	assert_int_equal(session_push(in->s, stream, "one", 3), 0);
	assert_int_equal(session_push(in->s, stream, "", 0), 0);
	assert_int_equal(session_push(in->s, stream, bytes, MOST), 0);
	errno = 0;
	assert_int_equal(session_push(in->s, stream, bytes, MOST + 1), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(stream->datagrams, 3);
	peer = inside_opened(in, buffer.any.OPEN_body.tag, 1, 0);
	assert_int_equal(stream->datagrams, 0);
	assert_null(stream->up.bytes);
	assert_int_equal(stream->peer.port, 53);
	assert_int_equal(stream->local.port, 4000);
	inside_reads(peer, "one", 3);
	inside_reads(peer, "", 0);
	inside_reads(peer, bytes, MOST);
	/* and after */
	assert_int_equal(session_push(in->s, stream, bytes, MOST), 0);
	assert_int_equal(session_push(in->s, stream, bytes, MOST + 1), -1);
	assert_int_equal(session_push(in->s, stream, "", 0), 0);
	assert_int_equal(session_push(in->s, stream, "two", 3), 0);
	inside_reads(peer, bytes, MOST);
	inside_reads(peer, "", 0);
	inside_reads(peer, "two", 3);
	nothing_more(peer);
	assert_int_equal(stream->dropped, 0);
	session_drop(in->s, stream, REASON_CLIENT_CLOSED);
	inside_run(in);
	inside_expect_end(in, 1, REASON_CLIENT_CLOSED, 2 * MOST + 6, 0);
	close(peer);
	test_free(bytes);
}

static void
test_borders_down(void **state)
{
	struct inside *in = *state;
	uint8_t *bytes = test_malloc(MOST);
	int peer;
	struct stream *stream = inside_udp_open(in, 0, &peer);

	play_random(bytes, MOST, 4);
	assert_int_equal(send(peer, "abc", 3, 0), 3);
	assert_int_equal(send(peer, "", 0, 0), 0);
	assert_int_equal(send(peer, "de", 2, 0), 2);
	inside_told(in, "a data 3, a data 0, a data 2, ");
	assert_memory_equal(in->bytes, "de", 2);
	assert_int_equal(send(peer, bytes, MOST, 0), MOST);
	inside_told(in, "a data 65507, ");
	assert_memory_equal(in->bytes, bytes, MOST);
	session_drop(in->s, stream, REASON_CLIENT_CLOSED);
	/* nothing is told of a stream that the dialect gave up */
	assert_int_equal(send(peer, "late", 4, 0), 4);
	inside_told(in, "");
	inside_expect_end(in, 1, REASON_CLIENT_CLOSED, 0, MOST + 5);
	close(peer);
	test_free(bytes);
}

/* No client could send such a one back; over IPv6 it is possible. */
static void
test_too_long_down(void **state)
{
	struct inside *in = *state;
	uint8_t *bytes = test_calloc(1, MOST + 1);
	int peer;
	struct stream *stream = inside_udp_open(in, SOCK_DGRAM, &peer);

	assert_int_equal(send(peer, bytes, MOST + 1, 0), MOST + 1);
	assert_int_equal(send(peer, "ok", 2, 0), 2);
	inside_told(in, "a data 2, ");
	assert_int_equal(stream->dropped, 1);
	close(peer);
	test_free(bytes);
}

static void
test_queue_in_number(void **state)
{
	struct inside *in = *state;
	struct stream *stream = inside_udp(in, "a");
	struct ipc_buffer buffer;
	int peer;

	inside_take(in, MSG_OPEN, &buffer);
	for (uint16_t i = 0; i < 300; i++)
		assert_int_equal(session_push(in->s, stream, &i, sizeof(i)), 0);
	assert_int_equal(stream->datagrams, STREAM_DATAGRAMS);
	assert_int_equal(stream->dropped, 300 - STREAM_DATAGRAMS);
	peer = inside_opened(in, buffer.any.OPEN_body.tag, 1, 0);
	for (uint16_t i = 0; i < STREAM_DATAGRAMS; i++)
		inside_reads(peer, &i, sizeof(i));
	nothing_more(peer);
	close(peer);
}

static void
test_queue_in_bytes(void **state)
{
	struct inside *in = *state;
	uint8_t *bytes = test_calloc(1, MOST);
	struct stream *stream = inside_udp(in, "a");

	for (int i = 0; i < 5; i++)
		assert_int_equal(session_push(in->s, stream, bytes, MOST), 0);
	assert_int_equal(stream->datagrams, 4);
	assert_int_equal(stream->dropped, 1);
	assert_true(stream->up.length <= STREAM_UP_MARK);
	/* the newest is dropped, and not all that is newer: a small one has room */
	assert_int_equal(session_push(in->s, stream, "small", 5), 0);
	assert_int_equal(stream->datagrams, 5);
	/* and the client is read on: over UDP nothing is held back */
	while (STREAM_UP_MARK - stream->up.length >= 3)
		assert_int_equal(session_push(in->s, stream, "", stream->up.length & 1), 0);
	assert_false(streams_full(in->s));
	test_free(bytes);
}

/* A socket that takes no more for now: what waits goes later, in order. */
static void
test_order(void **state)
{
	struct inside *in = *state;
	int peer;
	struct stream *stream = inside_udp_open(in, SOCK_DGRAM, &peer);
	uint8_t bytes[3000] = {0};
	uint8_t got[3000];

	for (uint8_t i = 0; i < 100; i++) {
		bytes[0] = i;
		assert_int_equal(session_push(in->s, stream, bytes, 2000U + i), 0);
	}
	assert_true(stream->datagrams > 0 && stream->datagrams < 100);
	for (uint8_t i = 0; i < 100; i++) {
		ssize_t n = recv(peer, got, sizeof(got), 0);

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			inside_run(in);
			n = recv(peer, got, sizeof(got), 0);
		}
		assert_int_equal(n, 2000 + i);
		assert_int_equal(got[0], i);
	}
	assert_int_equal(stream->dropped, 0);
	close(peer);
}

/* Nobody there is no end: it is counted, and whoever comes later is reached. */
static void
test_refused_by_icmp(void **state)
{
	struct inside *in = *state;
	struct sockaddr_in near;
	struct sockaddr_in far;
	socklen_t n = sizeof(far);
	int peer;
	struct stream *stream = inside_udp_open(in, 0, &peer);

	assert_int_equal(getsockname(peer, (struct sockaddr *)&far, &n), 0);
	assert_int_equal(getpeername(peer, (struct sockaddr *)&near, &n), 0);
	close(peer);
	assert_int_equal(session_push(in->s, stream, "to nobody", 9), 0);
	inside_told(in, "");
	assert_int_equal(stream->dropped, 1); /* by read */
	assert_int_equal(session_push(in->s, stream, "again", 5), 0);
	assert_int_equal(session_push(in->s, stream, "and again", 9), 0);
	assert_int_equal(stream->dropped, 2); /* by write, which was made again */
	inside_told(in, "");
	assert_int_equal(stream->dropped, 3);
	peer = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(peer, (const struct sockaddr *)&far, n), 0);
	assert_int_equal(connect(peer, (const struct sockaddr *)&near, n), 0);
	assert_int_equal(session_push(in->s, stream, "to somebody", 11), 0);
	inside_reads(peer, "to somebody", 11);
	assert_int_equal(send(peer, "x", 1, 0), 1);
	inside_told(in, "a data 1, ");
	close(peer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, inside_setup, inside_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(request),         TEST(a_minute_has_its_limits),
		TEST(borders_up),      TEST(borders_down),
		TEST(too_long_down),   TEST(queue_in_number),
		TEST(queue_in_bytes),  TEST(order),
		TEST(refused_by_icmp),
	};

	return cmocka_run_group_tests_name("session_udp", tests, NULL, NULL);
}
