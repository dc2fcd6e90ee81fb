/* SPDX-License-Identifier: ISC */
#include "worker/answer.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/ask.h"
#include "worker/session.h"
#include "worker/streams.h"

/* Messages of one turn: a broker that floods does not starve the client. */
#define TURN 64

void
answer_refused(struct session *s)
{
	uint32_t reason = reason_plain(s->early.reason);

	session_exit(s, WORKER_REFUSED);
	if (s->dialect && s->dialect->session_refused)
		s->dialect->session_refused(s, reason);
	else
		session_close_reason(s, reason);
}

/* The first message: the client's socket. */
static void
client(struct session *s, const struct ipc_client *message, int fd)
{
	struct ws_reader reader = s->ws.reader;

	if (s->client >= 0) {
		close(fd);
		session_broker_lost(s);
		return;
	}
	s->client = fd;
	s->proxied = message->proxy;
	ws_start(&s->ws, fd, &reader);
	s->ws.now_ms = s->now_ms;
}

static void
granted(struct session *s, const struct ipc_granted *message)
{
	if (s->ws.state != WS_HELD_UP && s->ws.state < WS_FLUSHING) {
		session_broker_lost(s);
		return;
	}
	s->granted = message->terms;
	s->next_port = (uint32_t)s->now_ms; /* so that not all begin with the same one */
	s->state = IPC_OPEN;
	if (streams_start(s) < 0) {
		session_no_memory(s);
		return;
	}
	ws_release(&s->ws, message->terms.message_bytes);
	if (s->ws.state == WS_OPEN)
		s->dialect->granted(s);
}

/* Is it a request that was not answered yet? */
static bool
awaits_any(const struct stream *stream)
{
	return stream && !stream->answered &&
	       (stream->state == STREAM_ASKED || stream->state == STREAM_ABANDONED);
}

static bool
awaits(const struct stream *stream, enum ipc_open_kind kind)
{
	return awaits_any(stream) && stream->ask.kind == kind;
}

static void
connect_stream(struct session *s, struct stream *stream, const struct ipc_opened *message, int fd)
{
	stream->peer = message->peer;
	stream->local = message->local;
	stream_connect(stream, fd, message->stream, s->now_ms);
	if (stream->protocol == PROTOCOL_TLS)
		stream_secure(stream, s->trust, s->now_ms + s->granted.connect_timeout_ms);
}

/* @listener: NULL when its END crossed this. */
static void
accepted(struct session *s, struct stream *listener, const struct ipc_opened *message, int fd)
{
	bool wanted = listener && listener->state == STREAM_OPEN && !listener->eof &&
		      s->ws.state == WS_OPEN && s->dialect->accepted;
	struct stream *stream = wanted ? streams_new(s) : NULL;

	if (!stream) {
		(void)shutdown(fd, SHUT_RDWR);
		close(fd);
		ask_return(s, message->stream);
		return;
	}
	connect_stream(s, stream, message, fd);
	s->dialect->accepted(s, listener, stream);
}

static void
opened(struct session *s, const struct ipc_opened *message, int fd)
{
	struct stream *stream = streams_by_tag(s, message->tag);
	bool abandoned = stream && stream->state == STREAM_ABANDONED;

	if (stream ? stream->listening && !awaits(stream, IPC_LISTEN) : s->listened) {
		accepted(s, stream, message, fd);
		return;
	}
	if (!awaits(stream, IPC_CONNECT)) {
		close(fd);
		session_broker_lost(s);
		return;
	}
	connect_stream(s, stream, message, fd);
	if (abandoned)
		stream_finish(stream, stream->reason, s->now_ms);
	else if (stream->state == STREAM_SECURING)
		streams_secure(s, stream);
	else if (s->ws.state == WS_OPEN)
		s->dialect->opened(s, stream);
}

static void
listening(struct session *s, const struct ipc_opened *message)
{
	struct stream *stream = streams_by_tag(s, message->tag);
	bool abandoned = stream && stream->state == STREAM_ABANDONED;

	if (!awaits(stream, IPC_LISTEN)) {
		session_broker_lost(s);
		return;
	}
	stream->state = STREAM_OPEN;
	stream->id = message->stream;
	stream->local = message->peer;
	if (abandoned)
		stream_finish(stream, stream->reason, s->now_ms);
	else if (s->ws.state == WS_OPEN && s->dialect->listening)
		s->dialect->listening(s, stream);
}

/* The request is answered. @told: the dialect knows. */
static void
forget(struct session *s, struct stream *stream, bool told)
{
	if (told || !stream->owner || s->winding_up) {
		stream_free(stream);
		return;
	}
	/* The WebSocket ends: its owner waits for the dialect's stop(). */
	buffer_free(&stream->up);
	stream->datagrams = 0;
	stream->state = STREAM_ABANDONED;
	stream->answered = true;
}

static void
resolved(struct session *s, const struct ipc_resolved *message)
{
	struct stream *stream = streams_by_tag(s, message->tag);
	bool told;

	if (!awaits(stream, IPC_RESOLVE) || !message->count || message->count > IPC_ADDRESSES) {
		session_broker_lost(s);
		return;
	}
	names_keep(&s->names, stream->ask.host, message, s->now_ms);
	told = stream->state == STREAM_ASKED && s->ws.state == WS_OPEN;
	if (told && s->dialect->resolved)
		s->dialect->resolved(s, stream, message);
	forget(s, stream, told);
}

static void
refused(struct session *s, const struct ipc_refused *message)
{
	struct stream *stream;
	bool told;

	if (!message->tag) {
		s->early = *message;
		s->refused_early = true;
		if (s->ws.state == WS_HELD_UP || s->ws.state == WS_OPEN)
			answer_refused(s);
		return;
	}
	stream = streams_by_tag(s, message->tag);
	if (!awaits_any(stream)) {
		session_broker_lost(s);
		return;
	}
	if (message->reason == REASON_ERRNO + EADDRINUSE && request_next_port(s, stream))
		return;
	told = stream->state == STREAM_ASKED && s->ws.state == WS_OPEN;
	if (told)
		s->dialect->refused(s, stream, reason_plain(message->reason), &message->peer);
	forget(s, stream, told);
}

static void
cut(struct session *s, const struct ipc_cut *message)
{
	struct stream *stream = streams_by_id(s, message->stream);

	/* Our END may have crossed it. */
	if (stream)
		stream_cut(stream, reason_plain(message->reason));
}

static void
drain(struct session *s, const struct ipc_drain *message)
{
	s->give_up_ms = s->now_ms + message->deadline_ms;
	session_exit(s, WORKER_DRAINED);
	if (s->state == IPC_OPEN)
		s->state = IPC_DRAIN;
	if (s->ws.state == WS_HELD_UP || s->ws.state == WS_OPEN)
		session_close_reason(s, reason_plain(message->reason));
	else if (s->ws.state == WS_HEAD)
		s->over = true;
}

static void
dispatch(struct session *s, const union ipc_any *any, int fd)
{
	switch (any->head.type) {
	case MSG_CLIENT:
		client(s, &any->CLIENT_body, fd);
		break;
	case MSG_GRANTED:
		granted(s, &any->GRANTED_body);
		break;
	case MSG_OPENED:
		opened(s, &any->OPENED_body, fd);
		break;
	case MSG_LISTENING:
		listening(s, &any->LISTENING_body);
		break;
	case MSG_RESOLVED:
		resolved(s, &any->RESOLVED_body);
		break;
	case MSG_REFUSED:
		refused(s, &any->REFUSED_body);
		break;
	case MSG_CUT:
		cut(s, &any->CUT_body);
		break;
	default:
		drain(s, &any->DRAIN_body);
		break;
	}
}

/* Returns whether there was a message. */
static bool
take_one(struct session *s)
{
	struct ipc_buffer buffer = {0};
	struct ipc_got got;

	if (ipc_take(s->channel, &buffer, &got, true) < 0) {
		if (errno != EAGAIN)
			session_broker_lost(s);
		return false;
	}
	if (!ipc_legal(IPC_SESSION, IPC_TELL, s->state, &buffer.any, &got) ||
	    (s->client < 0 && buffer.any.head.type == MSG_GRANTED)) {
		if (got.fd >= 0)
			close(got.fd);
		session_broker_lost(s);
		return false;
	}
	dispatch(s, &buffer.any, got.fd);
	return true;
}

bool
answer_take(struct session *s)
{
	for (int i = 0; i < TURN && !s->over; i++) {
		/* Each may be a connection that nobody takes: see ask_return(). */
		if (s->n_returned == SESSION_SPARE || !take_one(s))
			return true;
	}
	return s->over;
}
