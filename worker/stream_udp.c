/* SPDX-License-Identifier: ISC */
/*
 * What is different over UDP. A write(2) is a datagram, and so is a read(2), of 0
 * bytes too. An error is the answer to a datagram that went before (ICMP), and takes
 * the place of this call's result: so the call is made again.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "worker/stream.h"

#define TRIES 8 /* of one call that errors answer */

/* Returns whether the socket is full; else the datagram went out, or will never. */
static bool
full(struct stream *s, const uint8_t *bytes, size_t n, uint64_t now_ms)
{
	for (int i = 0; i < TRIES; i++) {
		if (write(s->fd, bytes, n) >= 0) {
			s->claimed_up += n;
			s->datagrams_up++;
			s->progress_ms = now_ms;
			return false;
		}
		if (errno == EAGAIN)
			return true;
		if (errno == EINTR)
			continue;
		s->dropped++;
		/* Only this one tells of another datagram. */
		if (errno != ECONNREFUSED)
			return false;
	}
	return false;
}

static int
wait_in_line(struct stream *s, const void *bytes, size_t n)
{
	const uint16_t length = (uint16_t)n;

	_Static_assert(STREAM_DATAGRAM_MOST <= UINT16_MAX, "a length fits");
	if (s->datagrams == STREAM_DATAGRAMS || n + sizeof(length) > s->up.most - s->up.length) {
		s->dropped++;
		return 0;
	}
	if (buffer_add(&s->up, &length, sizeof(length)) < 0 || buffer_add(&s->up, bytes, n) < 0) {
		/* A length alone must not stay. */
		buffer_free(&s->up);
		s->datagrams = 0;
		errno = ENOMEM;
		return -1;
	}
	s->datagrams++;
	return 0;
}

int
stream_push_datagram(struct stream *s, const void *bytes, size_t n, uint64_t now_ms)
{
	if (n > STREAM_DATAGRAM_MOST) {
		errno = EMSGSIZE;
		return -1;
	}
	if (s->up_broken)
		return 0;
	if (s->fd >= 0 && !s->datagrams && !full(s, bytes, n, now_ms))
		return 0;
	return wait_in_line(s, bytes, n);
}

void
stream_write_datagrams(struct stream *s, uint64_t now_ms)
{
	while (s->datagrams) {
		const uint8_t *head = buffer_head(&s->up);
		uint16_t length;

		memcpy(&length, head, sizeof(length));
		if (full(s, head + sizeof(length), length, now_ms))
			return;
		buffer_drop(&s->up, sizeof(length) + length);
		s->datagrams--;
	}
}

bool
stream_read_datagram(struct stream *s, void *bytes, size_t size, size_t *n, uint64_t now_ms)
{
	if (s->eof || s->fd < 0)
		return false;
	for (int i = 0; i < TRIES; i++) {
		ssize_t got = read(s->fd, bytes, size);

		/* Over IPv6 one may be longer than any that a client may send back. */
		if (got > (ssize_t)STREAM_DATAGRAM_MOST) {
			s->dropped++;
			continue;
		}
		if (got >= 0) {
			s->claimed_down += (uint64_t)got;
			s->datagrams_down++;
			s->progress_ms = now_ms;
			*n = (size_t)got;
			/* One that was shut down is still heard: a peer that floods has no say. */
			s->eof = s->hung && ++s->last_words >= STREAM_DATAGRAMS;
			return true;
		}
		if (errno == EAGAIN)
			break;
		if (errno != EINTR)
			s->dropped++;
	}
	/* A socket that was shut down says only that there is nothing now. */
	s->eof = s->hung;
	return false;
}
