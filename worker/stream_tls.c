/* SPDX-License-Identifier: ISC */
/*
 * What is different over TLS: between the stream and its socket there is tls.c. What is
 * counted are the bytes of the socket, as the kernel counts them.
 */
#include <errno.h>

#include "worker/stream.h"
#include "worker/tls.h"

static void
count(struct stream *s)
{
	s->claimed_up = tls_sent(s->tls);
	s->claimed_down = tls_received(s->tls);
}

/* Nothing more comes, and nothing goes out. */
static void
fail_stream(struct stream *s, uint32_t reason)
{
	s->fault = reason;
	s->eof = true;
	stream_break_up(s);
}

void
stream_secure(struct stream *s, struct trust *trust, uint64_t most_ms)
{
	uint32_t reason;

	s->state = STREAM_SECURING;
	s->deadline_ms = most_ms;
	s->tls =
		tls_new(trust, s->ask.addr.family ? "" : s->ask.host, &s->ask.addr, s->fd, &reason);
	if (!s->tls)
		fail_stream(s, reason);
}

void
stream_handshake(struct stream *s, uint64_t now_ms)
{
	uint64_t before = s->claimed_up + s->claimed_down;

	if (s->secure || s->fault)
		return;
	if (tls_handshake(s->tls) == 0)
		s->secure = true;
	else if (errno != EAGAIN)
		fail_stream(s, tls_reason(s->tls));
	else if (s->state == STREAM_SECURING && now_ms >= s->deadline_ms)
		fail_stream(s, REASON_TLS_TIMEOUT);
	count(s);
	if (s->claimed_up + s->claimed_down != before)
		s->progress_ms = now_ms;
}

size_t
stream_tls_put(struct stream *s, const uint8_t *bytes, size_t n, uint64_t now_ms)
{
	size_t done = 0;

	while (done < n) {
		ssize_t wrote = tls_write(s->tls, bytes + done, n - done);

		if (wrote < 0 && errno != EAGAIN)
			stream_break_up(s);
		if (wrote <= 0)
			break;
		done += (size_t)wrote;
	}
	/* A record may go out in parts. */
	if (tls_sent(s->tls) != s->claimed_up)
		s->progress_ms = now_ms;
	s->claimed_up = tls_sent(s->tls);
	return done;
}

size_t
stream_tls_read(struct stream *s, void *bytes, size_t size)
{
	ssize_t n = tls_read(s->tls, bytes, size);
	bool broken = n < 0 && errno != EAGAIN;

	count(s);
	if (n > 0)
		return (size_t)n;
	s->eof = n == 0 || broken;
	s->reset = broken;
	if (broken)
		s->fault = tls_reason(s->tls);
	return 0;
}

bool
stream_tls_bye(struct stream *s)
{
	bool said = tls_bye(s->tls) == 0;

	if (!said && errno != EAGAIN)
		stream_break_up(s);
	s->claimed_up = tls_sent(s->tls);
	return said;
}
