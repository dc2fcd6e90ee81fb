/* SPDX-License-Identifier: ISC */
/* Longer parts of a play: sessions of each dialect. */
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
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

static int
udp_socket(struct sockaddr_in *name)
{
	static const struct timeval limit = {10, 0};
	socklen_t n = sizeof(*name);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*name = (struct sockaddr_in){.sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)name, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)name, &n), 0);
	return fd;
}

void
play_udp(int fds[2])
{
	struct sockaddr_in names[2];

	for (int i = 0; i < 2; i++)
		fds[i] = udp_socket(&names[i]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			connect(fds[i], (const struct sockaddr *)&names[1 - i], sizeof(names[0])),
			0);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
}

int
play_opened_udp(struct play *p, uint32_t tag, uint32_t stream)
{
	const struct ipc_opened opened = {.head = {MSG_OPENED}, .tag = tag, .stream = stream};
	int ends[2];

	play_udp(ends);
	p->given = ends[1];
	play_post(p, &opened, sizeof(opened), 1);
	close(ends[1]);
	p->given = -1;
	return ends[0];
}

void
play_lost(struct play *p)
{
	close(p->client);
	p->client = -1;
	play_end(p, WORKER_CLIENT_LOST);
}
