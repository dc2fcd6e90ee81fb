/* SPDX-License-Identifier: ISC */
/*
 * The broker: the only program with the network. It judges each request
 * against the policy, dials the judged address, puts it on record, hands the
 * connected socket over and keeps a duplicate. It parses no text, takes no
 * descriptor from a worker, never blocks, and dies of no session's input.
 *
 * Everything that it links is counted (`make surface`): what is not needed here
 * is in another program. One event is served at a time, so that nothing that
 * ends can leave a stale event behind; all memory is taken at the start.
 */
#ifndef SOCKWARD_BROKER_BROKER_H
#define SOCKWARD_BROKER_BROKER_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/fds.h"
#include "common/log.h"
#include "ipc/channel.h"
#include "ipc/words.h"
#include "policy/check.h"

#define container_of(member, type, field) ((type *)(void *)((char *)(member)-offsetof(type, field)))

#define SESSIONS_MOST  16384 /* half of them live, the others ending */
#define STREAMS_MOST   65536
#define ACCOUNTS_MOST  32768
#define LISTENERS_MOST 257
#define TICK_MS        50   /* between two looks at what is due */
#define ALIVE          100  /* ticks between two words to the service manager */
#define VERIFY         16   /* tokens under way; the authenticator's channel takes more */
#define SHARE          250  /* messages of a worker in a tick; what is more waits */
#define REQUEST        10   /* of them that a request takes */
#define RECORDS_MOST   4096 /* that the auditor has not stored yet */

/* Something in epoll: a channel to a program, or a bare descriptor. */
struct peer {
	int fd;                   /* -1: none */
	enum ipc_channel channel; /* of a channel, with the state by which the table judges */
	enum ipc_state state;     /* what comes in */
	void (*ready)(struct peer *peer); /* may be called although nothing is there */
	uint32_t messages;                /* of a worker, in this tick */
	bool waits;                       /* for the next one, and is not in epoll */
};

/* What is counted for one subject of one grant, over all its sessions. */
struct account {
	uint64_t key;
	uint64_t window; /* start of the present minute, ms */
	uint32_t sessions;
	uint32_t connects;
	uint64_t bytes;
};

/*
 * peer.state is the session's state: NEW, ASKED (AUTH is under way), OPEN, DRAIN,
 * DEAD (waits for the listener's word on the worker), 0 (the slot is free); it
 * changes in session_state() only.
 */
struct session {
	struct peer peer;      /* the channel */
	struct peer *listener; /* whose it is */
	LIST_HEAD(, stream) streams;
	uint64_t due;                    /* ms; 0: nothing is */
	enum reason ends_with;           /* what it means that something is due */
	enum reason reason;              /* why it ends; NONE while it lives */
	uint64_t ends_ms;                /* DEAD: until when the listener's word is awaited */
	const struct image_grant *grant; /* NULL until granted, and when it is gone */
	struct account *account;
	uint32_t busy;            /* streams, from OPEN on */
	uint32_t listening;       /* of them */
	uint32_t requests;        /* in all; the newest one's id */
	struct ipc_record record; /* the facts that all its records have, and its sums */
};

/* A stream is where its request is: from OPEN to its one record of refusal or end. */
enum stream_state {
	STREAM_LOOKUP,
	STREAM_DIALLING,
	STREAM_REFUSED, /* recorded; the answer waits for its time */
	STREAM_RECORDED,
	STREAM_LIVE,   /* handed over */
	STREAM_ENDING, /* shut down; not all is acknowledged yet */
};

struct attempt {
	struct peer peer;
	struct stream *stream;
};

struct stream {
	struct session *session;
	LIST_ENTRY(stream) next; /* of its session, or of those that are free */
	enum stream_state state;
	enum reason reason; /* of the refusal, the last failed attempt, or the end */
	uint64_t due;       /* ms; 0: nothing is */
	uint64_t since_ms;  /* it was asked for, is live, or is ending */
	int fd;             /* the duplicate; of a listening one -1: its attempt keeps it */
	uint32_t tag;       /* the worker's; ours is record.stream */
	uint32_t beside;    /* id of a stream whose near port is wanted */
	bool by_name;
	uint32_t ttl_s; /* of its addresses */
	uint8_t n;      /* addresses that may be dialled */
	uint8_t dialled;
	uint8_t failed;
	struct ipc_addr addrs[IPC_ADDRESSES];
	struct attempt attempts[IPC_ADDRESSES];
	struct ipc_record record; /* the facts that all its records have */
};

struct broker {
	int epoll;
	uint64_t now;                 /* ms, taken once a turn of the loop */
	uint64_t room_ms;             /* since then no record can be made; or now */
	volatile sig_atomic_t stop;   /* SIGTERM came */
	volatile sig_atomic_t reload; /* SIGHUP came */
	uint32_t listener_uid;
	struct ipc_verify verifying[VERIFY]; /* what the authenticator has not answered */
	int passed; /* what came with the message that is served; -1: nothing */

	struct peer door;
	struct peer peers[IPC_AUDITOR + 1];    /* by channel: the helpers */
	struct peer listeners[LISTENERS_MOST]; /* one, or one for each connection */

	struct policy policy;                   /* without an image, one that denies everything */
	uint32_t generation;                    /* 0: no image */
	_Alignas(8) char images[2][IMAGE_MOST]; /* by generation; pages that are not used cost
						   nothing */

	struct session sessions[SESSIONS_MOST];
	uint64_t ids[SESSIONS_MOST]; /* of the sessions in these slots; 0: free */
	uint32_t sessions_used;      /* slots that were ever used; as below */
	struct stream streams[STREAMS_MOST];
	uint32_t streams_used;
	LIST_HEAD(, stream) spare; /* used once, and free */
	struct account accounts[ACCOUNTS_MOST];

	struct ipc_record records[RECORDS_MOST];
	uint64_t instance; /* of this run */
	uint64_t recorded; /* number of the newest record */
	uint64_t sent;     /* to this auditor */
	uint64_t stored;
};

extern struct broker broker;
extern const struct image_header policy_none; /* denies everything */
/* A session's token under way, of session 0 if there is none; others of that place wait. */
#define VERIFY_OF(its) (&broker.verifying[((its)-broker.sessions) % VERIFY])

/* What serves a message that came from @peer. Its descriptor, if any, is broker.passed. */
typedef void handler(struct peer *peer, const union ipc_any *any);
#define UNUSED __attribute__((unused))

/* loop.c: descriptors and time */

/**
 * peer_open() - serve a descriptor from now on.
 * @peer: its callbacks are set. @fd: taken over. @events: EPOLLIN or EPOLLOUT.
 *
 * Returns 0, or -1 (logged, @fd closed).
 */
int peer_open(struct peer *peer, int fd, uint32_t events);

/** peer_close() - close and forget; nothing happens when it is closed already. */
void peer_close(struct peer *peer);

/**
 * peer_message() - a channel's ready(): receive one message, judge it by the table,
 * serve it. An illegal one, or the end of the channel, is peer_gone(). A worker that
 * says more than its share is not heard until the next tick, so that its channel
 * fills; each request takes from that share as much as REQUEST messages,
 * whatever becomes of it.
 */
void peer_message(struct peer *peer);

/**
 * loop_run() - serve until SIGTERM, then until all records are stored, or two seconds.
 */
void loop_run(void);

/**
 * clock_ns() - a clock of clock_gettime(2) in nanoseconds.
 */
uint64_t clock_ns(int clock);

/* record.c: nothing is granted without a record */

/**
 * record_new() - the next record; it leaves at the end of this turn of the loop.
 * @facts: of the session or stream, with its begin in mono_ns; or NULL.
 *
 * There is always room: while few places are left, the loop serves nothing but the
 * auditor.
 */
void record_new(enum event event, enum reason reason, const struct ipc_record *facts);

/** record_send() - send what waits to the auditor; what it does not take now goes later. */
void record_send(void);

/** record_room() - may the loop serve what can cause records? */
bool record_room(void);

handler record_stored; /* AUDIT_READY, STORED: what was granted goes on */

/* link.c: the other programs */

/**
 * peer_gone() - a channel ended or must end: kill its session, or see to it that it
 * is connected again. Without a listener, sessions live on.
 */
void peer_gone(struct peer *peer, enum reason reason);

/** links_keep() - connect to the helpers that are not there; each tick. */
void links_keep(void);

/**
 * door_listener() - the listener's door is ready: accept it.
 */
void door_listener(struct peer *door);

/**
 * listener_tell() - send a note on a session. Returns whether the listener took it.
 */
bool listener_tell(uint32_t type, const struct session *session);

/**
 * listener_greet() - tell the listener the limits in force.
 */
void listener_greet(void);

/* policy.c: the image in force */

/**
 * policy_load() - put the image that standard input holds into force.
 *
 * On failure the old policy stays; with none, everything is denied. Both are on
 * record.
 */
void policy_load(void);

/* session.c: a session's life */

/**
 * session_tell() - send to the worker; one that does not read loses its session.
 * @pass: a descriptor to attach, or -1.
 *
 * Returns 0, or -1: the session is DEAD then.
 */
int session_tell(struct session *session, const void *message, size_t length, int pass);

/**
 * session_state() - the one place where a session's state changes; only forwards.
 */
void session_state(struct session *session, enum ipc_state state);

/**
 * session_stop() - end a session in order: the worker is told, and after
 * @grace_ms what is left is cut.
 */
void session_stop(struct session *session, enum reason reason, uint32_t grace_ms);

/**
 * session_kill() - cut a session now: streams shut down and recorded, channel
 * closed, the listener told to end the worker. The session is DEAD until the
 * listener says how the worker ended. Without a listener its slot can be free, and
 * zeroed, when this returns.
 */
void session_kill(struct session *session, enum reason reason);

/**
 * session_find() - the session of that id, or NULL.
 */
struct session *session_find(uint64_t id);

/** session_due() - what was @due is due. */
void session_due(struct session *session);

handler session_new, session_end, session_counts, session_asked_to_stop;

/* grant.c: from AUTH to GRANTED */

/**
 * account_now() - begin a new minute of an account if one is due.
 */
void account_now(struct account *account);

/** grant_stored() - `authenticated` is stored: GRANTED. */
void grant_stored(struct session *session);

handler grant_auth, grant_verdict;

/* open.c: from OPEN to OPENED */

/**
 * stream_refuse() - end a request with its record. The worker is told the reason,
 * or that the destination is not available, at once or at its pace, as the grant says.
 */
void stream_refuse(struct stream *stream, enum reason reason);

/**
 * stream_connected() - there is a socket: record it, and hand it over when stored.
 * @fd: taken over; -1 when it listens. record.peer and record.local are set.
 * @reason: what is against it already, for which it is refused; or NONE.
 */
void stream_connected(struct stream *stream, int fd, enum reason reason);

/**
 * stream_new() - a request of a session, by number so far.
 * @tag: the worker's. @protocol: a bit of enum protocol; 0 for addresses.
 *
 * Returns NULL when there is no room for it.
 */
struct stream *stream_new(struct session *session, uint32_t tag, uint8_t protocol);

/**
 * stream_find() - the stream or request of that id of ours, if it is in that state; or NULL.
 * @session: or NULL, which has none.
 */
struct stream *stream_find(struct session *session, uint32_t id, enum stream_state state);

/**
 * stream_due() - what was @due is due.
 */
void stream_due(struct stream *stream);

/** stream_look_up() - have its name looked up, or again. Returns why not, or NONE. */
enum reason stream_look_up(struct stream *stream);

/**
 * open_stored() - `granted` is stored: OPENED, with the connected socket.
 */
void open_stored(struct stream *stream);

/**
 * stream_judge() - by the policy in force; what decided is put on the record.
 * @addr: of the far end; of the near one of what listens. NULL: could any do?
 */
enum reason stream_judge(struct stream *stream, const struct ipc_addr *addr);

handler grant_open, open_addresses;

/* dial.c: sockets */

/**
 * dial_next() - begin to connect to the next judged address (RFC 8305), or to listen.
 * When that fails at once, goes on to the one after; stream_refuse() when none is left.
 */
void dial_next(struct stream *stream);

/** dial_stop() - close all attempts of a request. */
void dial_stop(struct stream *stream);

/**
 * dial_own() - does this address belong to this host? Asked of the kernel: a datagram
 * socket can be bound to own addresses only, and sends nothing. With
 * net.ipv4.ip_nonlocal_bind=1 to any: then only those that a rule names are reached.
 */
bool dial_own(const struct ipc_addr *addr);

/* stream.c: what was handed over */

/**
 * stream_watch() - cut a live stream that is over a limit, or see to the next look.
 */
void stream_watch(struct stream *stream);

/**
 * stream_cut() - shut a live stream down: its worker is told first, so that it does
 * not take that for the far end's; at the next tick, where it was told much already.
 * @abort: reset, as in stream_end().
 */
void stream_cut(struct stream *stream, enum reason reason, bool abort);

/**
 * stream_linger() - end a stream that was shut down when all is acknowledged.
 */
void stream_linger(struct stream *stream);

/**
 * stream_end() - the end of a request or stream, with its last record if that is not
 * made yet: shut down, record with the kernel's counts, free the slot.
 * @abort: reset instead of an orderly end: the stream is broken, not complete.
 */
void stream_end(struct stream *stream, enum reason reason, bool abort);

handler stream_done; /* END */

#endif
