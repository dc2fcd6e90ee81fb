/* SPDX-License-Identifier: ISC */
/* Bytes between the socket, the guard and wslay. */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "worker/ws.h"

/* Messages that wslay has sent. */
static uint64_t
sent(const struct ws *ws)
{
	return ws->queued - wslay_event_get_queued_msg_count(ws->wslay);
}

static bool
pong_pending(const struct ws *ws)
{
	return ws->pong_after && wslay_event_get_queued_msg_count(ws->wslay) &&
	       sent(ws) < ws->pong_after;
}

bool
ws_io_queued(const struct ws *ws, size_t bytes, size_t messages)
{
	return wslay_event_get_queued_msg_length(ws->wslay) >= bytes ||
	       wslay_event_get_queued_msg_count(ws->wslay) >= messages;
}

bool
ws_io_stopped(const struct ws *ws)
{
	if (ws->lost || ws->violation || ws->client_code || ws->no_memory || pong_pending(ws))
		return true;
	if (ws->state != WS_OPEN)
		return false;
	return ws_io_queued(ws, WS_REPLY_MARK, WS_REPLY_COUNT) || ws->reader.full(ws->reader.who);
}

static void
queue_pong(struct ws *ws)
{
	struct wslay_event_msg pong = {WSLAY_PONG, ws->guard.control, ws->guard.control_length};
	int r = wslay_event_queue_msg(ws->wslay, &pong);

	if (r == WSLAY_ERR_NOMEM)
		ws->no_memory = true;
	if (r)
		return;
	/* It overtakes all but the message that is half out, if one is. */
	ws->pong_after = sent(ws) + 2;
	ws->queued++;
}

static void
take_event(struct ws *ws, enum guard_event event)
{
	switch (event) {
	case GUARD_PING:
		queue_pong(ws);
		break;
	case GUARD_CLOSE:
		ws->client_code = ws->guard.code;
		break;
	case GUARD_BAD:
		ws->violation = ws->guard.code;
		break;
	case GUARD_MORE:
		break;
	}
}

/* Returns whether there is input to scan. */
static bool
fill(struct ws *ws)
{
	ssize_t n;

	if (ws->in_start < ws->in_end)
		return true;
	if (ws->eof || !ws->turn)
		return false;
	n = read(ws->fd, ws->in, sizeof(ws->in));
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			ws->lost = true;
		return false;
	}
	ws->eof = n == 0;
	ws->bytes_in += (uint64_t)n;
	/* A short read drained the socket: what comes later is told anew. */
	ws->turn -= (size_t)n < sizeof(ws->in) ? ws->turn : (size_t)n;
	ws->in_start = 0;
	ws->in_end = (size_t)n;
	return n > 0;
}

static ssize_t
on_recv(wslay_event_context_ptr wslay, uint8_t *out, size_t room, int flags, void *data)
{
	struct ws *ws = data;
	size_t made = 0;

	(void)flags;
	while (!made) {
		enum guard_event event;

		/* A header that is only partly out needs room, not input. */
		if (ws_io_stopped(ws) || (ws->guard.step != GUARD_EMIT && !fill(ws))) {
			wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
			return -1;
		}
		ws->in_start +=
			guard_feed(&ws->guard, ws->in + ws->in_start, ws->in_end - ws->in_start,
				   out, room, &made, ws->now_ms, &event);
		take_event(ws, event);
	}
	return (ssize_t)made;
}

/* Returns bytes of @data that went out, or -1 with errno. */
static ssize_t
write_held(struct ws *ws, const uint8_t *data, size_t n)
{
	struct iovec pieces[2] = {{ws->held, ws->held_length}, {(void *)(uintptr_t)data, n}};
	ssize_t wrote;
	size_t held;

	do {
		wrote = writev(ws->fd, pieces, 2);
	} while (wrote < 0 && errno == EINTR);
	if (wrote < 0)
		return -1;
	if (wrote > 0)
		ws->progress_ms = ws->now_ms;
	ws->bytes_out += (uint64_t)wrote;
	held = (size_t)wrote < ws->held_length ? (size_t)wrote : ws->held_length;
	memmove(ws->held, ws->held + held, ws->held_length - held);
	ws->held_length -= held;
	if (ws->held_length || (n && (size_t)wrote == held)) {
		errno = EAGAIN;
		return -1;
	}
	return wrote - (ssize_t)held;
}

static void
write_failed(struct ws *ws)
{
	if (errno == EAGAIN) {
		ws->blocked = true;
		ws->blocked_ms = ws->now_ms;
	} else {
		ws->lost = true;
	}
}

static ssize_t
on_send(wslay_event_context_ptr wslay, const uint8_t *data, size_t n, int flags, void *user)
{
	struct ws *ws = user;
	ssize_t wrote;

	/* A header goes out together with its payload, in one segment. */
	if ((flags & WSLAY_MSG_MORE) && n <= sizeof(ws->held) - ws->held_length) {
		memcpy(ws->held + ws->held_length, data, n);
		ws->held_length += n;
		return (ssize_t)n;
	}
	wrote = write_held(ws, data, n);
	if (wrote < 0) {
		write_failed(ws);
		wslay_event_set_error(wslay,
				      ws->lost ? WSLAY_ERR_CALLBACK_FAILURE : WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	return wrote;
}

static void
on_frame(wslay_event_context_ptr wslay, const struct wslay_event_on_frame_recv_start_arg *frame,
	 void *data)
{
	struct ws *ws = data;

	(void)wslay;
	if (ws->state == WS_OPEN && frame->opcode != WSLAY_CONTINUATION_FRAME)
		ws->reader.begin(ws->reader.who, frame->opcode == WSLAY_TEXT_FRAME);
}

static void
on_chunk(wslay_event_context_ptr wslay, const struct wslay_event_on_frame_recv_chunk_arg *chunk,
	 void *data)
{
	struct ws *ws = data;

	(void)wslay;
	if (ws->state == WS_OPEN && chunk->data_length)
		ws->reader.chunk(ws->reader.who, chunk->data, chunk->data_length);
}

static void
on_message(wslay_event_context_ptr wslay, const struct wslay_event_on_msg_recv_arg *message,
	   void *data)
{
	struct ws *ws = data;

	(void)wslay;
	(void)message;
	if (ws->state != WS_OPEN)
		return;
	ws->messages_in++;
	ws->reader.end(ws->reader.who);
}

int
ws_io_start(struct ws *ws)
{
	const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.send_callback = on_send,
		.on_frame_recv_start_callback = on_frame,
		.on_frame_recv_chunk_callback = on_chunk,
		.on_msg_recv_callback = on_message,
	};

	if (wslay_event_context_server_init(&ws->wslay, &callbacks, ws) < 0) {
		/* It may have been set, and freed. */
		ws->wslay = NULL;
		return -1;
	}
	wslay_event_config_set_no_buffering(ws->wslay, 1);
	/* The guard holds the limit over the message, before wslay sees the frame. */
	wslay_event_config_set_max_recv_msg_length(ws->wslay, (1ULL << 62));
	return 0;
}

void
ws_io_read(struct ws *ws)
{
	int r;

	ws->turn = WS_TURN;
	if (!wslay_event_get_read_enabled(ws->wslay))
		return;
	r = wslay_event_recv(ws->wslay);
	if (r == WSLAY_ERR_NOMEM)
		ws->no_memory = true;
	else if (r < 0)
		ws->violation = CLOSE_PROTOCOL;
	else if (!wslay_event_get_read_enabled(ws->wslay) && !ws->violation)
		ws->violation = CLOSE_BAD_TEXT; /* all else the guard found before */
}

void
ws_io_write(struct ws *ws)
{
	ws->blocked = false;
	if (ws->wslay && wslay_event_want_write(ws->wslay)) {
		if (wslay_event_send(ws->wslay) == WSLAY_ERR_NOMEM)
			ws->no_memory = true;
	} else if (ws->held_length && write_held(ws, NULL, 0) < 0) {
		write_failed(ws);
	}
}

bool
ws_io_empty(const struct ws *ws)
{
	return !ws->held_length && (!ws->wslay || !wslay_event_want_write(ws->wslay));
}
