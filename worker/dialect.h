/* SPDX-License-Identifier: ISC */
/*
 * What a dialect is to the session: one table of functions. The session knows
 * no dialect, and a dialect knows neither sockets nor channels. To add one:
 * write its file in worker/dialect/ and add its line to worker/dialects.def.
 *
 * A dialect calls the session_*() functions of worker/session.h and ws_send(), and
 * reads s->granted. None of its functions is called once the WebSocket is being
 * closed, but stop().
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
	const char *path; /* the first segment of the path that chooses it */
	size_t size;      /* of its state, which is zeroed memory at s->mine */
	/*
	 * Which offered subprotocol is answered: the first, whatever it is; or else
	 * "binary", or "sockward", or none.
	 */
	bool echo_any_subprotocol;
	bool preflight; /* OPTIONS on its path is answered, for pages of other origins */

	/*
	 * A request for its path: @target has the segments that follow, @query is what
	 * followed the '?', @n bytes. Returns false when there is no such path (404);
	 * then stop() is not called. Nothing may be asked of the broker yet.
	 */
	bool (*begin)(struct session *s, const struct target *target, const char *query, size_t n);
	/* The broker granted the session: messages may come now. */
	void (*granted)(struct session *s);
	/* One message: begin, pieces as they come, end. */
	void (*message_begin)(struct session *s, bool text);
	void (*message_chunk)(struct session *s, const uint8_t *bytes, size_t n);
	void (*message_end)(struct session *s);
	/* The answer to a request. @reason: of enum reason. After refused() the stream is gone. */
	void (*opened)(struct session *s, struct stream *stream);
	void (*refused)(struct session *s, struct stream *stream, uint32_t reason,
			const struct ipc_addr *peer);
	/* The answer to session_resolve(); then the stream is gone. NULL: no use for it. */
	void (*resolved)(struct session *s, struct stream *stream,
			 const struct ipc_resolved *answer);
	/* The answer to session_listen(): stream->local says where. NULL: no use for it. */
	void (*listening)(struct session *s, struct stream *stream);
	/*
	 * Somebody connected: @stream is open, and the dialect sets its owner or drops
	 * it. Nothing is read from it before this returns. NULL: it is dropped.
	 */
	void (*accepted)(struct session *s, struct stream *listener, struct stream *stream);
	/* All that waited in stream->up has been written. NULL: no use for it. */
	void (*written)(struct session *s, struct stream *stream);
	/*
	 * From the destination; called only while ws_room(). @n is 1 to SESSION_PIECE.
	 * UDP: one whole datagram; @n is 0 to STREAM_DATAGRAM_MOST.
	 */
	void (*data)(struct session *s, struct stream *stream, const uint8_t *bytes, size_t n);
	/*
	 * Nothing more comes: REASON_PEER_CLOSED for an end of stream in order,
	 * REASON_CONNECT_FAILED for a broken connection, of TLS also REASON_TLS_TRUNCATED
	 * and REASON_TLS_FAILED, REASON_IDLE for UDP without a
	 * datagram for its idle_ms, else why the broker cut it. The dialect drops
	 * the stream when it is done with it.
	 */
	void (*ended)(struct session *s, struct stream *stream, uint32_t reason);
	/* The broker refused the session. NULL: session_close_reason(). */
	void (*session_refused)(struct session *s, uint32_t reason);
	/* Free what the state holds. NULL: nothing. */
	void (*stop)(struct session *s);
};

#define DIALECT(name) extern const struct dialect_ops dialect_##name;
#include "worker/dialects.def"
#undef DIALECT

/**
 * dialect_of() - the dialect of a path, or NULL when it has none.
 * @word: the path's first segment, NUL-terminated, as it was sent.
 */
const struct dialect_ops *dialect_of(const char *word);

#endif
