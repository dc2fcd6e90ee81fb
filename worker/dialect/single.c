/* SPDX-License-Identifier: ISC */
#include "worker/dialect/single.h"

#include <string.h>

#include "worker/closing.h"
#include "worker/name.h"

void
single_host(struct single *single, const char *host, size_t n)
{
	if (!name_canonical(host, n, single->host))
		name_for_record(host, n, single->host);
}

bool
single_address(struct single *single, const char *text, size_t n)
{
	const char *colon = memrchr(text, ':', n);

	if (!colon || colon == text)
		return false;
	single_host(single, text, (size_t)(colon - text));
	single->port = target_port(colon + 1, n - (size_t)(colon - text) - 1);
	return true;
}

/* The destination cannot be had, or no longer. */
static void
fail(struct session *s, unsigned int code, const char *text)
{
	const struct single *single = s->mine;

	if (single->fail_code)
		ws_send(&s->ws, false, "", 0);
	session_close(s, single->fail_code ? single->fail_code : code, text);
}

static void
fail_reason(struct session *s, uint32_t reason)
{
	char text[WS_REASON + 1];

	closing_text(reason, text);
	fail(s, closing_code(reason), text);
}

void
single_granted(struct session *s)
{
	struct single *single = s->mine;

	if (!single->port) {
		fail_reason(s, REASON_NAME_INVALID);
		return;
	}
	single->stream = session_open(s, single->udp ? PROTOCOL_UDP : PROTOCOL_TCP, single->host,
				      single->port, single);
	if (!single->stream)
		session_close_reason(s, REASON_CHANNELS_LIMIT);
}

/* What the client sends no longer arrives. */
static void
close_broken(struct session *s)
{
	const struct single *single = s->mine;

	if (single->stream->reason != REASON_NONE)
		session_close_reason(s, single->stream->reason);
	else
		fail(s, CLOSE_UNREACHABLE, "peer-closed: the destination broke the connection");
}

void
single_push(struct session *s, const uint8_t *bytes, size_t n)
{
	struct single *single = s->mine;

	if (single->client_ended)
		session_violation(s, CLOSE_POLICY, "data after the end of the stream");
	else if (session_push(s, single->stream, bytes, n) < 0 && !single->udp)
		session_violation(s, CLOSE_TOO_BIG, "more than may wait");
	else if (single->peer_ended && single->stream->up_broken)
		close_broken(s);
}

static void
end_if_both(struct session *s)
{
	const struct single *single = s->mine;

	if (!single->client_ended || !single->peer_ended)
		return;
	if (single->stream->up_broken)
		close_broken(s);
	else
		session_close(s, CLOSE_NORMAL, "");
}

void
single_end(struct session *s)
{
	struct single *single = s->mine;

	single->client_ended = true;
	session_shut(s, single->stream);
	end_if_both(s);
}

void
single_opened(struct session *s, struct stream *stream)
{
	(void)s;
	(void)stream; /* what the client sent meanwhile has gone out */
}

void
single_refused(struct session *s, struct stream *stream, uint32_t reason,
	       const struct ipc_addr *peer)
{
	(void)stream;
	(void)peer;
	fail_reason(s, reason);
}

void
single_data(struct session *s, struct stream *stream, const uint8_t *bytes, size_t n)
{
	(void)stream;
	ws_send(&s->ws, false, bytes, n);
}

void
single_ended(struct session *s, struct stream *stream, uint32_t reason)
{
	struct single *single = s->mine;

	(void)stream;
	single->peer_ended = true;
	if (reason == REASON_CONNECT_FAILED) {
		close_broken(s);
	} else if (reason != REASON_PEER_CLOSED) {
		session_close_reason(s, reason);
	} else if (single->eof_message) {
		ws_send(&s->ws, false, "", 0);
		end_if_both(s);
	} else {
		session_close(s, CLOSE_NORMAL, "");
	}
}
