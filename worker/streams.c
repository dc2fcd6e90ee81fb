/* SPDX-License-Identifier: ISC */
#include "worker/streams.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "worker/answer.h"
#include "worker/ask.h"
#include "worker/session.h"
#include "worker/tls.h"

#define SLOT_BITS 10U
#define SLOT_MASK ((1U << SLOT_BITS) - 1)
#define UNWATCHED (~0U)

/* Most that may wait in all streams together before the client is not read. */
#define ALL_UP_MARK (8U * STREAM_UP_MARK)

/*
 * The broker shuts a stream down before its CUT can be read here. An end that
 * looks like that waits so long for the reason, so as not to pass for an
 * orderly one. A reset is such an end too: the kernel answers data that comes
 * to a socket which was shut down with one.
 */
#define CUT_GRACE_MS 250U

#define DATAGRAMS_TURN 16 /* that are read of one stream before others have a turn */
#define RECORDS_TURN   4  /* of TLS, likewise */

_Static_assert(SESSION_STREAMS <= SLOT_MASK, "a slot's number fits its tag");
_Static_assert(SESSION_PIECE >= TLS_RECORD, "a record is read whole");

int
streams_start(struct session *s)
{
	uint32_t n = s->granted.channels + SESSION_SPARE;

	if (s->granted.channels > SESSION_STREAMS - SESSION_SPARE)
		n = SESSION_STREAMS;
	s->streams = calloc(n, sizeof(*s->streams));
	if (!s->streams)
		return -1;
	s->slots = n;
	return 0;
}

struct stream *
streams_by_tag(struct session *s, uint32_t tag)
{
	uint32_t slot = tag & SLOT_MASK;

	if (slot >= s->used || s->streams[slot].state == STREAM_FREE || s->streams[slot].tag != tag)
		return NULL;
	return &s->streams[slot];
}

struct stream *
streams_by_id(struct session *s, uint32_t id)
{
	for (uint32_t i = 0; i < s->used; i++) {
		struct stream *stream = &s->streams[i];

		bool has_id = stream->fd >= 0 || stream->listening;

		if (has_id && stream->state >= STREAM_SECURING &&
		    stream->state <= STREAM_FINISHING && stream->id == id)
			return stream;
	}
	return NULL;
}

bool
streams_full(const struct session *s)
{
	size_t all = 0;
	uint32_t taken = 0;
	uint32_t lasting = 0;

	for (uint32_t i = 0; i < s->used; i++) {
		const struct stream *stream = &s->streams[i];

		taken += stream->state != STREAM_FREE;
		lasting += stream->state == STREAM_OPEN && stream->reason == REASON_NONE;
		all += stream->up.length;
		if (stream->protocol == PROTOCOL_UDP)
			continue; /* the newest is dropped instead */
		if (stream->state == STREAM_OPEN && stream->up.length >= STREAM_UP_MARK)
			return true;
		if ((stream->state == STREAM_ASKED || stream->state == STREAM_SECURING) &&
		    stream->up.length > STREAM_UP_MARK)
			return true;
	}
	/* What asks for a stream waits for a slot, if one will be free by itself. */
	return all >= ALL_UP_MARK || (taken == s->slots && lasting < taken);
}

/* Hands on some of the datagrams that came. */
static void
pump_datagrams(struct session *s, struct stream *stream)
{
	size_t n;

	for (int i = 0; i < DATAGRAMS_TURN; i++) {
		if (stream->state != STREAM_OPEN || stream->eof || !ws_room(&s->ws) ||
		    !stream_read_datagram(stream, s->piece, sizeof(s->piece), &n, s->now_ms))
			break;
		if (session_heard(s, stream, n))
			s->dialect->data(s, stream, s->piece, n);
	}
	if (stream->eof && !stream->told)
		stream->tell_ms = s->now_ms + CUT_GRACE_MS;
}

/* Hands on one piece of what came from the destination, or some records of TLS. */
static void
pump(struct session *s, struct stream *stream)
{
	int pieces = stream->protocol == PROTOCOL_TLS ? RECORDS_TURN : 1;
	size_t n;

	if (stream->state != STREAM_OPEN || stream->eof || !ws_room(&s->ws))
		return;
	if (stream->protocol == PROTOCOL_UDP) {
		pump_datagrams(s, stream);
		return;
	}
	do {
		n = stream_read(stream, s->piece, sizeof(s->piece));
		if (n)
			s->dialect->data(s, stream, s->piece, n);
	} while (n && --pieces && stream->state == STREAM_OPEN && ws_room(&s->ws));
	if (stream->eof) {
		bool odd = stream->reset || (stream->hung && !stream->shut);

		stream->tell_ms = s->now_ms + (odd ? CUT_GRACE_MS : 0);
	}
}

/* close(2) alone would not end it: the broker's duplicate keeps the socket there. */
static void
unwatch(struct session *s, struct stream *stream)
{
	if (stream->fd >= 0 && stream->events != UNWATCHED)
		(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, stream->fd, NULL);
	stream->events = UNWATCHED;
}

static void
write_up(struct session *s, struct stream *stream)
{
	bool waited = stream->up.length > 0;

	stream_write(stream, s->now_ms);
	if (waited && !stream->up.length && stream->state == STREAM_OPEN && stream->owner &&
	    s->ws.state == WS_OPEN && s->dialect->written)
		s->dialect->written(s, stream);
}

static void
step(struct session *s, struct stream *stream)
{
	unwatch(s, stream);
	if (stream_step(stream, s->piece, sizeof(s->piece), s->now_ms))
		ask_end(s, stream);
}

void
streams_event(struct session *s, uint32_t tag, uint32_t events)
{
	struct stream *stream = streams_by_tag(s, tag);

	if (!stream)
		return;
	if (events & (EPOLLHUP | (stream->protocol == PROTOCOL_UDP ? 0U : EPOLLERR)))
		stream->hung = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		write_up(s, stream);
	if (stream->state == STREAM_FINISHING)
		step(s, stream);
	else if (stream->state == STREAM_SECURING)
		streams_secure(s, stream);
	else
		pump(s, stream);
}

void
streams_secure(struct session *s, struct stream *stream)
{
	if (stream->eof)
		return;
	stream_handshake(stream, s->now_ms);
	if (stream->secure) {
		stream->state = STREAM_OPEN;
		stream->deadline_ms = 0;
		stream_write(stream, s->now_ms);
		if (s->ws.state == WS_OPEN)
			s->dialect->opened(s, stream);
	} else if (stream->eof) {
		/* What the broker shut down looks like these two. */
		bool odd = stream->fault == REASON_TLS_FAILED ||
			   stream->fault == REASON_CONNECT_FAILED;

		stream->tell_ms = s->now_ms + (odd ? CUT_GRACE_MS : 0);
	}
}

/* Its TLS failed: the request was granted, and comes to nothing. */
static void
tell_refused(struct session *s, struct stream *stream, uint32_t reason)
{
	const struct ipc_addr nobody = {0};

	/* If the session ends, its dialect's stop() comes first: the owner is its. */
	if (s->ws.state != WS_OPEN)
		return;
	s->dialect->refused(s, stream, reason, &nobody);
	stream->owner = NULL;
	stream_finish(stream, reason, s->now_ms);
}

/* Does the dialect count on it still? */
static bool
wanted(const struct stream *stream)
{
	return stream->state == STREAM_OPEN || stream->state == STREAM_SECURING;
}

static void
tell_end(struct session *s, struct stream *stream)
{
	uint32_t reason;

	if (!wanted(stream) || !stream->eof || stream->told)
		return;
	/* A CUT is sent before the socket is shut down, but may not be read yet. */
	if (stream->reason == REASON_NONE && (s->now_ms < stream->tell_ms || !answer_take(s)))
		return;
	/* What was taken may have made the dialect drop it. */
	if (s->over || !wanted(stream))
		return;
	reason = stream->reason;
	stream->told = true;
	if (reason == REASON_NONE)
		reason = stream->fault                                       ? stream->fault
			 : stream->reset || stream->protocol == PROTOCOL_UDP ? REASON_CONNECT_FAILED
									     : REASON_PEER_CLOSED;
	if (stream->state == STREAM_SECURING)
		tell_refused(s, stream, reason);
	else if (s->ws.state == WS_OPEN)
		s->dialect->ended(s, stream, reason);
}

static void
watch(struct session *s, struct stream *stream)
{
	uint32_t wants = stream_wants(stream, ws_room(&s->ws));
	struct epoll_event event = {.events = wants, .data.u64 = SESSION_TAG | stream->tag};
	int op = EPOLL_CTL_MOD;

	if (wants == stream->events || stream->fd < 0)
		return;
	if (wants == UNWATCHED)
		op = EPOLL_CTL_DEL;
	else if (stream->events == UNWATCHED)
		op = EPOLL_CTL_ADD;
	if (epoll_ctl(s->epoll, op, stream->fd, &event) < 0)
		session_no_memory(s);
	stream->events = wants;
}

/* Is there something to read that epoll no longer tells of? */
static bool
unwatched_input(const struct session *s, const struct stream *stream)
{
	bool pending = stream->state == STREAM_OPEN && stream->secure && tls_pending(stream->tls);

	if (stream->eof || !(stream->hung || pending))
		return false;
	return stream->state == STREAM_SECURING || stream->state == STREAM_FINISHING ||
	       (stream->state == STREAM_OPEN && ws_room(&s->ws));
}

static void
settle_one(struct session *s, struct stream *stream)
{
	uint64_t deadline;

	if (stream_idle(stream, s->now_ms))
		stream_cut(stream, REASON_IDLE);
	if (stream->state == STREAM_SECURING && (stream->hung || s->now_ms >= stream->deadline_ms))
		streams_secure(s, stream);
	if (unwatched_input(s, stream) && stream->state == STREAM_OPEN)
		pump(s, stream);
	tell_end(s, stream);
	deadline = stream_deadline(stream);
	if (stream->state == STREAM_ABANDONED && deadline && s->now_ms >= deadline)
		step(s, stream);
	if (stream->state == STREAM_FINISHING &&
	    (stream->fresh || unwatched_input(s, stream) || s->now_ms >= deadline)) {
		stream->fresh = false;
		step(s, stream);
	}
	if (stream->state != STREAM_FREE)
		watch(s, stream);
}

void
streams_settle(struct session *s)
{
	for (uint32_t i = 0; i < s->used && !s->over; i++) {
		if (s->streams[i].state != STREAM_FREE)
			settle_one(s, &s->streams[i]);
	}
	if (s->places_wanted && !s->channel_blocked && !s->over)
		ask_again(s);
	while (s->used && s->streams[s->used - 1].state == STREAM_FREE)
		s->used--;
}

uint64_t
streams_deadline(const struct session *s)
{
	uint64_t first = 0;

	for (uint32_t i = 0; i < s->used; i++) {
		uint64_t one = stream_deadline(&s->streams[i]);

		if (unwatched_input(s, &s->streams[i]))
			return s->now_ms;
		if (one && (!first || one < first))
			first = one;
	}
	return first;
}

void
streams_finish(struct session *s, uint32_t reason)
{
	for (uint32_t i = 0; i < s->used; i++)
		stream_finish(&s->streams[i], reason, s->now_ms);
}

bool
streams_busy(const struct session *s)
{
	for (uint32_t i = 0; i < s->used; i++) {
		const struct stream *stream = &s->streams[i];
		enum stream_state state = stream->state;

		if (state >= STREAM_SECURING)
			return true;
		/* The client's last words may have come before the broker's answer. */
		if (state == STREAM_ABANDONED && stream->up.length &&
		    s->now_ms < stream->deadline_ms)
			return true;
	}
	return false;
}

void
streams_stop(struct session *s)
{
	for (uint32_t i = 0; i < s->used; i++) {
		if (s->streams[i].state != STREAM_FREE)
			stream_free(&s->streams[i]);
	}
	free(s->streams);
	s->streams = NULL;
	s->slots = s->used = 0;
}

struct stream *
streams_new(struct session *s)
{
	uint32_t i = 0;

	while (i < s->slots && s->streams[i].state != STREAM_FREE)
		i++;
	if (i == s->slots)
		return NULL;
	if (i >= s->used)
		s->used = i + 1;
	/* Tag 0 means the session itself: generations count from 1. */
	s->generation = s->generation % (UINT32_MAX >> SLOT_BITS) + 1;
	stream_ask(&s->streams[i], s->generation << SLOT_BITS | i,
		   STREAM_UP_MARK + s->granted.message_bytes + WS_INPUT);
	return &s->streams[i];
}
