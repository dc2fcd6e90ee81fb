/* SPDX-License-Identifier: ISC */
/*
 * The client's connection: first the bytes of an HTTP answer, then WebSocket
 * messages (RFC 6455) both ways, then an end in which nothing that was accepted
 * is lost. Frames are cut and joined by wslay's event interface, unbuffered,
 * behind the guard (worker/guard.h). Nothing here waits: the session's loop
 * calls when the socket is ready and when ws_deadline() has come.
 *
 * What is queued is bounded: the owner asks ws_room() before it reads from a
 * destination, and @full of struct ws_reader stops reading from the client.
 */
#ifndef SOCKWARD_WORKER_WS_H
#define SOCKWARD_WORKER_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wslay/wslay.h>

#include "worker/guard.h"

#define WS_QUEUE_MARK    (256U * 1024) /* no more is read for the client above it */
#define WS_REPLY_MARK    (512U * 1024) /* the client, who does not read, is not read either */
#define WS_QUEUE_COUNT   4096U /* the same in messages, each of which costs memory of its own */
#define WS_REPLY_COUNT   8192U
#define WS_INPUT         16384U        /* bytes that are read at once */
#define WS_TURN          (256U * 1024) /* bytes that are read before others have a turn */
#define WS_HELD          1024U         /* bytes of an HTTP answer and of frame headers */
#define WS_REASON        123U          /* longest reason of a close frame, in bytes */
#define WS_CLOSE_WAIT_MS 2000U         /* for the client's close frame, then for its EOF */
#define WS_SLOW_WAIT_MS  15000U        /* the same for a client that was slow to read */
#define WS_FLUSH_MS      30000U        /* for all that is queued, however it trickles */
#define WS_LEAVE_BYTES   (4U << 20)    /* most that is read and thrown away at the end */

/* Who gets the messages. No call comes after ws_close() or ws_fail(). */
struct ws_reader {
	void *who;
	void (*begin)(void *who, bool text);
	void (*chunk)(void *who, const uint8_t *bytes, size_t n);
	void (*end)(void *who);
	bool (*full)(void *who); /* true: read no more from the client for now */
};

enum ws_state {
	WS_HEAD,     /* the owner reads the request head itself */
	WS_HELD_UP,  /* upgraded; the client is not read yet */
	WS_OPEN,     /* messages go both ways */
	WS_FLUSHING, /* to be closed when all that is queued went out */
	WS_CLOSING,  /* the close frame is queued or sent; the client's is awaited */
	WS_FAILING,  /* the last bytes are queued; then it leaves without awaiting an answer */
	WS_LEAVING,  /* nothing more is sent; input is thrown away until it ends */
	WS_OVER,     /* the socket may be closed */
};

struct ws {
	int fd;
	enum ws_state state;
	struct ws_reader reader;
	wslay_event_context_ptr wslay; /* NULL before the upgrade */
	struct guard guard;
	uint64_t now_ms; /* set by the owner before each call */

	/* input: read from the socket, not yet scanned */
	uint8_t in[WS_INPUT];
	size_t in_start;
	size_t in_end;
	size_t turn; /* bytes that may still be read in this turn */
	bool eof;

	/* output */
	uint8_t held[WS_HELD]; /* goes out before anything else */
	size_t held_length;
	bool blocked;         /* the socket takes no more for now */
	uint64_t blocked_ms;  /* when it last did not */
	uint64_t progress_ms; /* when bytes last went out */
	uint64_t queued;      /* messages given to wslay, ever */
	uint64_t pong_after;  /* the pong is out when so many were sent */

	/* the end */
	uint16_t close_code; /* ours, once decided; 0 for a close without status */
	char reason[WS_REASON];
	uint8_t reason_length;
	bool close_queued;
	uint16_t client_code; /* the client's; 0 before its close frame */
	uint16_t violation;   /* the close code that a violation earned */
	bool lost;            /* the connection broke */
	bool no_memory;
	uint64_t deadline_ms; /* of FLUSHING and what comes after it; 0: none */
	size_t thrown_away;

	uint64_t messages_in;
	uint64_t messages_out;
	uint64_t bytes_in;
	uint64_t bytes_out;
};

/**
 * ws_start() - take a connected, non-blocking socket.
 * @ws: zeroed; pages that are not needed are never touched.
 * @fd: stays the caller's to close.
 * @reader: copied.
 */
void ws_start(struct ws *ws, int fd, const struct ws_reader *reader);

/**
 * ws_refuse() - answer in HTTP and leave. In WS_HEAD only.
 * @answer: @n bytes, at most WS_HELD.
 */
void ws_refuse(struct ws *ws, const char *answer, size_t n);

/**
 * ws_upgrade() - answer 101; the client is not read until ws_release().
 * @answer: @n bytes, at most WS_HELD.
 * @rest: @rest_length bytes that came behind the head, at most WS_INPUT.
 *
 * Returns 0, or -1 when memory is short.
 */
int ws_upgrade(struct ws *ws, const char *answer, size_t n, const void *rest, size_t rest_length);

/**
 * ws_release() - begin to read messages.
 * @message_bytes: longest message that the client may send.
 */
void ws_release(struct ws *ws, uint64_t message_bytes);

/**
 * ws_send() - send a message.
 * @text: as text, else binary.
 *
 * It is queued whatever ws_room() says, and goes out at once as far as the
 * socket takes it. Nothing happens when the WebSocket is no longer open.
 */
void ws_send(struct ws *ws, bool text, const void *bytes, size_t n);

/**
 * ws_room() - may more be read for the client?
 */
bool ws_room(const struct ws *ws);

/**
 * ws_close() - close in order: all that is queued first, then the close frame.
 * @code: 1000 to 4999. @reason: UTF-8, NUL-terminated, cut at WS_REASON bytes.
 *
 * A later call changes nothing: the first cause stands.
 */
void ws_close(struct ws *ws, unsigned int code, const char *reason);

/**
 * ws_fail() - fail the connection: the close frame goes next, the rest is dropped.
 */
void ws_fail(struct ws *ws, unsigned int code, const char *reason);

/**
 * ws_ready() - go on: read, write, look at the clock.
 * @events: what epoll said of the socket; 0 when time passed or room came.
 */
void ws_ready(struct ws *ws, uint32_t events);

/**
 * ws_wants() - the events to wait for: EPOLLIN, EPOLLOUT, both, or 0.
 */
uint32_t ws_wants(const struct ws *ws);

/**
 * ws_deadline() - when ws_ready() must be called even without an event.
 *
 * Returns a time in the clock of now_ms, or 0 for never.
 */
uint64_t ws_deadline(const struct ws *ws);

/**
 * ws_pending() - is there input that can be taken without waiting?
 */
bool ws_pending(const struct ws *ws);

/**
 * ws_stop() - free what it holds. The socket stays open.
 */
void ws_stop(struct ws *ws);

/* Between ws.c and ws_io.c. */

/**
 * ws_io_start() - make wslay's context. Returns 0, or -1 when memory is short.
 */
int ws_io_start(struct ws *ws);

/**
 * ws_io_read() - take messages until the socket, the reader or the turn is exhausted.
 *
 * Sets eof, lost, violation, client_code, no_memory.
 */
void ws_io_read(struct ws *ws);

/**
 * ws_io_write() - write what is held and queued until the socket is full.
 *
 * Sets lost, no_memory, blocked.
 */
void ws_io_write(struct ws *ws);

/**
 * ws_io_empty() - did everything go out?
 */
bool ws_io_empty(const struct ws *ws);

/**
 * ws_io_stopped() - must no input be taken now: pong pending, reader full, or over?
 */
bool ws_io_stopped(const struct ws *ws);

/**
 * ws_io_queued() - does so much wait, in bytes or in messages?
 */
bool ws_io_queued(const struct ws *ws, size_t bytes, size_t messages);

#endif
