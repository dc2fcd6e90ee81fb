/* SPDX-License-Identifier: ISC */
#include "tests/unit/scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void
on_begin(void *who, bool text)
{
	struct scene *s = who;

	s->begun++;
	s->text = text;
}

static void
on_chunk(void *who, const uint8_t *bytes, size_t n)
{
	struct scene *s = who;

	assert_true(n <= sizeof(s->got) - s->n);
	memcpy(s->got + s->n, bytes, n);
	s->n += n;
}

static void
on_end(void *who)
{
	((struct scene *)who)->ended++;
}

static bool
is_full(void *who)
{
	return ((struct scene *)who)->full;
}

int
scene_start(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	const struct ws_reader reader = {s, on_begin, on_chunk, on_end, is_full};
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	assert_non_null(s);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	s->client = fds[0];
	s->ws.now_ms = 1000;
	ws_start(&s->ws, fds[1], &reader);
	assert_int_equal(ws_upgrade(&s->ws, "HI", 2, "", 0), 0);
	ws_release(&s->ws, 100000);
	*state = s;
	return 0;
}

int
scene_stop(void **state)
{
	struct scene *s = *state;

	ws_stop(&s->ws);
	close(s->client);
	close(s->ws.fd);
	free(s);
	return 0;
}

void
scene_read(struct scene *s)
{
	for (;;) {
		ssize_t n = read(s->client, s->out + s->out_n, sizeof(s->out) - s->out_n);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			s->out_eof = true;
			return;
		}
		s->out_n += (size_t)n;
	}
}

void
scene_turn(struct scene *s)
{
	for (int i = 0; i < 200; i++)
		ws_ready(&s->ws, ws_wants(&s->ws));
}

void
scene_send(struct scene *s, const void *bytes, size_t n)
{
	assert_int_equal(write(s->client, bytes, n), n);
}

void
scene_frame(struct scene *s, unsigned int first, const void *payload, size_t n)
{
	uint8_t frame[14 + 70000] = {(uint8_t)first};
	size_t at = 2;

	assert_true(n < 65536);
	frame[1] = (uint8_t)(0x80 | (n < 126 ? n : 126));
	if (n >= 126) {
		frame[at++] = (uint8_t)(n >> 8);
		frame[at++] = (uint8_t)n;
	}
	at += 4; /* a mask of zeros */
	memcpy(frame + at, payload, n);
	scene_send(s, frame, at + n);
}

void
scene_expect(struct scene *s, const void *bytes, size_t n)
{
	scene_read(s);
	assert_int_equal(s->out_n, n + 2);
	assert_memory_equal(s->out + 2, bytes, n);
}

size_t
scene_fill(struct scene *s)
{
	static uint8_t bytes[60000];
	size_t n = 0;

	while (ws_room(&s->ws)) {
		ws_send(&s->ws, false, bytes, sizeof(bytes));
		n += sizeof(bytes);
		assert_true(n < SCENE_MOST);
	}
	return n;
}
