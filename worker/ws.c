/* SPDX-License-Identifier: ISC */
/* The states of the client's connection. */
#include "worker/ws.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Until GRANTED tells the real one; nothing is read before but after a refusal. */
#define MESSAGE_BYTES    (1U << 20)
#define FRAGMENTS        131072U
#define CONTROL_BURST    64U
#define CONTROL_A_SECOND 16U
#define RECENTLY_SLOW_MS 5000U

void
ws_start(struct ws *ws, int fd, const struct ws_reader *reader)
{
	ws->fd = fd;
	ws->reader = *reader;
}

static void
hold(struct ws *ws, const char *answer, size_t n)
{
	if (n > sizeof(ws->held))
		n = 0; /* impossible: the answers are constants of the program */
	memcpy(ws->held, answer, n);
	ws->held_length = n;
	ws->progress_ms = ws->now_ms;
}

void
ws_refuse(struct ws *ws, const char *answer, size_t n)
{
	hold(ws, answer, n);
	ws->state = WS_FAILING;
	ws->deadline_ms = ws->now_ms + WS_CLOSE_WAIT_MS;
	ws_ready(ws, 0);
}

static void
guard_within(struct ws *ws, uint64_t message_bytes)
{
	const struct guard_limits limits = {message_bytes, FRAGMENTS, CONTROL_BURST,
					    CONTROL_A_SECOND};

	guard_start(&ws->guard, &limits);
}

int
ws_upgrade(struct ws *ws, const char *answer, size_t n, const void *rest, size_t rest_length)
{
	if (ws_io_start(ws) < 0 || rest_length > sizeof(ws->in)) {
		ws->no_memory = true;
		return -1;
	}
	guard_within(ws, MESSAGE_BYTES);
	hold(ws, answer, n);
	memcpy(ws->in, rest, rest_length);
	ws->in_end = rest_length;
	ws->state = WS_HELD_UP;
	ws_io_write(ws);
	return 0;
}

void
ws_release(struct ws *ws, uint64_t message_bytes)
{
	if (ws->state != WS_HELD_UP)
		return;
	guard_within(ws, message_bytes);
	ws->state = WS_OPEN;
}

void
ws_send(struct ws *ws, bool text, const void *bytes, size_t n)
{
	struct wslay_event_msg message = {text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, bytes, n};
	int r;

	if (ws->state != WS_OPEN || ws->lost)
		return;
	r = wslay_event_queue_msg(ws->wslay, &message);
	if (r == WSLAY_ERR_NOMEM)
		ws->no_memory = true;
	if (r)
		return;
	ws->queued++;
	ws->messages_out++;
	if (!ws->blocked)
		ws_io_write(ws);
}

bool
ws_room(const struct ws *ws)
{
	return ws->state == WS_OPEN && !ws->lost &&
	       !ws_io_queued(ws, WS_QUEUE_MARK, WS_QUEUE_COUNT);
}

static uint64_t
wait_ms(const struct ws *ws)
{
	bool slow = ws->blocked_ms && ws->now_ms - ws->blocked_ms < RECENTLY_SLOW_MS;

	return slow ? WS_SLOW_WAIT_MS : WS_CLOSE_WAIT_MS;
}

static void
queue_close(struct ws *ws)
{
	uint16_t code = ws->close_code;

	if (ws->close_queued)
		return;
	ws->close_queued = true;
	if (wslay_event_queue_close(ws->wslay, code, (const uint8_t *)ws->reason,
				    ws->reason_length) == 0)
		ws->queued++;
	ws_io_write(ws);
}

/* Longest beginning of UTF-8 text that fits in a close frame. */
static size_t
fitting(const char *text)
{
	size_t n = strlen(text);

	if (n <= WS_REASON)
		return n;
	for (n = WS_REASON; n && ((unsigned char)text[n] & 0xc0) == 0x80;)
		n--;
	return n;
}

static void
decide(struct ws *ws, unsigned int code, const char *reason)
{
	ws->close_code = (uint16_t)code;
	ws->reason_length = (uint8_t)fitting(reason);
	memcpy(ws->reason, reason, ws->reason_length);
	ws->progress_ms = ws->now_ms;
}

void
ws_close(struct ws *ws, unsigned int code, const char *reason)
{
	if (ws->state != WS_OPEN && ws->state != WS_HELD_UP)
		return;
	decide(ws, code, reason);
	ws->state = WS_FLUSHING;
	ws->deadline_ms = ws->now_ms + WS_FLUSH_MS;
}

void
ws_fail(struct ws *ws, unsigned int code, const char *reason)
{
	if (ws->state != WS_OPEN && ws->state != WS_HELD_UP)
		return;
	decide(ws, code, reason);
	ws->state = WS_FAILING;
	ws->deadline_ms = ws->now_ms + WS_CLOSE_WAIT_MS;
	queue_close(ws);
}

static void
over(struct ws *ws)
{
	ws->state = WS_OVER;
	ws->deadline_ms = 0;
}

static void
leave(struct ws *ws)
{
	(void)shutdown(ws->fd, SHUT_WR);
	ws->state = WS_LEAVING;
	ws->deadline_ms = ws->now_ms + wait_ms(ws);
	if (ws->eof)
		over(ws);
}

/* Our close frame goes next; the client's is there, or awaited. */
static void
begin_closing(struct ws *ws)
{
	ws->state = WS_CLOSING;
	ws->deadline_ms = ws->now_ms + wait_ms(ws);
	queue_close(ws);
}

static const char *
violation_text(unsigned int code)
{
	switch (code) {
	case CLOSE_TOO_BIG:
		return "the message is longer than the limit";
	case CLOSE_POLICY:
		return "too many pings, or too many fragments in a message";
	case CLOSE_BAD_TEXT:
		return "the text is not UTF-8";
	default:
		return "the frame breaks RFC 6455";
	}
}

static void
advance_open(struct ws *ws)
{
	if (ws->violation) {
		ws_fail(ws, ws->violation, violation_text(ws->violation));
	} else if (ws->client_code) {
		decide(ws, ws->client_code == CLOSE_NO_STATUS ? 0 : ws->client_code, "");
		begin_closing(ws);
	} else if (ws->eof && ws->in_start == ws->in_end) {
		ws->lost = true;
	}
}

static void
advance_flushing(struct ws *ws)
{
	if (ws_io_empty(ws) || ws->client_code)
		begin_closing(ws);
	else if (ws->eof || ws->now_ms >= ws_deadline(ws))
		ws->lost = true;
}

static void
advance_end(struct ws *ws)
{
	bool late = ws->deadline_ms && ws->now_ms >= ws->deadline_ms;
	bool out = ws_io_empty(ws);

	if (ws->state == WS_CLOSING && out && (ws->client_code || ws->eof || ws->violation))
		leave(ws);
	else if (ws->state == WS_FAILING && out)
		leave(ws);
	else if (late || (ws->state == WS_LEAVING && (ws->eof || ws->thrown_away > WS_LEAVE_BYTES)))
		over(ws);
}

/* Goes on as far as it goes without waiting. */
static void
advance(struct ws *ws)
{
	enum ws_state before;

	do {
		before = ws->state;
		if (before == WS_OPEN)
			advance_open(ws);
		else if (before == WS_FLUSHING)
			advance_flushing(ws);
		else if (before >= WS_CLOSING)
			advance_end(ws);
		if (ws->lost || ws->no_memory)
			over(ws);
	} while (ws->state != before);
}

static void
throw_away(struct ws *ws)
{
	ssize_t n;

	ws->in_start = ws->in_end = 0;
	for (size_t turn = 0; turn < WS_TURN && !ws->eof; turn += (size_t)n) {
		n = read(ws->fd, ws->in, sizeof(ws->in));
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				ws->eof = true;
			return;
		}
		ws->eof = n == 0;
		ws->bytes_in += (uint64_t)n;
		ws->thrown_away += (size_t)n;
	}
}

/* Is input still looked at, for messages or at least for a close frame? */
static bool
listens(const struct ws *ws)
{
	return ws->state == WS_OPEN || ((ws->state == WS_FLUSHING || ws->state == WS_CLOSING) &&
					!ws->client_code && !ws->violation);
}

void
ws_ready(struct ws *ws, uint32_t events)
{
	if (ws->state == WS_OVER || ws->state == WS_HEAD)
		return;
	if ((events & (EPOLLERR | EPOLLHUP)) && !(ws_wants(ws) & EPOLLIN))
		ws->lost = true;
	if (!ws->lost && (!ws->blocked || events & EPOLLOUT) && !ws_io_empty(ws))
		ws_io_write(ws);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) || ws_pending(ws)) {
		if (!listens(ws) && ws->state != WS_HELD_UP)
			throw_away(ws);
		else if (listens(ws) && !ws->eof)
			ws_io_read(ws);
		if (!ws->lost && !ws->blocked && !ws_io_empty(ws))
			ws_io_write(ws); /* pongs */
	}
	advance(ws);
}

uint32_t
ws_wants(const struct ws *ws)
{
	uint32_t out = !ws_io_empty(ws) ? EPOLLOUT : 0;

	if (ws->state == WS_OVER || ws->lost)
		return 0;
	if (ws->state == WS_HEAD)
		return EPOLLIN;
	if (ws->state == WS_HELD_UP || ws->eof || (listens(ws) && ws_io_stopped(ws)))
		return out;
	return out | EPOLLIN;
}

uint64_t
ws_deadline(const struct ws *ws)
{
	uint64_t stalled = ws->progress_ms + WS_SLOW_WAIT_MS;

	if (ws->state == WS_FLUSHING && stalled < ws->deadline_ms)
		return stalled;
	return ws->deadline_ms;
}

bool
ws_pending(const struct ws *ws)
{
	if (ws->state == WS_FLUSHING)
		return ws_io_empty(ws);
	return listens(ws) && (ws->in_start < ws->in_end || ws->guard.step == GUARD_EMIT) &&
	       !ws_io_stopped(ws);
}

void
ws_stop(struct ws *ws)
{
	if (ws->wslay)
		wslay_event_context_free(ws->wslay);
	ws->wslay = NULL;
}
