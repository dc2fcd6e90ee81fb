/* SPDX-License-Identifier: ISC */
#include "worker/ask.h"

#include <errno.h>

#include "worker/session.h"
#include "worker/streams.h"

#define WAITING_MOST (SESSION_SPARE / 2) /* requests: the other spare slots are for refusals */

/* Returns whether the channel took it; if not, it is blocked or lost. */
static bool
say(struct session *s, const void *message, size_t n)
{
	if (ipc_post(s->channel, message, n) == 0)
		return true;
	if (errno == EAGAIN)
		s->channel_blocked = true;
	else
		session_broker_lost(s);
	return false;
}

void
ask_auth(struct session *s, const struct ipc_auth *auth)
{
	/* Nothing was said before, so there is room unless the broker is ill. */
	if (say(s, auth, sizeof(*auth)))
		s->state = IPC_ASKED;
	else
		session_broker_lost(s);
}

/*
 * For the broker a stream ends with END: all is written then, and the destination has
 * ended too. The client was told before. So that its next request is not one too
 * many, it waits for an END that is to come; as many do as there are such, within
 * bounds.
 */
static bool
must_wait(const struct session *s)
{
	uint32_t counted = 0;
	uint32_t ending = 0;
	uint32_t waiting = 0;

	for (uint32_t i = 0; i < s->used; i++) {
		const struct stream *stream = &s->streams[i];
		bool ends = stream->state == STREAM_FINISHING || stream->state == STREAM_ENDED;

		ending += ends;
		counted += stream->state != STREAM_FREE && (ends || !stream->unsent);
		waiting += stream->state == STREAM_ASKED && stream->unsent;
	}
	return counted >= s->granted.channels && waiting <= ending && waiting <= WAITING_MOST;
}

/* A near port is shared with a stream that has one, so that one's answer is awaited. */
static bool
must_wait_beside(struct session *s, struct stream *stream)
{
	const struct stream *other = stream->beside ? streams_by_tag(s, stream->beside) : NULL;

	stream->ask.beside = 0;
	if (!other)
		return false;
	if (other->state == STREAM_OPEN || other->state == STREAM_FINISHING)
		stream->ask.beside = other->id;
	return !other->answered &&
	       (other->state == STREAM_ASKED || other->state == STREAM_ABANDONED);
}

void
ask_open(struct session *s, struct stream *stream)
{
	stream->unsent = true;
	if (must_wait_beside(s, stream) || must_wait(s))
		s->places_wanted = true;
	else
		stream->unsent = s->channel_blocked || !say(s, &stream->ask, sizeof(stream->ask));
}

void
ask_end(struct session *s, struct stream *stream)
{
	const struct ipc_end end = {
		.head = {MSG_END},
		.stream = stream->id,
		.claimed_reason = stream->reason,
		.claimed_dropped =
			(uint32_t)(stream->dropped < UINT32_MAX ? stream->dropped : UINT32_MAX),
		.claimed_up = stream->claimed_up,
		.claimed_down = stream->claimed_down,
		.claimed_datagrams_up = stream->datagrams_up,
		.claimed_datagrams_down = stream->datagrams_down,
	};

	stream->unsent = s->channel_blocked || !say(s, &end, sizeof(end));
	if (!stream->unsent)
		stream_free(stream);
}

static void
say_returned(struct session *s)
{
	while (s->n_returned && !s->channel_blocked && !s->over) {
		const struct ipc_end end = {
			.head = {MSG_END},
			.stream = s->returned[s->n_returned - 1],
			.claimed_reason = REASON_CONNECT_FAILED,
		};

		if (say(s, &end, sizeof(end)))
			s->n_returned--;
	}
}

void
ask_return(struct session *s, uint32_t id)
{
	s->returned[s->n_returned++] = id;
	say_returned(s);
}

void
ask_again(struct session *s)
{
	s->channel_blocked = false;
	s->places_wanted = false;
	say_returned(s);
	for (uint32_t i = 0; i < s->slots && !s->channel_blocked && !s->over; i++) {
		struct stream *stream = &s->streams[i];

		if (!stream->unsent)
			continue;
		if (stream->state == STREAM_ENDED)
			ask_end(s, stream);
		else if (stream->state == STREAM_ABANDONED && !stream->up.length)
			stream_free(stream); /* never asked, so no answer comes */
		else
			ask_open(s, stream);
	}
}

void
ask_counts(struct session *s)
{
	const struct ws *ws = &s->ws;
	const struct ipc_counts counts = {
		.head = {MSG_COUNTS},
		.claimed_close = ws->close_queued ? ws->close_code : 0,
		.claimed_http = s->http_status,
		.claimed_messages_in = ws->messages_in,
		.claimed_messages_out = ws->messages_out,
		.claimed_bytes_in = ws->bytes_in,
		.claimed_bytes_out = ws->bytes_out,
		.told = s->told,
	};

	(void)ipc_post(s->channel, &counts, sizeof(counts));
}
