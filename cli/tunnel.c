/* SPDX-License-Identifier: ISC */
#include "cli/tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <wslay/wslay.h>

#include "cli/cli.h"

#define CHUNK     16384 /* longest message sent; a policy may limit messages */
#define OUT_ROOM  65536
#define RECV_ROOM 8192         /* wslay holds at most 4096 bytes that it has not handed on */
#define CLOSE_MS  5000         /* the server has this long to answer a close */
#define TURN      (256 * 1024) /* bytes read before others have a turn */
#define QUEUED    16           /* with so many messages to be sent, pongs, no more is read */
#define PIECE     4096         /* PIPE_BUF: a pipe that polls writable takes it whole */

struct tunnel {
	struct ws_start *start;
	size_t rest_at;
	wslay_event_context_ptr ws;
	char out[OUT_ROOM]; /* for standard output */
	size_t out_length;
	size_t turn;            /* bytes that may still be read in this turn */
	uint64_t message_bytes; /* of the message that is being received */
	bool control;           /* the frame that is being received is a control frame */
	bool in_ended;          /* nothing more is read from standard input */
	bool eof_sent;
	bool eof_received;
	bool out_closed;
	bool out_broken;
	bool failed;    /* wslay gave up */
	bool send_lost; /* what has come is still read, a reason above all */
	bool lost;      /* the connection broke */
	bool closing;   /* both ended: a close was queued */
	int64_t until;  /* when closing */
	unsigned int code;
	char reason[128];
};

static int64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A server that pings and does not read would fill our memory with pongs. */
static bool
may_read(const struct tunnel *t)
{
	return OUT_ROOM - t->out_length >= RECV_ROOM &&
	       (t->send_lost || wslay_event_get_queued_msg_count(t->ws) <= QUEUED);
}

static ssize_t
on_recv(wslay_event_context_ptr ws, uint8_t *data, size_t length, int flags, void *user)
{
	struct tunnel *t = user;
	size_t rest = t->start->rest_length - t->rest_at;
	ssize_t n;

	(void)flags;
	if (!may_read(t) || t->turn < length) {
		wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (rest > 0) {
		n = (ssize_t)(rest < length ? rest : length);
		memcpy(data, t->start->rest + t->rest_at, (size_t)n);
		t->rest_at += (size_t)n;
		t->turn -= (size_t)n;
		return n;
	}
	do {
		n = recv(t->start->fd, data, length, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		t->turn -= (size_t)n;
		return n;
	}
	t->lost = n == 0 || errno != EAGAIN;
	wslay_event_set_error(ws, t->lost ? WSLAY_ERR_CALLBACK_FAILURE : WSLAY_ERR_WOULDBLOCK);
	return -1;
}

static ssize_t
on_send(wslay_event_context_ptr ws, const uint8_t *data, size_t length, int flags, void *user)
{
	struct tunnel *t = user;
	ssize_t n;

	(void)flags;
	do {
		n = send(t->start->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	t->send_lost = errno != EAGAIN;
	wslay_event_set_error(ws, t->send_lost ? WSLAY_ERR_CALLBACK_FAILURE : WSLAY_ERR_WOULDBLOCK);
	return -1;
}

static int
on_mask(wslay_event_context_ptr ws, uint8_t *buf, size_t length, void *user)
{
	(void)user;
	if (getrandom(buf, length, 0) == (ssize_t)length)
		return 0;
	wslay_event_set_error(ws, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static void
on_frame(wslay_event_context_ptr ws, const struct wslay_event_on_frame_recv_start_arg *arg,
	 void *user)
{
	struct tunnel *t = user;

	(void)ws;
	t->control = wslay_is_ctrl_frame(arg->opcode);
	if (arg->opcode == WSLAY_BINARY_FRAME || arg->opcode == WSLAY_TEXT_FRAME)
		t->message_bytes = 0;
	if (!t->control)
		t->message_bytes += arg->payload_length;
}

/* on_recv() took no more than there is room for. */
static void
on_chunk(wslay_event_context_ptr ws, const struct wslay_event_on_frame_recv_chunk_arg *arg,
	 void *user)
{
	struct tunnel *t = user;

	(void)ws;
	if (t->control || t->out_broken)
		return;
	memcpy(t->out + t->out_length, arg->data, arg->data_length);
	t->out_length += arg->data_length;
}

static void
on_message(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
	struct tunnel *t = user;
	size_t n;

	(void)ws;
	if (arg->opcode == WSLAY_CONNECTION_CLOSE) {
		n = arg->msg_length > 2 ? arg->msg_length - 2 : 0;
		if (n >= sizeof(t->reason))
			n = sizeof(t->reason) - 1;
		t->code = arg->status_code;
		memcpy(t->reason, arg->msg_length > 2 ? (const char *)arg->msg + 2 : "", n);
		t->reason[n] = '\0';
		printable(t->reason);
	} else if (!wslay_is_ctrl_frame(arg->opcode) && t->message_bytes == 0) {
		t->eof_received = true;
	}
}

static void
read_input(struct tunnel *t)
{
	char chunk[CHUNK];
	struct wslay_event_msg msg = {WSLAY_BINARY_FRAME, (const uint8_t *)chunk, 0};
	ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	t->in_ended = n <= 0;
	msg.msg_length = n > 0 ? (size_t)n : 0;
	if (wslay_event_queue_msg(t->ws, &msg) != 0)
		t->failed = true;
}

static void
write_output(struct tunnel *t)
{
	size_t want = t->out_length < PIECE ? t->out_length : PIECE;
	ssize_t n = send(STDOUT_FILENO, t->out, t->out_length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		n = write(STDOUT_FILENO, t->out, want);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		t->out_broken = true;
		return;
	}
	t->out_length -= (size_t)n;
	memmove(t->out, t->out + n, t->out_length);
}

/* What reads from us sees the end now, while the other direction may go on. */
static void
close_output(struct tunnel *t)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0) {
		(void)dup2(null, STDOUT_FILENO);
		close(null);
	}
	t->out_closed = true;
	/* A person would have to type Ctrl-D to nobody. */
	if (!t->in_ended && isatty(STDIN_FILENO)) {
		struct wslay_event_msg msg = {WSLAY_BINARY_FRAME, NULL, 0};

		t->in_ended = true;
		if (wslay_event_queue_msg(t->ws, &msg) != 0)
			t->failed = true;
	}
}

/* After each round: which direction has ended now? */
static void
settle(struct tunnel *t)
{
	if (t->in_ended && !t->send_lost && !wslay_event_want_write(t->ws))
		t->eof_sent = true;
	if (t->eof_received && t->out_length == 0 && !t->out_closed)
		close_output(t);
	if (t->eof_sent && t->out_closed && !t->closing) {
		t->closing = true;
		t->until = clock_ms() + CLOSE_MS;
		if (!wslay_event_get_close_received(t->ws) &&
		    wslay_event_queue_close(t->ws, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0) != 0)
			t->failed = true;
	}
}

static bool
over(const struct tunnel *t)
{
	if (t->out_broken || (t->closing && clock_ms() >= t->until))
		return true;
	if (!t->lost && !t->failed &&
	    !(wslay_event_get_close_received(t->ws) && !wslay_event_want_write(t->ws)))
		return false;
	return t->out_length == 0;
}

static void
turn(struct tunnel *t)
{
	bool alive = !t->lost && !t->failed;
	bool input = alive && !t->send_lost && !t->in_ended &&
		     !wslay_event_get_close_received(t->ws) &&
		     wslay_event_get_queued_msg_count(t->ws) == 0;
	bool output = t->out_length > 0;
	bool want_read = alive && may_read(t) && wslay_event_want_read(t->ws);
	bool want_write = alive && !t->send_lost && wslay_event_want_write(t->ws);
	short net = (short)((want_read ? POLLIN : 0) | (want_write ? POLLOUT : 0));
	struct pollfd polled[3] = {{input ? STDIN_FILENO : -1, POLLIN, 0},
				   {output ? STDOUT_FILENO : -1, POLLOUT, 0},
				   {net ? t->start->fd : -1, net, 0}};
	bool rest = want_read && t->rest_at < t->start->rest_length;
	int64_t left = t->closing ? t->until - clock_ms() : -1;

	if (t->closing && left < 0)
		left = 0;
	if (poll(polled, 3, rest ? 0 : (int)left) < 0)
		return;
	t->turn = TURN;
	if (polled[0].revents)
		read_input(t);
	if (polled[1].revents)
		write_output(t);
	if ((rest || (polled[2].revents & ~POLLOUT)) && want_read && wslay_event_recv(t->ws) != 0 &&
	    !t->lost)
		t->failed = true;
	if ((polled[2].revents & (POLLOUT | POLLERR)) && want_write &&
	    wslay_event_send(t->ws) != 0 && !t->send_lost)
		t->failed = true;
	if (!t->failed && !t->lost)
		settle(t);
}

static int
outcome(const struct tunnel *t, char *why, size_t room)
{
	bool closed = wslay_event_get_close_received(t->ws);

	if (t->closing && !t->out_broken && (!closed || t->code == 1000))
		return 0;
	if (closed && t->code == 1000 && t->out_closed)
		return 0;
	if (t->out_broken)
		snprintf(why, room, "standard output: %s", strerror(errno));
	else if (closed)
		snprintf(why, room, "closed with %u%s%s", t->code, t->reason[0] ? ": " : "",
			 t->reason);
	else if (t->failed)
		snprintf(why, room, "the server broke the WebSocket protocol");
	else
		snprintf(why, room, "the connection was lost");
	return -1;
}

int
tunnel_run(struct ws_start *start, char *why, size_t room)
{
	static const struct wslay_event_callbacks callbacks = {
		on_recv, on_send, on_mask, on_frame, on_chunk, NULL, on_message};
	struct tunnel *t = calloc(1, sizeof(*t));
	int result = -1;

	snprintf(why, room, "not enough memory");
	if (!t)
		return -1;
	t->start = start;
	if (wslay_event_context_client_init(&t->ws, &callbacks, t) != 0)
		goto out;
	/* Payload is handed on as it comes, so no message is too long. */
	wslay_event_config_set_no_buffering(t->ws, 1);
	wslay_event_config_set_max_recv_msg_length(t->ws, 1ULL << 62);
	while (!over(t))
		turn(t);
	result = outcome(t, why, room);
	wslay_event_context_free(t->ws);
out:
	free(t);
	return result;
}
