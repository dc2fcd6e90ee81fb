/* SPDX-License-Identifier: ISC */
#include "worker/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/tls.h"

#define UNWATCHED (~0U)

static bool
is_udp(const struct stream *s)
{
	return s->protocol == PROTOCOL_UDP;
}

void
stream_ask(struct stream *s, uint32_t tag, size_t most)
{
	memset(s, 0, sizeof(*s));
	s->state = STREAM_ASKED;
	s->fd = -1;
	s->tag = tag;
	s->protocol = PROTOCOL_TCP;
	s->up.most = most;
	s->events = UNWATCHED;
}

/* TLS whose handshake is not complete: nothing of the client's may go out. */
static bool
unsecured(const struct stream *s)
{
	return s->protocol == PROTOCOL_TLS && !s->secure;
}

void
stream_break_up(struct stream *s)
{
	s->up_broken = true;
	s->datagrams = 0;
	buffer_free(&s->up);
}

/* Returns how many bytes the socket took. */
static size_t
put(struct stream *s, const uint8_t *bytes, size_t n, uint64_t now_ms)
{
	size_t done = 0;

	if (s->protocol == PROTOCOL_TLS)
		return stream_tls_put(s, bytes, n, now_ms);
	while (done < n) {
		ssize_t wrote = write(s->fd, bytes + done, n - done);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0 && errno != EAGAIN)
			stream_break_up(s);
		if (wrote <= 0)
			break;
		done += (size_t)wrote;
		s->progress_ms = now_ms;
	}
	s->claimed_up += done;
	return done;
}

static void
shut_if_due(struct stream *s)
{
	if (!s->shut_asked || s->shut || s->up.length || s->up_broken || s->fd < 0)
		return;
	/* Nobody waits for what an unfinished handshake would lead to. */
	if (unsecured(s) && s->state != STREAM_FINISHING)
		return;
	if (s->secure && !stream_tls_bye(s))
		return;
	(void)shutdown(s->fd, SHUT_WR);
	s->shut = true;
}

void
stream_write(struct stream *s, uint64_t now_ms)
{
	if (s->fd < 0)
		return;
	if (is_udp(s)) {
		stream_write_datagrams(s, now_ms);
		return;
	}
	if (unsecured(s) && s->state == STREAM_FINISHING && s->up.length)
		stream_handshake(s, now_ms);
	if (s->up.length && !unsecured(s)) {
		size_t done = put(s, buffer_head(&s->up), s->up.length, now_ms);

		if (!s->up_broken)
			buffer_drop(&s->up, done);
	}
	shut_if_due(s);
}

void
stream_connect(struct stream *s, int fd, uint32_t id, uint64_t now_ms)
{
	s->state = STREAM_OPEN;
	s->deadline_ms = 0;
	s->fd = fd;
	s->id = id;
	s->progress_ms = now_ms;
	stream_write(s, now_ms);
}

int
stream_push(struct stream *s, const void *bytes, size_t n, uint64_t now_ms)
{
	const uint8_t *from = bytes;

	if (is_udp(s))
		return stream_push_datagram(s, bytes, n, now_ms);
	if (s->up_broken || s->shut_asked)
		return 0;
	if (n > s->up.most - s->up.length) {
		errno = ENOBUFS;
		return -1;
	}
	if (s->fd >= 0 && !s->up.length && !unsecured(s)) {
		size_t done = put(s, from, n, now_ms);

		if (s->up_broken)
			return 0;
		from += done;
		n -= done;
	}
	return buffer_add(&s->up, from, n);
}

void
stream_shut(struct stream *s, uint64_t now_ms)
{
	if (s->listening || !s->protocol || is_udp(s))
		return;
	if (!s->shut_asked)
		s->progress_ms = now_ms;
	s->shut_asked = true;
	shut_if_due(s);
}

size_t
stream_read(struct stream *s, void *bytes, size_t size)
{
	ssize_t n;

	if (s->eof || s->fd < 0)
		return 0;
	/* What comes while it is finished is for nobody. */
	if (s->protocol == PROTOCOL_TLS && s->state != STREAM_FINISHING)
		return stream_tls_read(s, bytes, size);
	do {
		n = read(s->fd, bytes, size);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		s->claimed_down += (uint64_t)n;
		return (size_t)n;
	}
	if (n < 0 && errno == EAGAIN)
		return 0;
	s->eof = true;
	s->reset = n < 0;
	return 0;
}

void
stream_cut(struct stream *s, uint32_t reason)
{
	s->reason = reason;
	stream_break_up(s);
	/* No event need come of these: UDP has no end, and what listens no socket. */
	if (is_udp(s))
		s->hung = true;
	if (s->listening)
		s->eof = true;
}

void
stream_finish(struct stream *s, uint32_t reason, uint64_t now_ms)
{
	if (reason == REASON_CONNECT_FAILED && s->shut_asked)
		reason = REASON_CLIENT_CLOSED;
	if (s->reason == REASON_NONE)
		s->reason = s->fault ? s->fault : reason;
	if (reason == REASON_CONNECT_FAILED)
		s->broken = true;
	if (s->state == STREAM_ASKED) {
		s->state = STREAM_ABANDONED;
		s->deadline_ms = now_ms + STREAM_ANSWER_MS;
	}
	if (s->state != STREAM_OPEN && s->state != STREAM_SECURING)
		return;
	s->state = STREAM_FINISHING;
	s->deadline_ms = 0;
	/* After close_notify the socket has an end of its own. */
	if (s->protocol == PROTOCOL_TLS && !s->fault)
		s->eof = false;
	s->fresh = true;
	s->progress_ms = now_ms;
	s->finish_ms = now_ms + STREAM_FINISH_MS;
	if (!s->broken)
		stream_shut(s, now_ms);
}

static void
drain(struct stream *s, void *scratch, size_t size)
{
	/* A few pieces a turn, so that other streams have theirs. */
	for (int i = 0; i < 8 && !s->eof; i++) {
		size_t n = stream_read(s, scratch, size);

		if (!n)
			return;
		s->drained += n;
	}
}

/* TLS: does close_notify wait for room? */
static bool
unsaid(const struct stream *s)
{
	return s->secure && s->shut_asked && !s->shut && !s->up_broken;
}

static void
end(struct stream *s)
{
	s->state = STREAM_ENDED;
	if (s->fd < 0)
		return;
	/*
	 * The rest of what is still open is the broker's to shut down: a far end that
	 * goes on sending would be answered with a reset, and the broker, which looks at
	 * the socket first, could not tell whether that one had ended.
	 */
	if (is_udp(s))
		(void)shutdown(s->fd, SHUT_RDWR);
	else if (!s->shut && (s->reason == REASON_NONE || s->reason == REASON_CLIENT_CLOSED ||
			      s->reason == REASON_PEER_CLOSED))
		s->reason = s->fault ? s->fault : REASON_CONNECT_FAILED;
	tls_free(s->tls);
	s->tls = NULL;
	close(s->fd);
	s->fd = -1;
	buffer_free(&s->up);
}

bool
stream_step(struct stream *s, void *scratch, size_t size, uint64_t now_ms)
{
	if (s->state == STREAM_ABANDONED && now_ms >= s->deadline_ms)
		stream_break_up(s);
	if (s->state != STREAM_FINISHING)
		return s->state == STREAM_ENDED;
	stream_write(s, now_ms);
	if (!s->shut && !s->up_broken && now_ms >= stream_deadline(s))
		stream_break_up(s);
	/* A handshake reads for itself. */
	if (!is_udp(s) && !(unsecured(s) && s->up.length))
		drain(s, scratch, size);
	if (s->up.length || unsaid(s))
		return false;
	if (s->shut && !s->deadline_ms)
		s->deadline_ms = now_ms + STREAM_DRAIN_MS;
	if (s->shut && !s->eof && now_ms < s->deadline_ms && s->drained <= STREAM_DRAIN_BYTES)
		return false;
	end(s);
	return true;
}

uint64_t
stream_deadline(const struct stream *s)
{
	uint64_t stalled = s->progress_ms + STREAM_STALL_MS;

	if (s->eof && !s->told && (s->state == STREAM_OPEN || s->state == STREAM_SECURING))
		return s->tell_ms;
	if (s->state == STREAM_OPEN && is_udp(s) && !s->hung)
		return s->progress_ms + s->idle_ms;
	if ((s->state == STREAM_ABANDONED && s->up.length) || s->state == STREAM_SECURING)
		return s->deadline_ms;
	if (s->state != STREAM_FINISHING)
		return 0;
	if (s->deadline_ms)
		return s->deadline_ms;
	return stalled < s->finish_ms ? stalled : s->finish_ms;
}

uint32_t
stream_wants(const struct stream *s, bool room)
{
	uint32_t wants = 0;

	if (s->fd < 0 || s->hung)
		return UNWATCHED;
	if (unsecured(s) && !s->eof && !s->shut && (s->state == STREAM_SECURING || s->up.length))
		return tls_writing(s->tls) ? EPOLLOUT : EPOLLIN;
	if (s->up.length || unsaid(s))
		wants |= EPOLLOUT;
	if (!s->eof &&
	    (is_udp(s) ? room && s->state == STREAM_OPEN : room || s->state == STREAM_FINISHING))
		wants |= EPOLLIN;
	/* What is watched for nothing is told of errors all the same, and again and again. */
	return is_udp(s) && !wants ? UNWATCHED : wants;
}

bool
stream_idle(const struct stream *s, uint64_t now_ms)
{
	return s->state == STREAM_OPEN && is_udp(s) && !s->hung &&
	       now_ms >= s->progress_ms + s->idle_ms;
}

void
stream_free(struct stream *s)
{
	if (s->fd >= 0)
		end(s);
	buffer_free(&s->up);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}
