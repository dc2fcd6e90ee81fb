/* SPDX-License-Identifier: ISC */
/*
 * What a dialect is to the session: one table of functions. The session knows
 * no dialect, and a dialect knows neither sockets nor channels. To add one:
 * write its file in worker/dialect/ and add its line to worker/dialects.c.
 *
 * A dialect calls the session_*() functions of worker/session.h and ws_send().
 * None of its functions is called once the WebSocket is being closed, but stop().
 */
#ifndef SOCKWARD_WORKER_DIALECT_H
#define SOCKWARD_WORKER_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/messages.h"
#include "ipc/words.h"
#include "worker/target.h"

struct session;
struct stream;

struct dialect_ops {
	enum dialect number;
	enum target_route route; /* the path that chooses it */
	size_t size;             /* of its state, which is zeroed memory at s->mine */

	/* The request is understood; @query is what followed the '?', @n bytes. */
	void (*begin)(struct session *s, const struct target *target, const char *query, size_t n);
	/* The broker granted the session: messages may come now. */
	void (*granted)(struct session *s);
	/* One message: begin, pieces as they come, end. */
	void (*message_begin)(struct session *s, bool text);
	void (*message_chunk)(struct session *s, const uint8_t *bytes, size_t n);
	void (*message_end)(struct session *s);
	/* The answer to session_open(). After refused() the stream is gone. */
	void (*opened)(struct session *s, struct stream *stream);
	void (*refused)(struct session *s, struct stream *stream, uint32_t reason,
			const struct ipc_addr *peer);
	/* From the destination; called only while ws_room(). @n is 1 to SESSION_PIECE. */
	void (*data)(struct session *s, struct stream *stream, const uint8_t *bytes, size_t n);
	/*
	 * Nothing more comes: REASON_PEER_CLOSED for an end of stream in order,
	 * REASON_CONNECT_FAILED for a broken connection, else why the broker cut it.
	 */
	void (*ended)(struct session *s, struct stream *stream, uint32_t reason);
	/* The broker refused the session. NULL: session_close_reason(). */
	void (*session_refused)(struct session *s, uint32_t reason);
	/* Free what the state holds. NULL: nothing. */
	void (*stop)(struct session *s);
};

extern const struct dialect_ops dialect_raw;
extern const struct dialect_ops dialect_netproxy;

/**
 * dialect_of() - the dialect of a route, or NULL when it has none.
 */
const struct dialect_ops *dialect_of(enum target_route route);

#endif
