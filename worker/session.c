/* SPDX-License-Identifier: ISC */
#include "worker/session.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "worker/answer.h"
#include "worker/ask.h"
#include "worker/closing.h"
#include "worker/handshake.h"
#include "worker/streams.h"

#define EVENTS      64
#define NOT_WATCHED (~0U)

/* What an event is about, in its data; streams have SESSION_TAG. */
#define ABOUT_CHANNEL 1U
#define ABOUT_CLIENT  2U

void
session_exit(struct session *s, enum worker_exit status)
{
	if (s->exit_status < 0)
		s->exit_status = (int)status;
}

void
session_broker_lost(struct session *s)
{
	session_exit(s, WORKER_BROKER_LOST);
	s->over = true;
	/* One attempt to tell the client; nothing is awaited. */
	ws_fail(&s->ws, CLOSE_ENVIRONMENT, "broker-lost: the session's broker is gone");
}

void
session_close(struct session *s, unsigned int code, const char *text)
{
	ws_close(&s->ws, code, text);
}

void
session_close_reason(struct session *s, uint32_t reason)
{
	char text[WS_REASON + 1];

	closing_text(reason, text);
	ws_close(&s->ws, closing_code(reason), text);
}

void
session_violation(struct session *s, unsigned int code, const char *text)
{
	if (s->ws.state == WS_OPEN)
		session_exit(s, WORKER_DIALECT_VIOLATION);
	ws_fail(&s->ws, code, text);
}

void
session_no_memory(struct session *s)
{
	session_exit(s, WORKER_NO_MEMORY);
	ws_fail(&s->ws, CLOSE_ENVIRONMENT, "resources: the session is out of memory");
	if (s->ws.state < WS_FLUSHING)
		s->over = true;
}

/* --- what the WebSocket tells the dialect ----------------------------------------- */

static void
message_begin(void *who, bool text)
{
	struct session *s = who;

	s->dialect->message_begin(s, text);
}

static void
message_chunk(void *who, const uint8_t *bytes, size_t n)
{
	struct session *s = who;

	s->dialect->message_chunk(s, bytes, n);
}

static void
message_end(void *who)
{
	struct session *s = who;

	s->dialect->message_end(s);
}

static bool
no_room(void *who)
{
	return streams_full(who);
}

/* --- the loop ---------------------------------------------------------------------- */

static uint64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
watch(struct session *s, int fd, uint32_t *watched, uint32_t wants, uint64_t about)
{
	struct epoll_event event = {.events = wants, .data.u64 = about};
	int op = *watched == NOT_WATCHED ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (fd < 0 || *watched == wants)
		return;
	if (wants == NOT_WATCHED)
		op = EPOLL_CTL_DEL;
	if (epoll_ctl(s->epoll, op, fd, &event) < 0)
		session_no_memory(s);
	*watched = wants;
}

/* Did the client end what it sends? Only then may its streams end in order. */
static uint32_t
end_reason(const struct session *s)
{
	const struct ws *ws = &s->ws;
	unsigned int code = ws->client_code ? ws->client_code : ws->close_code;

	/* A close without status is what a page's close() sends. */
	if (ws->no_memory || ws->violation || ws->lost || s->exit_status != WORKER_DONE ||
	    (code != CLOSE_NORMAL && code != CLOSE_NO_STATUS))
		return REASON_CONNECT_FAILED;
	return REASON_CLIENT_CLOSED;
}

/* The WebSocket begins to end: so does all that hangs on it. */
static void
wind_up(struct session *s)
{
	s->winding_up = true;
	if (s->ws.no_memory)
		session_exit(s, WORKER_NO_MEMORY);
	else if (s->ws.violation)
		session_exit(s, WORKER_WS_VIOLATION);
	else if (s->ws.lost)
		session_exit(s, WORKER_CLIENT_LOST);
	else
		session_exit(s, WORKER_DONE);
	if (s->dialect && s->dialect->stop)
		s->dialect->stop(s);
	streams_finish(s, end_reason(s));
}

static void
close_client(struct session *s)
{
	if (s->client < 0)
		return;
	watch(s, s->client, &s->client_events, NOT_WATCHED, ABOUT_CLIENT);
	(void)shutdown(s->client, SHUT_RDWR);
	close(s->client);
	s->client = -1;
}

static uint32_t
channel_wants(const struct session *s)
{
	uint32_t wants = s->n_returned < SESSION_SPARE ? EPOLLIN : 0U;

	return wants | (s->channel_blocked ? EPOLLOUT : 0U);
}

/* All that follows from what has happened, without waiting. */
static void
settle(struct session *s)
{
	ws_ready(&s->ws, 0);
	streams_settle(s);
	ws_ready(&s->ws, 0);
	if (s->ws.state >= WS_FLUSHING && !s->winding_up) {
		wind_up(s);
		streams_settle(s);
	}
	if (s->ws.state == WS_OVER)
		close_client(s);
	else
		watch(s, s->client, &s->client_events, ws_wants(&s->ws), ABOUT_CLIENT);
	watch(s, s->channel, &s->channel_events, channel_wants(s), ABOUT_CHANNEL);
	if (s->give_up_ms && s->now_ms >= s->give_up_ms)
		s->over = true;
}

static bool
done(const struct session *s)
{
	return s->over || (s->ws.state == WS_OVER && !streams_busy(s));
}

static int
timeout_ms(const struct session *s)
{
	const uint64_t deadlines[] = {ws_deadline(&s->ws), streams_deadline(s), s->give_up_ms};
	uint64_t first = 0;

	if (ws_pending(&s->ws))
		return 0;
	for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
		if (deadlines[i] && (!first || deadlines[i] < first))
			first = deadlines[i];
	}
	if (!first)
		return -1;
	if (first <= s->now_ms)
		return 0;
	return first - s->now_ms > INT32_MAX ? INT32_MAX : (int)(first - s->now_ms);
}

static void
handle(struct session *s, const struct epoll_event *event)
{
	if (event->data.u64 & SESSION_TAG) {
		streams_event(s, (uint32_t)event->data.u64, event->events);
	} else if (event->data.u64 == ABOUT_CLIENT) {
		if (s->ws.state == WS_HEAD)
			handshake_read(s);
		else
			ws_ready(&s->ws, event->events);
	} else {
		if (event->events & EPOLLOUT)
			ask_again(s);
		if (event->events & ~(uint32_t)EPOLLOUT)
			(void)answer_take(s);
	}
}

static void
turn(struct session *s)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(s->epoll, events, EVENTS, timeout_ms(s));

	s->now_ms = clock_ms();
	s->ws.now_ms = s->now_ms;
	if (n < 0 && errno != EINTR)
		session_no_memory(s);
	for (int i = 0; i < n && !s->over; i++)
		handle(s, &events[i]);
	if (!s->over)
		settle(s);
}

static void
stop(struct session *s)
{
	ask_counts(s);
	if (s->dialect && s->dialect->stop && !s->winding_up)
		s->dialect->stop(s);
	streams_stop(s);
	close_client(s);
	ws_stop(&s->ws);
	free(s->mine);
	s->mine = NULL;
	close(s->epoll);
	close(s->channel);
}

int
session_run(struct session *s, int channel)
{
	s->channel = channel;
	s->client = -1;
	s->exit_status = -1;
	s->state = IPC_NEW;
	s->client_events = NOT_WATCHED;
	s->channel_events = NOT_WATCHED;
	s->now_ms = clock_ms();
	s->ws.reader = (struct ws_reader){s, message_begin, message_chunk, message_end, no_room};
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0) {
		close(channel);
		return WORKER_NO_MEMORY;
	}
	settle(s);
	while (!done(s))
		turn(s);
	stop(s);
	return s->exit_status < 0 ? WORKER_DONE : s->exit_status;
}
