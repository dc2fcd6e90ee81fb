/* SPDX-License-Identifier: ISC */
/* A whole udp-relay session against a double of the broker. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/play.h"

#define HEAD 7U
#define MOST 65507U

static void
begin(struct play *p, uint32_t channels)
{
	struct ipc_auth auth;

	play_begin(p, true);
	play_upgrade(p, "/udp-relay/Peer.Example", "Sec-WebSocket-Protocol: x, binary\r\n", &auth);
	assert_int_equal(auth.dialect, DIALECT_UDP_RELAY);
	play_grant(p, channels, 1U << 20);
}

static void
say(struct play *p, unsigned int from, unsigned int to, const void *bytes, size_t n)
{
	uint8_t *message = test_malloc(HEAD + n);
	const uint8_t head[HEAD] = {1, (uint8_t)(from >> 8), (uint8_t)from, 0,
				    0, (uint8_t)(to >> 8),   (uint8_t)to};

	memcpy(message, head, HEAD);
	memcpy(message + HEAD, bytes, n);
	play_frame(p, 0x82, message, HEAD + n);
	test_free(message);
}

static void
hears(struct play *p, unsigned int from, unsigned int to, const void *bytes, size_t n)
{
	const struct play_frame *frame = play_next(p);
	const uint8_t head[HEAD] = {1, (uint8_t)(from >> 8), (uint8_t)from, 0,
				    0, (uint8_t)(to >> 8),   (uint8_t)to};

	assert_int_equal(frame->op, 2);
	assert_int_equal(frame->n, HEAD + n);
	assert_memory_equal(frame->bytes, head, HEAD);
	assert_memory_equal(frame->bytes + HEAD, bytes, n);
}

static void
reads(int peer, const void *bytes, size_t n)
{
	uint8_t got[MOST + 1];

	assert_int_equal(recv(peer, got, sizeof(got), 0), n);
	assert_memory_equal(got, bytes, n);
}

/* The next OPEN. Returns its tag. */
static uint32_t
takes_open(struct play *p, unsigned int port, uint32_t beside)
{
	struct ipc_buffer buffer;

	play_take(p, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.protocol, PROTOCOL_UDP);
	assert_int_equal(buffer.any.OPEN_body.kind, IPC_CONNECT);
	assert_string_equal(buffer.any.OPEN_body.host, "peer.example");
	assert_int_equal(buffer.any.OPEN_body.addr.port, port);
	assert_int_equal(buffer.any.OPEN_body.beside, beside);
	return buffer.any.OPEN_body.tag;
}

static void
takes_end(struct play *p, uint32_t stream, uint32_t reason)
{
	struct ipc_buffer buffer;

	play_take(p, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.stream, stream);
	assert_int_equal(buffer.any.END_body.claimed_reason, reason);
}

static void
test_life(void **state)
{
	uint8_t *bytes = test_malloc(MOST);
	struct play p;
	uint32_t tag;
	int peers[3];

	(void)state;
	play_random(bytes, MOST, 9);
	begin(&p, 8);
	/* what comes before the answer waits */
	say(&p, 40000, 53, "first", 5);
	say(&p, 40000, 53, "", 0);
	say(&p, 40000, 53, bytes, MOST);
	say(&p, 40000, 54, "beside", 6);
	say(&p, 999, 53, "apart", 5);
	tag = takes_open(&p, 53, 0);
	peers[2] = play_opened_udp(&p, takes_open(&p, 53, 0), 3);
	play_quiet(&p);
	peers[0] = play_opened_udp(&p, tag, 1);
	peers[1] = play_opened_udp(&p, takes_open(&p, 54, 1), 2);
	reads(peers[0], "first", 5);
	reads(peers[0], "", 0);
	reads(peers[0], bytes, MOST);
	reads(peers[1], "beside", 6);
	reads(peers[2], "apart", 5);
	assert_int_equal(send(peers[0], bytes, MOST, 0), MOST);
	hears(&p, 53, 40000, bytes, MOST);
	assert_int_equal(send(peers[1], "", 0, 0), 0);
	hears(&p, 54, 40000, "", 0);
	assert_int_equal(send(peers[2], "answer", 6, 0), 6);
	hears(&p, 53, 999, "answer", 6);
	/* no request for what is open */
	say(&p, 40000, 54, "more", 4);
	reads(peers[1], "more", 4);
	play_quiet(&p);
	for (int i = 0; i < 3; i++)
		close(peers[i]);
	test_free(bytes);
	play_lost(&p);
}

static void
test_ignored(void **state)
{
	static const uint8_t other_type[] = {2, 0, 1, 0, 0, 0, 53, 'x'};
	uint8_t *bytes = test_calloc(1, MOST + 1);
	struct play p;
	int peer;

	(void)state;
	begin(&p, 8);
	play_frame(&p, 0x82, "", 0);
	play_frame(&p, 0x82, "\x01\0\x01\0\0\0", 6);
	play_frame(&p, 0x82, other_type, sizeof(other_type));
	say(&p, 1, 0, "port 0", 6);
	say(&p, 1, 53, bytes, MOST + 1);
	play_quiet(&p);
	/* in pieces it is the same message */
	play_frame(&p, 0x02, "\x01\0\x01\0", 4);
	play_frame(&p, 0x80, "\0\0\x35pieces", 9);
	say(&p, 1, 53, bytes, MOST + 1);
	say(&p, 1, 53, "whole", 5);
	peer = play_opened_udp(&p, takes_open(&p, 53, 0), 1);
	reads(peer, "pieces", 6);
	reads(peer, "whole", 5);
	close(peer);
	test_free(bytes);
	play_lost(&p);
}

static void
test_text(void **state)
{
	struct play p;

	(void)state;
	begin(&p, 8);
	play_text(&p, "text");
	play_expect_close(&p, 1003, "udp-relay takes binary messages only");
	play_end(&p, WORKER_DIALECT_VIOLATION);
}

static void
test_refused_from_the_start(void **state)
{
	struct play p;

	(void)state;
	begin(&p, 8);
	say(&p, 1, 53, "x", 1);
	play_refused(&p, takes_open(&p, 53, 0), REASON_NO_RULE);
	play_expect_close(&p, 4003, "no-rule: ");
	play_frame(&p, 0x88, "\x0f\xa3", 2);
	play_expect_eof(&p);
	play_end(&p, WORKER_DONE);
}

/* Once something was open, a refusal is one datagram that is lost, as datagrams are. */
static void
test_refused_later(void **state)
{
	struct pollfd ready;
	struct play p;
	int peer;

	(void)state;
	begin(&p, 8);
	ready = (struct pollfd){.fd = p.broker, .events = POLLIN};
	say(&p, 1, 53, "x", 1);
	peer = play_opened_udp(&p, takes_open(&p, 53, 0), 1);
	reads(peer, "x", 1);
	say(&p, 1, 25, "y", 1);
	play_refused(&p, takes_open(&p, 25, 1), REASON_PORT_CLOSED);
	/* the next one after the refusal asks again */
	do {
		say(&p, 1, 25, "z", 1);
	} while (poll(&ready, 1, 100) == 0);
	play_refused(&p, takes_open(&p, 25, 1), REASON_PORT_CLOSED);
	assert_int_equal(send(peer, "still", 5, 0), 5);
	hears(&p, 53, 1, "still", 5);
	close(peer);
	play_lost(&p);
}

/* The one that was used longest ago gives its place up. */
static void
test_channels(void **state)
{
	struct play p;
	int peers[3];

	(void)state;
	begin(&p, 2);
	say(&p, 1, 53, "a", 1);
	peers[0] = play_opened_udp(&p, takes_open(&p, 53, 0), 1);
	reads(peers[0], "a", 1);
	say(&p, 2, 53, "b", 1);
	peers[1] = play_opened_udp(&p, takes_open(&p, 53, 0), 2);
	reads(peers[1], "b", 1);
	/* received counts as used, too */
	assert_int_equal(send(peers[0], "c", 1, 0), 1);
	hears(&p, 53, 1, "c", 1);
	say(&p, 3, 53, "d", 1);
	takes_end(&p, 2, REASON_CHANNELS_LIMIT);
	peers[2] = play_opened_udp(&p, takes_open(&p, 53, 0), 3);
	reads(peers[2], "d", 1);
	/* of a guest's only port the near port goes with it */
	say(&p, 1, 53, "e", 1);
	reads(peers[0], "e", 1);
	say(&p, 3, 54, "f", 1);
	takes_end(&p, 3, REASON_CHANNELS_LIMIT);
	close(peers[1]);
	peers[1] = play_opened_udp(&p, takes_open(&p, 54, 0), 4);
	reads(peers[1], "f", 1);
	for (int i = 0; i < 3; i++)
		close(peers[i]);
	play_lost(&p);
}

/* One that is not open yet has no place to give up: the newest datagram is lost. */
static void
test_channels_still_asked_for(void **state)
{
	struct play p;
	uint32_t tag;
	int peer;

	(void)state;
	begin(&p, 1);
	say(&p, 1, 53, "a", 1);
	tag = takes_open(&p, 53, 0);
	say(&p, 2, 53, "lost", 4);
	play_quiet(&p);
	peer = play_opened_udp(&p, tag, 1);
	reads(peer, "a", 1);
	close(peer);
	say(&p, 2, 54, "b", 1);
	takes_end(&p, 1, REASON_CHANNELS_LIMIT);
	peer = play_opened_udp(&p, takes_open(&p, 54, 0), 2);
	reads(peer, "b", 1);
	close(peer);
	play_lost(&p);
}

static void
test_cut_and_again(void **state)
{
	const struct ipc_cut cut = {{MSG_CUT}, 1, REASON_IDLE};
	struct play p;
	int peer;

	(void)state;
	begin(&p, 2);
	say(&p, 1, 53, "a", 1);
	peer = play_opened_udp(&p, takes_open(&p, 53, 0), 1);
	reads(peer, "a", 1);
	play_post(&p, &cut, sizeof(cut), 0);
	takes_end(&p, 1, REASON_IDLE);
	close(peer);
	say(&p, 1, 53, "b", 1);
	peer = play_opened_udp(&p, takes_open(&p, 53, 0), 2);
	reads(peer, "b", 1);
	close(peer);
	play_lost(&p);
}

/* What is no destination is asked for all the same, so that it is on record. */
static void
test_malformed_host(void **state)
{
	struct ipc_buffer buffer;
	struct play p;

	(void)state;
	play_begin(&p, true);
	play_upgrade(&p, "/udp-relay/a%20b", "", NULL);
	play_grant(&p, 2, 1U << 20);
	say(&p, 1, 53, "a", 1);
	play_take(&p, MSG_OPEN, &buffer);
	assert_string_equal(buffer.any.OPEN_body.host, "a b");
	play_refused(&p, buffer.any.OPEN_body.tag, REASON_NAME_INVALID);
	play_expect_close(&p, 4003, "name-invalid");
	play_frame(&p, 0x88, "\x0f\xa3", 2);
	play_expect_eof(&p);
	play_end(&p, WORKER_DONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_refused_from_the_start),
		cmocka_unit_test(test_refused_later),
		cmocka_unit_test(test_channels),
		cmocka_unit_test(test_channels_still_asked_for),
		cmocka_unit_test(test_cut_and_again),
		cmocka_unit_test(test_malformed_host),
	};

	return cmocka_run_group_tests_name("session_relay", tests, NULL, NULL);
}
