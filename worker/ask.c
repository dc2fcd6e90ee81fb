/* SPDX-License-Identifier: ISC */
#include "worker/ask.h"

#include <errno.h>

#include "worker/session.h"

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

void
ask_open(struct session *s, struct stream *stream)
{
	stream->unsent = s->channel_blocked || !say(s, &stream->ask, sizeof(stream->ask));
}

void
ask_end(struct session *s, struct stream *stream)
{
	const struct ipc_end end = {
		.head = {MSG_END},
		.stream = stream->id,
		.reason = stream->reason,
		.claimed_up = stream->claimed_up,
		.claimed_down = stream->claimed_down,
	};

	stream->unsent = s->channel_blocked || !say(s, &end, sizeof(end));
	if (!stream->unsent)
		stream_free(stream);
}

void
ask_again(struct session *s)
{
	s->channel_blocked = false;
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
	};

	(void)ipc_post(s->channel, &counts, sizeof(counts));
}
