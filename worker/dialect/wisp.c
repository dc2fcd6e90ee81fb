/* SPDX-License-Identifier: ISC */
#include "worker/dialect/wisp.h"

#include <stdlib.h>

#include "worker/closing.h"
#include "worker/token.h"

/* /wisp, with or without one slash behind it. */
static bool
begin(struct session *s, const struct target *target, const char *query, size_t n)
{
	struct wisp *wisp = s->mine;
	struct http_span answered;

	(void)query;
	(void)n;
	if (target->segments > 1 || (target->segments == 1 && target->segment[0].raw_length))
		return false;
	/* Whoever got a subprotocol back waits for INFO; anybody else for CONTINUE. */
	wisp->v2 = token_protocol(&s->head, s->head_bytes, true, &answered);
	return true;
}

static void
granted(struct session *s)
{
	struct wisp *wisp = s->mine;

	wisp->info_awaited = wisp->v2;
	if (wisp->v2)
		wisp_say_info(s);
	else
		wisp_say_credit(s, 0, WISP_CREDIT);
}

/* --- streams ------------------------------------------------------------------------ */

struct stream *
wisp_find(struct session *s, uint32_t id)
{
	struct stream *stream = NULL;

	while ((stream = session_next(s, stream))) {
		const struct wisp_stream *mine = stream->owner;

		if (mine->id == id)
			return stream;
	}
	return NULL;
}

bool
wisp_credit(struct session *s, struct stream *stream)
{
	struct wisp_stream *mine = stream->owner;

	/* What waits is what the destination does not take: then the client waits too. */
	if (!mine->opened || mine->credit > WISP_CREDIT / 2 || stream->up.length)
		return false;
	mine->credit += WISP_CREDIT;
	wisp_say_credit(s, mine->id, WISP_CREDIT);
	return true;
}

void
wisp_give_up(struct session *s, struct stream *stream, uint32_t reason)
{
	struct wisp *wisp = s->mine;

	if (wisp->sink == stream)
		wisp->sink = NULL;
	free(stream->owner);
	session_drop(s, stream, reason);
}

/* --- messages of the WebSocket -------------------------------------------------------- */

static void
message_begin(struct session *s, bool text)
{
	struct wisp *wisp = s->mine;

	wisp->reading = WISP_READ_HEAD;
	wisp->sink = NULL;
	gather_begin(s, &wisp->message, text);
	if (text)
		session_violation(s, CLOSE_UNSUPPORTED, "Wisp takes binary messages only");
}

static void
push(struct session *s, const uint8_t *bytes, size_t n)
{
	struct wisp *wisp = s->mine;
	struct stream *stream = wisp->sink;

	if (!stream || !n || session_push(s, stream, bytes, n) == 0)
		return;
	/* More than may wait: the client is not read any more before it comes to this. */
	wisp_say_close(s, ((struct wisp_stream *)stream->owner)->id, WISP_THROTTLED);
	stream_cut(stream, REASON_CONNECT_FAILED);
	wisp_give_up(s, stream, REASON_CONNECT_FAILED);
}

/* The head is there: where do the bytes behind it go? */
static void
choose(struct session *s)
{
	struct wisp *wisp = s->mine;
	const uint8_t *bytes = gather_bytes(&wisp->message);
	struct stream *stream;

	wisp->reading = WISP_READ_WHOLE;
	if (bytes[0] != WISP_DATA)
		return;
	if (wisp->info_awaited)
		wisp_begin_v1(s);
	stream = wisp_find(s, wisp_u32(bytes + 1));
	/* A datagram goes out in one piece. */
	if (stream && stream->protocol == PROTOCOL_UDP)
		return;
	wisp->reading = WISP_READ_DATA;
	wisp->sink = stream;
	push(s, bytes + WISP_HEAD, wisp->message.bytes.length - WISP_HEAD);
	gather_free(&wisp->message);
}

static void
message_chunk(struct session *s, const uint8_t *bytes, size_t n)
{
	struct wisp *wisp = s->mine;

	if (wisp->reading == WISP_READ_DATA) {
		push(s, bytes, n);
		return;
	}
	if (!gather_chunk(s, &wisp->message, bytes, n))
		return;
	if (wisp->reading == WISP_READ_HEAD && wisp->message.bytes.length >= WISP_HEAD)
		choose(s);
}

/* A packet of DATA for it has come. One beyond the credit is taken like any other. */
static void
count(struct session *s, struct stream *stream)
{
	struct wisp_stream *mine = stream->owner;

	if (mine->credit)
		mine->credit--;
	(void)wisp_credit(s, stream);
}

static void
message_end(struct session *s)
{
	struct wisp *wisp = s->mine;

	switch (wisp->reading) {
	case WISP_READ_HEAD:
		session_violation(s, CLOSE_PROTOCOL, "a packet is shorter than its head");
		break;
	case WISP_READ_WHOLE:
		wisp_serve(s, gather_bytes(&wisp->message), wisp->message.bytes.length);
		break;
	case WISP_READ_DATA:
		if (wisp->sink)
			count(s, wisp->sink);
		break;
	}
	wisp->sink = NULL;
	gather_free(&wisp->message);
}

/* --- what the broker and the destination say ------------------------------------------- */

static void
opened(struct session *s, struct stream *stream)
{
	const struct wisp *wisp = s->mine;
	struct wisp_stream *mine = stream->owner;

	mine->opened = true;
	if (stream->protocol == PROTOCOL_UDP || wisp_credit(s, stream) || !wisp->confirm)
		return;
	wisp_say_credit(s, mine->id, mine->credit);
}

static void
refused(struct session *s, struct stream *stream, uint32_t reason, const struct ipc_addr *peer)
{
	struct wisp *wisp = s->mine;
	struct wisp_stream *mine = stream->owner;

	(void)peer;
	wisp_say_close(s, mine->id, wisp_reason_of(reason));
	if (wisp->sink == stream)
		wisp->sink = NULL;
	free(mine);
	stream->owner = NULL;
}

static void
written(struct session *s, struct stream *stream)
{
	if (stream->protocol == PROTOCOL_TCP)
		(void)wisp_credit(s, stream);
}

static void
data(struct session *s, struct stream *stream, const uint8_t *bytes, size_t n)
{
	const struct wisp_stream *mine = stream->owner;

	wisp_say_data(s, mine->id, bytes, n);
}

static void
ended(struct session *s, struct stream *stream, uint32_t reason)
{
	const struct wisp_stream *mine = stream->owner;

	wisp_say_close(s, mine->id, wisp_reason_of(reason));
	wisp_give_up(s, stream, REASON_PEER_CLOSED);
}

static void
stop(struct session *s)
{
	struct wisp *wisp = s->mine;
	struct stream *stream = NULL;

	while ((stream = session_next(s, stream))) {
		free(stream->owner);
		stream->owner = NULL;
	}
	gather_free(&wisp->message);
}

const struct dialect_ops dialect_wisp = {
	.number = DIALECT_WISP,
	.path = "wisp",
	.size = sizeof(struct wisp),
	.echo_any_subprotocol = true,
	.begin = begin,
	.granted = granted,
	.message_begin = message_begin,
	.message_chunk = message_chunk,
	.message_end = message_end,
	.opened = opened,
	.refused = refused,
	.written = written,
	.data = data,
	.ended = ended,
	.stop = stop,
};
