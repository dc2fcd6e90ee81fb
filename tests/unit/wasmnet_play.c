/* SPDX-License-Identifier: ISC */
#include "tests/unit/wasmnet_play.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"

#define MOST 1024

static size_t
from_hex(const char *hex, uint8_t out[MOST])
{
	unsigned int byte;
	size_t n = 0;

	for (; *hex; hex += 2) {
		while (*hex == ' ')
			hex++;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		assert_true(n < MOST);
		out[n++] = (uint8_t)byte;
	}
	return n;
}

void
wn_begin(struct play *p, uint32_t channels)
{
	struct ipc_auth auth;

	play_begin(p, true);
	play_upgrade(p, "/wasmnet", "", &auth);
	assert_int_equal(auth.dialect, DIALECT_WASMNET);
	play_grant(p, channels, 1U << 20);
}

void
wn_send(struct play *p, const char *hex)
{
	uint8_t bytes[MOST];

	play_frame(p, 0x82, bytes, from_hex(hex, bytes));
}

void
wn_expect(struct play *p, const char *hex)
{
	const struct play_frame *frame = play_next(p);
	uint8_t bytes[MOST];
	size_t n = from_hex(hex, bytes);

	assert_int_equal(frame->op, 2);
	assert_int_equal(frame->n, n);
	assert_memory_equal(frame->bytes, bytes, n);
}

void
wn_expect_text(struct play *p, unsigned int type, unsigned int id, const char *text)
{
	const struct play_frame *frame = play_next(p);
	const uint8_t head[9] = {(uint8_t)type, [7] = (uint8_t)(id >> 8), [8] = (uint8_t)id};

	assert_int_equal(frame->op, 2);
	assert_memory_equal(frame->bytes, head, sizeof(head));
	assert_string_equal((const char *)frame->bytes + sizeof(head), text);
}

struct ipc_open
wn_take(struct play *p, unsigned int protocol, unsigned int kind, const char *host)
{
	struct ipc_buffer buffer;

	play_take(p, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.protocol, protocol);
	assert_int_equal(buffer.any.OPEN_body.kind, kind);
	assert_string_equal(buffer.any.OPEN_body.host, host);
	return buffer.any.OPEN_body;
}

int
wn_opened(struct play *p, int type, uint32_t tag, uint32_t stream, struct ipc_addr peer,
	  struct ipc_addr local, const char *said)
{
	static const struct timeval limit = {10, 0};
	const struct ipc_opened opened = {{MSG_OPENED}, tag, stream, peer, local};
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, type, 0, ends), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	if (said)
		play_write(ends[0], said, strlen(said));
	p->given = ends[1];
	play_post(p, &opened, sizeof(opened), 1);
	close(ends[1]);
	p->given = -1;
	return ends[0];
}

void
wn_refused(struct play *p, uint32_t tag, uint32_t reason, struct ipc_addr peer)
{
	const struct ipc_refused refused = {
		.head = {MSG_REFUSED}, .tag = tag, .reason = reason, .peer = peer};

	play_post(p, &refused, sizeof(refused), 0);
}

void
wn_listening(struct play *p, uint32_t tag, uint32_t stream, struct ipc_addr local)
{
	const struct ipc_opened listening = {
		.head = {MSG_LISTENING}, .tag = tag, .stream = stream, .peer = local};

	play_post(p, &listening, sizeof(listening), 0);
}

void
wn_expect_bytes(int fd, const char *bytes, size_t n)
{
	char got[MOST];

	assert_int_equal(read(fd, got, sizeof(got)), n);
	assert_memory_equal(got, bytes, n);
}

void
wn_expect_end(struct play *p, uint32_t stream)
{
	struct ipc_buffer buffer;

	play_take(p, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.stream, stream);
}
