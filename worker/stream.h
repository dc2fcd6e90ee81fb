/* SPDX-License-Identifier: ISC */
/*
 * A stream: one connected, non-blocking TCP or UDP socket that the broker gave, with
 * what waits to be written to it. What comes from it is handed on at once and
 * not kept. Only read(2), write(2), writev(2), shutdown(2) and close(2) are used: more
 * the worker may not do to a socket. A stream that listens, or only asks for the
 * addresses of a name, has no socket.
 *
 * The broker keeps a duplicate of the socket, so close(2) alone tells the
 * destination nothing: streams end by shutdown(2). And close(2) with unread
 * input makes the kernel drop output that was accepted: so input is read to its
 * end first, within bounds.
 *
 * A stream that ends before the client has ended it is broken: no shutdown(2)
 * is made, so that what arrived does not look whole, and the reason
 * CONNECT_FAILED makes the broker reset the connection.
 *
 * Over UDP nothing ends by the peer: errors that ICMP brings are counted and skipped
 * (stream_udp.c). It ends by the client, by CUT, or when it is idle.
 *
 * Over TLS (stream_tls.c) the socket is TCP's. The stream is SECURING until the handshake
 * is complete and the far end verified; what is pushed waits. Each end of what is sent is
 * close_notify, then shutdown(2); a far end that omits the word has broken off.
 */
#ifndef SOCKWARD_WORKER_STREAM_H
#define SOCKWARD_WORKER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/messages.h"
#include "ipc/words.h"
#include "worker/buffer.h"

#define STREAM_UP_MARK     (256U * 1024) /* above it, the client is not read */
#define STREAM_STALL_MS    10000U        /* a destination that takes nothing for so long is left */
#define STREAM_FINISH_MS   30000U        /* for all that waits, however it trickles */
#define STREAM_ANSWER_MS   60000U        /* for the broker's answer, when bytes wait for it */
#define STREAM_DRAIN_MS    5000U         /* for its end of stream, after ours */
#define STREAM_DRAIN_BYTES (16U << 20)   /* most that is thrown away meanwhile */

#define STREAM_DATAGRAM_MOST 65507U /* bytes of one datagram: IPv4's most */
#define STREAM_DATAGRAMS     256U   /* most that wait */
#define STREAM_IDLE_MS       60000U /* UDP without a datagram either way lasts no longer */

enum stream_state {
	STREAM_FREE,
	STREAM_ASKED,     /* the broker's answer is awaited */
	STREAM_ABANDONED, /* the same, but only what waits in up has still to be written */
	STREAM_SECURING,  /* TLS: connected, and its handshake is under way, or has failed */
	STREAM_OPEN,
	STREAM_FINISHING, /* given up: flush, shut, drain; if broken, flush only */
	STREAM_ENDED,     /* only END has still to be sent */
};

struct tls;
struct trust;

struct stream {
	enum stream_state state;
	int fd;                /* -1 but from SECURING to FINISHING, and always when it listens */
	uint32_t tag;          /* of the request */
	uint32_t id;           /* the broker's */
	uint8_t protocol;      /* one of enum protocol; 0 of session_resolve() */
	bool listening;        /* of session_listen(), from its request on */
	uint8_t ports;         /* that may still be tried, when any will do */
	struct ipc_addr peer;  /* its far end, once it is open; family 0 when it listens */
	struct ipc_addr local; /* its near end, once it is open or listens */
	uint64_t dropped; /* UDP: datagrams that did not go out, or on; errors of the peer's side */
	uint64_t datagrams_up; /* UDP: that went out, and that came */
	uint64_t datagrams_down;
	uint32_t
		idle_ms; /* UDP: STREAM_IDLE_MS, or idle_timeout of the grant, if that is shorter */
	uint32_t datagrams; /* UDP: how many wait in up, each behind its length */
	uint32_t beside;    /* UDP: tag of the stream whose near port it shall share; 0: none */
	struct buffer up;   /* waits to be written */
	struct tls *tls;    /* TLS, once it is connected */
	bool secure;        /* TLS: the handshake is complete, the far end verified */
	uint32_t fault;     /* TLS: of enum reason, why it failed or broke; 0: it did not */
	bool shut_asked;    /* no more comes into up */
	bool shut;          /* shutdown(SHUT_WR) was made */
	bool up_broken;     /* the destination takes no more */
	bool broken;        /* given up, but not by the client's orderly end */
	bool eof;           /* nothing more can be read */
	bool reset;         /* ... since the connection broke */
	bool hung;          /* the kernel says that both ways have ended */
	bool fresh;         /* finishing has just begun */
	bool told;          /* the dialect knows of the end */
	uint32_t reason;    /* why it ended: CUT's, or the worker's own */
	uint64_t tell_ms;   /* when the dialect is told of the end */
	uint64_t progress_ms;
	uint64_t deadline_ms; /* of ABANDONED, SECURING, and of draining; 0 before */
	uint64_t finish_ms;   /* of flushing in FINISHING */
	size_t drained;
	uint64_t claimed_up;
	uint64_t claimed_down;
	uint32_t events;     /* that epoll watches for; ~0 when it does not watch */
	uint32_t last_words; /* datagrams that were read after the end */
	bool unsent;         /* a message for the broker waits in ask or end */
	bool answered;       /* ABANDONED: no answer comes; it is there for its owner alone */
	struct ipc_open ask;
	void *owner; /* the dialect's */
};

/**
 * stream_ask() - make a free stream one that waits for the broker's answer.
 * @most: most bytes that may wait in up.
 */
void stream_ask(struct stream *s, uint32_t tag, size_t most);

/**
 * stream_connect() - the broker answered with a socket.
 * @fd: owned by the stream from now on.
 *
 * Writes what waits.
 */
void stream_connect(struct stream *s, int fd, uint32_t id, uint64_t now_ms);

/**
 * stream_push() - bytes for the destination.
 *
 * Written at once as far as the socket takes them; the rest waits. Dropped
 * without a word once the destination takes no more. Returns 0, or -1 with
 * ENOBUFS or ENOMEM. Over UDP they are one datagram: as stream_push_datagram().
 */
int stream_push(struct stream *s, const void *bytes, size_t n, uint64_t now_ms);

/**
 * stream_shut() - end of what the client sends; shutdown(SHUT_WR) when all is written.
 *
 * Nothing happens unless the stream is TCP and has, or will have, a socket.
 */
void stream_shut(struct stream *s, uint64_t now_ms);

/**
 * stream_write() - write what waits, as far as the socket takes it.
 */
void stream_write(struct stream *s, uint64_t now_ms);

/**
 * stream_read() - read what came; of TLS at most a record. Not of UDP, which has
 * stream_read_datagram().
 * @size: TLS: TLS_RECORD at least.
 *
 * Returns how many bytes, or 0 when there are none now; s->eof then tells
 * whether there will be more.
 */
size_t stream_read(struct stream *s, void *bytes, size_t size);

/**
 * stream_cut() - it ended, by the broker or for an error: what waits is dropped,
 * and only what is readable remains.
 */
void stream_cut(struct stream *s, uint32_t reason);

/**
 * stream_finish() - nobody wants it any more: flush, shut, drain, then ENDED.
 * @reason: for the broker's record, unless one is set already. CONNECT_FAILED
 * says that it is broken, unless the client ended its way before.
 */
void stream_finish(struct stream *s, uint32_t reason, uint64_t now_ms);

/**
 * stream_step() - go on with finishing, or drop what waited too long for the
 * broker's answer. @scratch: @size bytes to read into.
 *
 * Returns true when the stream is ENDED and its socket closed.
 */
bool stream_step(struct stream *s, void *scratch, size_t size, uint64_t now_ms);

/**
 * stream_deadline() - when stream_step() must be called even without an event; 0: never.
 */
uint64_t stream_deadline(const struct stream *s);

/**
 * stream_wants() - events to wait for.
 * @room: whether what is read can be handed on.
 */
uint32_t stream_wants(const struct stream *s, bool room);

/**
 * stream_idle() - is it open, UDP, and without a datagram for idle_ms?
 */
bool stream_idle(const struct stream *s, uint64_t now_ms);

/**
 * stream_free() - close whatever is open, free all memory, make it FREE.
 */
void stream_free(struct stream *s);

/**
 * stream_break_up() - the destination takes no more: what waits is dropped.
 */
void stream_break_up(struct stream *s);

/* --- TLS (stream_tls.c) ---------------------------------------------------------- */

/**
 * stream_secure() - begin with TLS on a stream whose socket has just come; it is SECURING.
 * @trust: NULL: there is none, and the stream fails.
 * @most_ms: the handshake must be complete by then.
 */
void stream_secure(struct stream *s, struct trust *trust, uint64_t most_ms);

/**
 * stream_handshake() - go on with the handshake, which takes too long from its deadline on.
 *
 * s->secure then tells whether it is complete. If it failed: fault tells why, eof is set, and
 * what waits is dropped.
 */
void stream_handshake(struct stream *s, uint64_t now_ms);

/**
 * stream_tls_put() - write some. Returns how many bytes of @bytes are written; the rest must
 * be offered again, as tls_write() says.
 */
size_t stream_tls_put(struct stream *s, const uint8_t *bytes, size_t n, uint64_t now_ms);

/**
 * stream_tls_read() - as stream_read(), of a stream that is secure.
 */
size_t stream_tls_read(struct stream *s, void *bytes, size_t size);

/**
 * stream_tls_bye() - say close_notify. Returns whether it was said; if it never can be, the
 * stream takes no more.
 */
bool stream_tls_bye(struct stream *s);

/* --- UDP (stream_udp.c) ---------------------------------------------------------- */

/**
 * stream_push_datagram() - one datagram for the destination; @n may be 0.
 *
 * Written at once when the socket takes it, else it waits behind the others. Beyond
 * STREAM_DATAGRAMS or the bytes that may wait it is dropped and counted. Returns 0, or
 * -1 with EMSGSIZE (over STREAM_DATAGRAM_MOST) or ENOMEM (nothing waits any more).
 */
int stream_push_datagram(struct stream *s, const void *bytes, size_t n, uint64_t now_ms);

/**
 * stream_write_datagrams() - write those that wait, as far as the socket takes them.
 */
void stream_write_datagrams(struct stream *s, uint64_t now_ms);

/**
 * stream_read_datagram() - read one. Errors that ICMP brought are counted as dropped,
 * and so is one with more than STREAM_DATAGRAM_MOST bytes.
 * @size: more than STREAM_DATAGRAM_MOST. @n: its bytes, maybe 0; untouched on false.
 *
 * Returns false when there is none now; s->eof then tells whether there will be more.
 */
bool stream_read_datagram(struct stream *s, void *bytes, size_t size, size_t *n, uint64_t now_ms);

#endif
