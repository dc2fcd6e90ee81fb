/* SPDX-License-Identifier: ISC */
/* Longer parts of a play: sessions of each dialect. */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/play.h"

int
play_raw(struct play *p, const char *target)
{
	struct ipc_buffer buffer;

	play_begin(p, true);
	play_upgrade(p, target, "", NULL);
	play_grant(p, 8, 1U << 20);
	play_take(p, MSG_OPEN, &buffer);
	assert_string_equal(buffer.any.OPEN_body.host, "db.example");
	assert_int_equal(buffer.any.OPEN_body.addr.port, 5432);
	assert_int_equal(buffer.any.OPEN_body.protocol, PROTOCOL_TCP);
	assert_int_not_equal(buffer.any.OPEN_body.tag, 0);
	return play_opened(p, buffer.any.OPEN_body.tag, 77);
}

void
play_netproxy(struct play *p, uint32_t channels)
{
	struct ipc_auth auth;

	play_begin(p, true);
	play_upgrade(p, "/netproxy?token=t0", "", &auth);
	assert_int_equal(auth.dialect, DIALECT_NETPROXY);
	assert_string_equal(auth.token, "t0");
	play_grant(p, channels, 1U << 20);
}

uint32_t
play_take_open(struct play *p, const char *host, unsigned int port)
{
	struct ipc_buffer buffer;

	play_take(p, MSG_OPEN, &buffer);
	assert_string_equal(buffer.any.OPEN_body.host, host);
	assert_int_equal(buffer.any.OPEN_body.addr.port, port);
	return buffer.any.OPEN_body.tag;
}

void
play_expect_end(struct play *p, uint64_t up, uint64_t down)
{
	struct ipc_buffer buffer;

	play_take(p, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.stream, 77);
	assert_int_equal(buffer.any.END_body.claimed_up, up);
	assert_int_equal(buffer.any.END_body.claimed_down, down);
}

void
play_expect_counts(struct play *p, unsigned int code, unsigned int status)
{
	struct ipc_buffer buffer;

	play_take(p, MSG_COUNTS, &buffer);
	assert_int_equal(buffer.any.COUNTS_body.claimed_close, code);
	assert_int_equal(buffer.any.COUNTS_body.claimed_http, status);
}

void
play_lost(struct play *p)
{
	close(p->client);
	p->client = -1;
	play_end(p, WORKER_CLIENT_LOST);
}
