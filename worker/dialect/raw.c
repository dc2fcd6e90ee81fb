/* SPDX-License-Identifier: ISC */
/*
 * raw: one TCP stream a session, /raw/HOST/PORT, what websockify's clients
 * speak. Bytes both ways in binary messages, whose borders mean nothing.
 *
 * An empty message of the client is the end of what it sends. It is told of
 * the destination's end by close 1000, after the last byte; or, if it asked
 * with ?eof=message, by an empty message, and then the session ends when both
 * ways have ended.
 */
#include <string.h>

#include "worker/closing.h"
#include "worker/name.h"
#include "worker/session.h"

struct raw {
	char host[IPC_HOST];
	uint16_t port; /* 0: not a valid one */
	bool eof_message;
	bool client_ended;
	bool peer_ended;
	size_t message_length; /* of the message under way */
	struct stream *stream;
};

/* /raw/HOST/PORT. The port is not decoded: digits need no escapes. */
static bool
begin(struct session *s, const struct target *target, const char *query, size_t n)
{
	const struct target_segment *host = &target->segment[0];
	const struct target_segment *port = &target->segment[1];
	struct raw *raw = s->mine;
	char value[16];
	size_t length;

	if (target->segments != 2 || !host->raw_length || !port->raw_length)
		return false;
	raw->port = target_port(port->raw, port->raw_length);
	/* What is no destination is refused by the broker, on record. */
	if (!name_canonical(host->text, host->length, raw->host))
		name_for_record(host->text, host->length, raw->host);
	raw->eof_message =
		target_query(query, n, "eof", value, sizeof(value), &length) == TARGET_FOUND &&
		strcmp(value, "message") == 0;
	return true;
}

static void
granted(struct session *s)
{
	struct raw *raw = s->mine;

	if (!raw->port) {
		session_close_reason(s, REASON_NAME_INVALID);
		return;
	}
	raw->stream = session_open(s, PROTOCOL_TCP, raw->host, raw->port, raw);
	if (!raw->stream)
		session_close_reason(s, REASON_CHANNELS_LIMIT);
}

static void
message_begin(struct session *s, bool text)
{
	struct raw *raw = s->mine;

	raw->message_length = 0;
	if (text)
		session_violation(s, CLOSE_UNSUPPORTED, "raw takes binary messages only");
}

/* What the client sends no longer arrives. */
static void
close_broken(struct session *s)
{
	const struct raw *raw = s->mine;

	if (raw->stream->reason != REASON_NONE)
		session_close_reason(s, raw->stream->reason);
	else
		session_close(s, CLOSE_UNREACHABLE,
			      "peer-closed: the destination broke the connection");
}

static void
message_chunk(struct session *s, const uint8_t *bytes, size_t n)
{
	struct raw *raw = s->mine;

	raw->message_length += n;
	if (raw->client_ended)
		session_violation(s, CLOSE_POLICY, "data after the end of the stream");
	else if (session_push(s, raw->stream, bytes, n) < 0)
		session_violation(s, CLOSE_TOO_BIG, "more than may wait");
	else if (raw->peer_ended && raw->stream->up_broken)
		close_broken(s);
}

static void
end_if_both(struct session *s)
{
	const struct raw *raw = s->mine;

	if (!raw->client_ended || !raw->peer_ended)
		return;
	if (raw->stream->up_broken)
		close_broken(s);
	else
		session_close(s, CLOSE_NORMAL, "");
}

static void
message_end(struct session *s)
{
	struct raw *raw = s->mine;

	if (raw->message_length)
		return;
	raw->client_ended = true;
	session_shut(s, raw->stream);
	end_if_both(s);
}

static void
opened(struct session *s, struct stream *stream)
{
	(void)s;
	(void)stream; /* what the client sent meanwhile has gone out */
}

static void
refused(struct session *s, struct stream *stream, uint32_t reason, const struct ipc_addr *peer)
{
	(void)stream;
	(void)peer;
	session_close_reason(s, reason);
}

static void
data(struct session *s, struct stream *stream, const uint8_t *bytes, size_t n)
{
	(void)stream;
	ws_send(&s->ws, false, bytes, n);
}

static void
ended(struct session *s, struct stream *stream, uint32_t reason)
{
	struct raw *raw = s->mine;

	(void)stream;
	raw->peer_ended = true;
	if (reason == REASON_CONNECT_FAILED) {
		close_broken(s);
	} else if (reason != REASON_PEER_CLOSED) {
		session_close_reason(s, reason);
	} else if (raw->eof_message) {
		ws_send(&s->ws, false, "", 0);
		end_if_both(s);
	} else {
		session_close(s, CLOSE_NORMAL, "");
	}
}

const struct dialect_ops dialect_raw = {
	.number = DIALECT_RAW,
	.path = "raw",
	.size = sizeof(struct raw),
	.begin = begin,
	.granted = granted,
	.message_begin = message_begin,
	.message_chunk = message_chunk,
	.message_end = message_end,
	.opened = opened,
	.refused = refused,
	.data = data,
	.ended = ended,
};
