/* SPDX-License-Identifier: ISC */
#include "tests/unit/play.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "worker/session.h"

#define LIMIT_MS 10000

static const struct timeval limit = {LIMIT_MS / 1000, 0};

static void
limit_time(int fd)
{
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
}

static void
pair(int type, int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, type, 0, fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	limit_time(fds[0]);
}

void
play_post(struct play *p, const void *message, size_t n, int n_fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(253 * sizeof(int))];
	} control = {0};
	struct iovec piece = {(void *)(uintptr_t)message, n};
	struct msghdr packet = {.msg_iov = &piece, .msg_iovlen = 1};

	if (n_fds) {
		struct cmsghdr *c = &control.align;

		packet.msg_control = control.room;
		packet.msg_controllen = CMSG_SPACE((size_t)n_fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)n_fds * sizeof(int));
		for (int i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &p->given, sizeof(int));
	}
	assert_int_equal(sendmsg(p->broker, &packet, MSG_NOSIGNAL), (ssize_t)n);
}

void
play_begin(struct play *p, bool send_client)
{
	const struct ipc_client client = {.head = {MSG_CLIENT}};
	int channel[2];
	int connection[2];

	signal(SIGPIPE, SIG_IGN);
	pair(SOCK_SEQPACKET, channel);
	pair(SOCK_STREAM, connection);
	*p = (struct play){.client = connection[0], .broker = channel[0], .given = connection[1]};
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0) {
		struct session *s = calloc(1, sizeof(*s));
		int status;

		close(channel[0]);
		close(connection[0]);
		close(connection[1]);
		status = s ? session_run(s, channel[1]) : 99;
		free(s);
		exit(status);
	}
	close(channel[1]);
	if (!send_client)
		return;
	play_post(p, &client, sizeof(client), 1);
	close(p->given);
	p->given = -1;
}

void
play_end(struct play *p, int status)
{
	int how = 0;
	int waited = 0;

	if (p->client >= 0)
		close(p->client);
	p->client = -1;
	while (waitpid(p->pid, &how, WNOHANG) == 0) {
		if (++waited > LIMIT_MS * 3 / 10)
			kill(p->pid, SIGKILL);
		usleep(10000);
	}
	if (p->broker >= 0)
		close(p->broker);
	if (p->given >= 0)
		close(p->given);
	assert_true(WIFEXITED(how));
	assert_int_equal(WEXITSTATUS(how), status);
}

void
play_write(int fd, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;

	while (n) {
		ssize_t wrote = write(fd, from, n);

		assert_true(wrote > 0);
		from += wrote;
		n -= (size_t)wrote;
	}
}

size_t
play_read(int fd, void *bytes, size_t n)
{
	uint8_t *to = bytes;
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(fd, to + done, n - done);

		if (got < 0 && errno == ECONNRESET)
			return done;
		if (got < 0)
			fail_msg("read: %s", strerror(errno));
		if (!got)
			break;
		done += (size_t)got;
	}
	return done;
}

void
play_send(struct play *p, const void *bytes, size_t n)
{
	play_write(p->client, bytes, n);
}

/* Reads up to and with the empty line. */
static void
read_head(struct play *p, char *head, size_t size)
{
	size_t n = 0;

	do {
		assert_true(n + 1 < size);
		assert_int_equal(play_read(p->client, head + n, 1), 1);
		head[++n] = '\0';
	} while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0);
}

void
play_upgrade(struct play *p, const char *target, const char *fields, struct ipc_auth *auth)
{
	struct ipc_buffer buffer;
	char text[4096];
	int n = snprintf(text, sizeof(text),
			 "GET %s HTTP/1.1\r\nHost: Gw.Example\r\nUpgrade: websocket\r\n"
			 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
			 target, fields);

	play_send(p, text, (size_t)n);
	play_take(p, MSG_AUTH, &buffer);
	if (auth)
		*auth = buffer.any.AUTH_body;
	read_head(p, text, sizeof(text));
	assert_non_null(strstr(text, "HTTP/1.1 101 "));
	assert_non_null(strstr(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

void
play_grant(struct play *p, uint32_t channels, uint32_t message_bytes)
{
	const struct ipc_granted granted = {
		.head = {MSG_GRANTED},
		.terms = {.channels = channels,
			  .message_bytes = message_bytes,
			  .connect_timeout_ms = 30000},
	};

	play_post(p, &granted, sizeof(granted), 0);
}

void
play_frame(struct play *p, unsigned int op, const void *bytes, size_t n)
{
	static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
	uint8_t *frame = test_malloc(n + 14);
	size_t at = 2;

	frame[0] = (uint8_t)op;
	if (n < 126) {
		frame[1] = (uint8_t)(0x80 | n);
	} else if (n < 65536) {
		frame[1] = 0x80 | 126;
		frame[at++] = (uint8_t)(n >> 8);
		frame[at++] = (uint8_t)n;
	} else {
		frame[1] = 0x80 | 127;
		for (int shift = 56; shift >= 0; shift -= 8)
			frame[at++] = (uint8_t)((uint64_t)n >> shift);
	}
	memcpy(frame + at, mask, 4);
	at += 4;
	for (size_t i = 0; i < n; i++)
		frame[at + i] = ((const uint8_t *)bytes)[i] ^ mask[i % 4];
	play_send(p, frame, at + n);
	test_free(frame);
}

void
play_text(struct play *p, const char *text)
{
	play_frame(p, 0x81, text, strlen(text));
}

const struct play_frame *
play_next(struct play *p)
{
	static struct play_frame frame;
	uint8_t head[10];
	size_t extra;

	free(frame.bytes);
	frame = (struct play_frame){0};
	assert_int_equal(play_read(p->client, head, 2), 2);
	assert_int_equal(head[1] & 0x80, 0);
	frame.fin = head[0] & 0x80;
	frame.op = head[0] & 0x0f;
	frame.n = head[1];
	extra = head[1] == 126 ? 2 : head[1] == 127 ? 8 : 0;
	if (extra) {
		assert_int_equal(play_read(p->client, head + 2, extra), extra);
		frame.n = 0;
		for (size_t i = 0; i < extra; i++)
			frame.n = frame.n << 8 | head[2 + i];
	}
	assert_true(frame.n <= PLAY_MOST);
	frame.bytes = calloc(1, frame.n + 1);
	assert_non_null(frame.bytes);
	assert_int_equal(play_read(p->client, frame.bytes, frame.n), frame.n);
	if (frame.op == 8 && frame.n >= 2) {
		frame.code = (unsigned int)(frame.bytes[0] << 8 | frame.bytes[1]);
		frame.n -= 2;
		memmove(frame.bytes, frame.bytes + 2, frame.n + 1);
	}
	return &frame;
}

void
play_expect_text(struct play *p, const char *text)
{
	const struct play_frame *frame = play_next(p);

	assert_int_equal(frame->op, 1);
	assert_string_equal((const char *)frame->bytes, text);
}

void
play_expect_close(struct play *p, unsigned int code, const char *reason)
{
	const struct play_frame *frame = play_next(p);

	assert_int_equal(frame->op, 8);
	assert_int_equal(frame->code, code);
	assert_memory_equal(frame->bytes, reason, strlen(reason));
}

void
play_expect_eof(struct play *p)
{
	char byte;

	assert_int_equal(play_read(p->client, &byte, 1), 0);
	close(p->client);
	p->client = -1;
}

void
play_take(struct play *p, uint32_t type, struct ipc_buffer *buffer)
{
	struct pollfd ready = {.fd = p->broker, .events = POLLIN};
	struct ipc_got got;

	memset(buffer, 0, sizeof(*buffer));
	assert_int_equal(poll(&ready, 1, LIMIT_MS), 1);
	assert_int_equal(ipc_take(p->broker, buffer, &got, false), 0);
	assert_int_equal(buffer->any.head.type, type);
	assert_true(ipc_legal(IPC_SESSION, IPC_ASK, type == MSG_AUTH ? IPC_NEW : IPC_OPEN,
			      &buffer->any, &got));
}

void
play_quiet(struct play *p)
{
	struct pollfd ready = {.fd = p->broker, .events = POLLIN};

	assert_int_equal(poll(&ready, 1, 150), 0);
}

int
play_opened(struct play *p, uint32_t tag, uint32_t stream)
{
	const struct ipc_opened opened = {.head = {MSG_OPENED}, .tag = tag, .stream = stream};
	int ends[2];

	pair(SOCK_STREAM, ends);
	p->given = ends[1];
	play_post(p, &opened, sizeof(opened), 1);
	close(ends[1]);
	p->given = -1;
	return ends[0];
}

void
play_refused(struct play *p, uint32_t tag, uint32_t reason)
{
	const struct ipc_refused refused = {.head = {MSG_REFUSED}, .tag = tag, .reason = reason};

	play_post(p, &refused, sizeof(refused), 0);
}

void
play_random(uint8_t *bytes, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		bytes[i] = (uint8_t)(seed >> 56);
	}
}
