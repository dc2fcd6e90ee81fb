/* SPDX-License-Identifier: ISC */
/*
 * One session: a client's WebSocket, the channel to the broker, the streams
 * that the broker granted, and the dialect between them. One loop over epoll,
 * level-triggered; nothing waits anywhere else.
 *
 *   a listed proxy's header is read (proxy.c) -> the head is read (handshake.c) -> AUTH is sent -> GRANTED: messages flow
 *   (the dialect) -> the WebSocket ends (ws.c) -> the streams are flushed and
 *   ended (stream.c) -> COUNTS, exit status
 *
 * What one side cannot take is not read from the other.
 */
#ifndef SOCKWARD_WORKER_SESSION_H
#define SOCKWARD_WORKER_SESSION_H

#include "ipc/channel.h"
#include "ipc/messages.h"
#include "ipc/words.h"
#include "worker/dialect.h"
#include "worker/http.h"
#include "worker/names.h"
#include "worker/stream.h"
#include "worker/target.h"
#include "worker/ws.h"

#define SESSION_STREAMS 1000U        /* most slots, whatever is granted: RLIMIT_NOFILE is 1,024 */
#define SESSION_SPARE   16U          /* slots beyond the grant: the broker's refusal is on record */
#define SESSION_PIECE   65536U       /* most that is read from a destination at once */
#define SESSION_TAG     (1ULL << 32) /* marks epoll's data as a stream's tag */

struct session {
	int channel; /* to the broker */
	int client;  /* -1 before CLIENT, and once it is closed */
	int epoll;
	uint64_t now_ms;
	enum ipc_state state;     /* of the channel, as the broker sees it */
	int exit_status;          /* -1 until something decided it */
	bool over;                /* leave the loop at once */
	bool winding_up;          /* the WebSocket ends: streams are being finished */
	bool channel_blocked;     /* messages wait in their streams */
	bool places_wanted;       /* requests wait in theirs, for streams that end */
	uint16_t http_status;     /* of an HTTP refusal */
	uint64_t give_up_ms;      /* of a drain; 0: none */
	struct ipc_refused early; /* a refusal that came before the upgrade */
	bool refused_early;

	bool proxied;         /* the client is a listed proxy, whose header comes first */
	struct ipc_addr told; /* by that header: who the client is; family 0: not told */

	struct http_head head;
	char head_bytes[WS_INPUT];
	size_t head_length;
	uint32_t client_events; /* that epoll watches for; ~0 when it does not watch */
	uint32_t channel_events;
	struct ws ws;

	const struct dialect_ops *dialect; /* NULL before the request is understood */
	void *mine;                        /* the dialect's state */

	struct ipc_terms granted; /* what the grant allows; for dialects to read */
	struct names names;       /* addresses that it was told */
	struct trust *trust;      /* for TLS; outlives the session; NULL: there is none */
	struct stream *streams;
	uint32_t slots;
	uint32_t used;         /* slots beyond it are free */
	uint32_t generation;   /* makes tags of used slots differ */
	bool listened;         /* it has asked to listen: connections may cross an END */
	uint32_t next_port;    /* of the grant's, that is tried when any will do */
	uint64_t minute_ms;    /* when the minute of the next two began */
	uint64_t minute_bytes; /* of datagrams */
	uint32_t minute_datagrams;
	uint32_t returned[SESSION_SPARE]; /* ids of accepted connections that nobody takes ... */
	uint32_t n_returned;              /* ... whose END waits for the channel */
	uint8_t piece[SESSION_PIECE];
};

/**
 * session_run() - serve one session on a channel.
 * @s: zeroed memory; pages that are not needed are never touched.
 * @channel: the worker's end; CLIENT comes first on it. Closed at the end.
 *
 * Returns the exit status, one of enum worker_exit.
 */
int session_run(struct session *s, int channel);

/**
 * session_exit() - decide the exit status; the first decision stands.
 */
void session_exit(struct session *s, enum worker_exit status);

/**
 * session_broker_lost() - the channel is gone or broke the protocol: end at once.
 */
void session_broker_lost(struct session *s);

/* --- for dialects -------------------------------------------------------------- */

/**
 * session_close() - end the session in order, all that was said to the client first.
 * @code: a close code. @text: its reason, UTF-8, at most WS_REASON bytes count.
 */
void session_close(struct session *s, unsigned int code, const char *text);

/**
 * session_close_reason() - the same with the common code and text of a reason.
 */
void session_close_reason(struct session *s, uint32_t reason);

/**
 * session_violation() - the client broke the dialect: fail the connection.
 */
void session_violation(struct session *s, unsigned int code, const char *text);

/**
 * session_no_memory() - an allocation failed: end with 1011.
 */
void session_no_memory(struct session *s);

/**
 * session_open() - ask the broker for a stream.
 * @protocol: one of enum protocol. TLS is made here, so that the dialect has but the
 *            client's bytes, and opened() comes when the destination is verified.
 * @host: canonical (name_canonical()), or what name_for_record() made of it.
 * @owner: kept in the stream for the dialect.
 *
 * The answer is one call of opened() or refused(), unless session_drop() comes
 * first; over TLS that may be refused() for what the destination did. Returns the stream, or NULL
 * when all slots are taken.
 */
struct stream *session_open(struct session *s, unsigned int protocol, const char *host,
			    uint16_t port, void *owner);

/**
 * session_open_beside() - ask for UDP to another peer from the near port of a UDP stream.
 * @beside: of this session; if its answer is still awaited, so long the request waits.
 *          Should it be gone by then, the new stream gets a near port of its own.
 *
 * Otherwise as session_open().
 */
struct stream *session_open_beside(struct session *s, const struct stream *beside, const char *host,
				   uint16_t port, void *owner);

/**
 * session_resolve() - ask for the addresses of a name. It takes a slot until it is answered.
 * @host: a name; the broker refuses a number, which the dialect knows by itself.
 *
 * The answer is one call of resolved() or refused(), and then the stream is gone.
 * Returns the stream, or NULL when all slots are taken.
 */
struct stream *session_resolve(struct session *s, const char *host, void *owner);

/**
 * session_listen() - ask for a place where others can connect by TCP.
 * @near: the near address; an unspecified one: the grant's; port 0: any that the
 *        grant has and that is free. Copied.
 *
 * The answer is one call of listening() or refused(). Then each connection is one
 * call of accepted(), until ended() or session_drop(). Returns the listening stream,
 * which has no socket here, or NULL when all slots are taken.
 */
struct stream *session_listen(struct session *s, const struct ipc_addr *near, void *owner);

/**
 * session_datagram() - is there room for one more in this minute?
 * @n: its bytes.
 *
 * Returns true when it is within the limits of the grant, and counts it then.
 */
bool session_datagram(struct session *s, size_t n);

/**
 * session_heard() - may a datagram that came go on to the client?
 * @stream: which has counted it already.
 * @n: its bytes.
 *
 * Returns false when it is beyond a limit of the grant: then it is counted as dropped.
 * When more came back on the stream than its reply_ratio lets, that ends it.
 */
bool session_heard(struct session *s, struct stream *stream, size_t n);

/**
 * request_next_port() - a port was taken: ask for another one, if any will do.
 *
 * Returns whether it was asked for.
 */
bool request_next_port(struct session *s, struct stream *stream);

/**
 * session_push() - bytes of the client for a stream's destination; also before opened().
 *
 * TCP, TLS: returns 0, or -1 with ENOBUFS when they are more than may wait.
 *
 * UDP: one call is one datagram, also with 0 bytes; never merged, never split. What
 * does not go out at once waits, at most STREAM_DATAGRAMS and STREAM_UP_MARK bytes;
 * beyond that the newest is dropped and counted in stream->dropped. Returns 0, or -1
 * with EMSGSIZE when it has more than STREAM_DATAGRAM_MOST bytes.
 *
 * Short memory ends the session; 0 is returned.
 */
int session_push(struct session *s, struct stream *stream, const void *bytes, size_t n);

/**
 * session_shut() - the end of what the client sends, for dialects that can say it.
 *
 * When all that was pushed is written, the destination gets its end of stream; what is
 * pushed later is ignored. The other way stays as it is. Also before opened(). On a
 * stream that is neither TCP nor TLS it does nothing.
 */
void session_shut(struct session *s, struct stream *stream);

/**
 * session_drop() - the dialect is done with a stream and never names it again.
 * @reason: for the broker's record. What was pushed is still written.
 */
void session_drop(struct session *s, struct stream *stream, uint32_t reason);

/**
 * session_next() - go through the streams that have an owner, of whatever kind.
 * @after: the one before; NULL to begin.
 *
 * Returns NULL at the end.
 */
struct stream *session_next(struct session *s, const struct stream *after);

#endif
