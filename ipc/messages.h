/* SPDX-License-Identifier: ISC */
/*
 * Every message between the programs, in one table.
 *
 * Transport: AF_UNIX SOCK_SEQPACKET, one fixed-size struct a datagram, in the host's byte
 * order (both ends are built together; HELLO_OK carries IPC_VERSION). A message is legal when
 * a row of IPC_TABLE has its channel, its way, its exact length, its number of descriptors and
 * the receiver's present state. Whatever has no row ends that session, and no other.
 *
 * No message of a worker holds a path, a pattern, a tenant, a session number or a pointer-sized
 * field: the channel is the identity. Text fields are bounded, NUL-terminated and zero-filled
 * behind the NUL (ipc_text_ok() checks it, where the text is judged).
 */
#ifndef SOCKWARD_IPC_MESSAGES_H
#define SOCKWARD_IPC_MESSAGES_H

#include <stdint.h>

#include "ipc/limits.h"

#define IPC_VERSION 1U

#define IPC_HOST      256 /* a name of at most 253 bytes, or a literal, with its NUL */
#define IPC_ORIGIN    256
#define IPC_TOKEN     4096
#define IPC_GRANT     64
#define IPC_SUBJECT   128
#define IPC_RULE      128
#define IPC_ADDRESSES 8

/* Who speaks with whom. The first named asks, the second is asked. */
enum ipc_channel {
	IPC_SPAWN = 1,     /* listener, worker template */
	IPC_LISTENER,      /* listener, broker */
	IPC_SESSION,       /* worker, broker */
	IPC_RESOLVER,      /* broker, resolver */
	IPC_AUTHENTICATOR, /* broker, authenticator */
	IPC_AUDITOR,       /* broker, auditor */
	IPC_CONTROL,       /* sockward (a person), listener */
	IPC_METRICS,       /* sockward metrics, auditor */
};

/* ASK goes from the asking side of a channel to the asked one, TELL comes back. */
enum ipc_way {
	IPC_ASK = 1,
	IPC_TELL,
};

/*
 * States of a channel, as bits. A session goes NEW, ASKED (AUTH is under way),
 * OPEN (granted), DRAIN, DEAD and never back. Other channels use NEW until the
 * greeting and OPEN from then on.
 */
enum ipc_state {
	IPC_NEW = 1,
	IPC_ASKED = 2,
	IPC_OPEN = 4,
	IPC_DRAIN = 8,
	IPC_DEAD = 16,
};

#define IPC_LIVE (IPC_OPEN | IPC_DRAIN)
#define IPC_ANY  (IPC_NEW | IPC_ASKED | IPC_OPEN | IPC_DRAIN)

/* clang-format off */
#define IPC_TABLE(ROW)                                                                     \
	/*  type             body                      channel        way   fds states  */ \
	ROW(SPAWN,           struct ipc_plain,         SPAWN,         ASK,  1,  OPEN)      \
	ROW(SPAWNED,         struct ipc_spawned,       SPAWN,         TELL, 1,  OPEN)      \
                                                                                           \
	ROW(SESSION_OPEN,    struct ipc_session_open,  LISTENER,      ASK,  1,  LIVE)      \
	ROW(SESSION_END,     struct ipc_session_end,   LISTENER,      ASK,  0,  LIVE)      \
	ROW(STOP,            struct ipc_stop,          LISTENER,      ASK,  0,  LIVE)      \
	ROW(HELLO_OK,        struct ipc_hello_ok,      LISTENER,      TELL, 0,  ANY)       \
	ROW(SESSION_GRANTED, struct ipc_session_note,  LISTENER,      TELL, 0,  LIVE)      \
	ROW(SESSION_KILL,    struct ipc_session_note,  LISTENER,      TELL, 0,  LIVE)      \
                                                                                           \
	ROW(CLIENT,          struct ipc_client,        SESSION,       TELL, 1,  NEW)       \
	ROW(AUTH,            struct ipc_auth,          SESSION,       ASK,  0,  NEW)       \
	ROW(OPEN,            struct ipc_open,          SESSION,       ASK,  0,  LIVE)      \
	ROW(END,             struct ipc_end,           SESSION,       ASK,  0,  LIVE)      \
	ROW(COUNTS,          struct ipc_counts,        SESSION,       ASK,  0,  ANY)       \
	ROW(GRANTED,         struct ipc_granted,       SESSION,       TELL, 0,  ASKED)     \
	ROW(OPENED,          struct ipc_opened,        SESSION,       TELL, 1,  LIVE)      \
	ROW(LISTENING,       struct ipc_opened,        SESSION,       TELL, 0,  LIVE)      \
	ROW(RESOLVED,        struct ipc_resolved,      SESSION,       TELL, 0,  LIVE)      \
	ROW(REFUSED,         struct ipc_refused,       SESSION,       TELL, 0,  ANY)       \
	ROW(CUT,             struct ipc_cut,           SESSION,       TELL, 0,  LIVE)      \
	ROW(DRAIN,           struct ipc_drain,         SESSION,       TELL, 0,  ANY)       \
                                                                                           \
	ROW(LOOKUP,          struct ipc_lookup,        RESOLVER,      ASK,  0,  OPEN)      \
	ROW(ADDRESSES,       struct ipc_addresses,     RESOLVER,      TELL, 0,  OPEN)      \
                                                                                           \
	ROW(VERIFY,          struct ipc_verify,        AUTHENTICATOR, ASK,  0,  OPEN)      \
	ROW(VERDICT,         struct ipc_verdict,       AUTHENTICATOR, TELL, 0,  OPEN)      \
                                                                                           \
	ROW(AUDIT_HELLO,     struct ipc_audit_hello,   AUDITOR,       ASK,  0,  NEW)       \
	ROW(RECORD,          struct ipc_record,        AUDITOR,       ASK,  0,  OPEN)      \
	ROW(AUDIT_READY,     struct ipc_stored,        AUDITOR,       TELL, 0,  NEW)       \
	ROW(STORED,          struct ipc_stored,        AUDITOR,       TELL, 0,  OPEN)      \
                                                                                           \
	ROW(CTL_STATUS,      struct ipc_plain,         CONTROL,       ASK,  0,  OPEN)      \
	ROW(CTL_LIST,        struct ipc_ctl_list,      CONTROL,       ASK,  0,  OPEN)      \
	ROW(CTL_KILL,        struct ipc_ctl_kill,      CONTROL,       ASK,  0,  OPEN)      \
	ROW(CTL_DRAIN,       struct ipc_drain,         CONTROL,       ASK,  0,  OPEN)      \
	ROW(CTL_STATUS_IS,   struct ipc_ctl_status,    CONTROL,       TELL, 0,  OPEN)      \
	ROW(CTL_SESSION,     struct ipc_ctl_session,   CONTROL,       TELL, 0,  OPEN)      \
	ROW(CTL_DONE,        struct ipc_ctl_done,      CONTROL,       TELL, 0,  OPEN)      \
                                                                                           \
	ROW(METRICS,         struct ipc_plain,         METRICS,       ASK,  0,  OPEN)      \
	ROW(METRICS_ARE,     struct ipc_metrics,       METRICS,       TELL, 0,  OPEN)
/* clang-format on */

enum ipc_type {
	IPC_TYPE_NONE,
#define ROW(type, body, channel, way, fds, states) MSG_##type,
	IPC_TABLE(ROW)
#undef ROW
	IPC_TYPE_COUNT
};

/* First member of every message. */
struct ipc_head {
	uint32_t type;
};

struct ipc_plain {
	struct ipc_head head;
};

/* The descriptor is the new worker's pidfd. */
struct ipc_spawned {
	struct ipc_head head;
	uint32_t pid;
};

/* An address with its port; family is 4 or 6, 0 for none; IPv4 is in ip[0..3]. */
struct ipc_addr {
	uint8_t family;
	uint8_t proxy; /* of a session's client: 1 when it is a proxy that the policy lists; else 0
			*/
	uint16_t port; /* host byte order */
	uint8_t ip[16];
};

/* --- listener and broker ---------------------------------------------------- */

/* What a worker is told of its grant, and keeps to. Part of the policy's image too. */
struct ipc_terms {
	uint32_t channels;
	uint32_t message_bytes;        /* longest WebSocket message that the client may send */
	uint32_t connect_timeout_ms;   /* also for what a worker does before a stream can be used */
	uint32_t idle_timeout_ms;      /* 0: not limited, as below */
	uint32_t datagrams_per_minute; /* UDP, both ways, of a session */
	uint32_t port_high;
	struct ipc_addr near;      /* where it may listen, with the lowest port; or family 0 */
	uint32_t reply_ratio;      /* UDP: bytes that may come for one that went, of a stream */
	uint64_t bytes_per_minute; /* both ways, of a subject; of datagrams: of a session */
};

/* The broker's greeting, sent again whenever something of it changes. */
struct ipc_hello_ok {
	struct ipc_head head;
	uint32_t version;
	uint32_t generation; /* of the policy; 0: none is loaded */
	uint8_t resolver_up;
	uint8_t authenticator_up;
	uint8_t auditor_up;
	uint8_t pad;
	struct ipc_limits limits;
};

/* The descriptor is the broker's end of the session's pair. */
struct ipc_session_open {
	struct ipc_head head;
	uint32_t pad;
	uint64_t session;
	uint64_t accepted_ns; /* CLOCK_MONOTONIC */
	struct ipc_addr client;
	uint32_t pad2;
};

/* How the worker ended, as the kernel told its parent. */
struct ipc_session_end {
	struct ipc_head head;
	uint32_t reason; /* WORKER_EXITED, WORKER_CRASHED, or why the listener ended it */
	uint64_t session;
	int32_t exit_code; /* -1 when a signal ended it */
	int32_t signal;    /* 0 when it exited */
	uint64_t cpu_us;
	uint64_t max_rss_kib;
};

struct ipc_session_note {
	struct ipc_head head;
	uint32_t reason;
	uint64_t session;
	char grant[IPC_GRANT]; /* of SESSION_GRANTED, for people who list sessions */
	char subject[IPC_SUBJECT];
};

/* A person asks, through the listener: end a session (0: all) in order. */
struct ipc_stop {
	struct ipc_head head;
	uint32_t reason;
	uint64_t session;
	uint32_t grace_ms; /* what is left after this long is cut */
	uint32_t pad;
};

struct ipc_drain {
	struct ipc_head head;
	uint32_t reason;
	uint32_t deadline_ms; /* what is left after this long is ended */
	uint32_t pad;
};

/* --- worker and broker ------------------------------------------------------ */

/* The descriptor is the client's socket. */
struct ipc_client {
	struct ipc_head head;
	uint8_t proxy; /* 1: a listed proxy, so a PROXY header comes first */
	uint8_t pad[3];
};

/* What the client's handshake said. Claims of the worker, all of it. */
struct ipc_auth {
	struct ipc_head head;
	uint8_t dialect;
	uint8_t has_origin;
	uint8_t has_token;
	uint8_t pad;
	struct ipc_addr told; /* by a PROXY header: the client's address; or family 0 */
	uint32_t pad2;
	char host[IPC_HOST];     /* Host header, lower case */
	char origin[IPC_ORIGIN]; /* Origin header, scheme and host lower case */
	char token[IPC_TOKEN];
};

/* How an OPEN is meant. */
enum ipc_open_kind {
	IPC_CONNECT, /* to a destination: addr is a number, or a port alone, or both, see below */
	IPC_RESOLVE, /* the addresses of a name, no stream; protocol and port are 0 */
	IPC_LISTEN,  /* addr is the near address; protocol is TCP */
};

/*
 * A destination by number has no host; one by name has the port alone in addr. A name
 * with a number is that name at that address: it must be one of those that the name has.
 */
struct ipc_open {
	struct ipc_head head;
	uint32_t tag; /* chosen by the worker, comes back in the answer */
	struct ipc_addr addr;
	uint8_t protocol; /* one bit of enum protocol */
	uint8_t kind;
	uint8_t pad[2];
	uint32_t beside;     /* UDP: id of a stream whose near port this one shares; 0: none */
	char host[IPC_HOST]; /* a name as an A-label; empty for a number */
};

/* The worker is done with a stream. Claims, all but which one. */
struct ipc_end {
	struct ipc_head head;
	uint32_t stream;
	uint32_t claimed_reason;
	uint32_t claimed_dropped; /* UDP: datagrams that did not go out, or not on to the client */
	uint64_t claimed_up;
	uint64_t claimed_down;
	uint64_t claimed_datagrams_up; /* UDP */
	uint64_t claimed_datagrams_down;
};

/* The worker's last word on its session: claims, stored as such. */
struct ipc_counts {
	struct ipc_head head;
	uint16_t claimed_close; /* WebSocket close code; 0 for none */
	uint16_t claimed_http;  /* status of an HTTP refusal; 0 for none */
	uint64_t claimed_messages_in;
	uint64_t claimed_messages_out;
	uint64_t claimed_bytes_in;
	uint64_t claimed_bytes_out;
	struct ipc_addr told; /* as in AUTH, which not every session comes to */
	uint32_t pad;
};

struct ipc_granted {
	struct ipc_head head;
	uint32_t pad;
	struct ipc_terms terms;
};

/*
 * OPENED: the descriptor is the connected socket. Each that was accepted for a
 * listening stream comes with that one's tag and an id of its own. LISTENING has its
 * near address in peer, and no descriptor: that never leaves the broker.
 */
struct ipc_opened {
	struct ipc_head head;
	uint32_t tag;
	uint32_t stream;
	struct ipc_addr peer;
	struct ipc_addr local;
};

/* Addresses of a name that the policy allows for some port; none is no answer but REFUSED. */
struct ipc_resolved {
	struct ipc_head head;
	uint32_t tag;
	uint32_t ttl_s; /* for so long each of them counts as that name */
	uint32_t count;
	struct ipc_addr addrs[IPC_ADDRESSES]; /* ports are 0 */
};

/* tag 0: the session is refused. */
struct ipc_refused {
	struct ipc_head head;
	uint32_t tag;
	uint32_t reason;
	struct ipc_addr peer; /* family 0 unless the grant explains */
};

/* The broker ended a stream; the socket is already shut down. */
struct ipc_cut {
	struct ipc_head head;
	uint32_t stream;
	uint32_t reason;
};

/* --- broker and helpers ----------------------------------------------------- */

struct ipc_lookup {
	struct ipc_head head;
	uint32_t tag; /* the broker's; session and tag come back in the answer */
	uint64_t session;
	char grant[IPC_GRANT]; /* whose cache answers */
	char host[IPC_HOST];
};

struct ipc_addresses {
	struct ipc_head head;
	uint32_t tag;
	uint64_t session;
	uint32_t reason; /* NONE, NAME_INVALID, NAME_UNKNOWN or NAME_FAILED */
	uint32_t count;
	uint32_t ttl_s;
	struct ipc_addr addrs[IPC_ADDRESSES]; /* ports are 0 */
	uint32_t pad;
};

/* What the worker said in AUTH, passed on; all of the judgement is there. */
struct ipc_verify {
	struct ipc_head head;
	uint32_t pad;
	uint64_t session;
	struct ipc_auth auth;
};

struct ipc_verdict {
	struct ipc_head head;
	uint32_t reason;     /* NONE, HOST, DIALECT, ORIGIN or TOKEN_... */
	uint64_t session;    /* as in VERIFY */
	uint64_t lifetime_s; /* for so long the token holds; 0: for ever */
	uint64_t policy;     /* by whose text it is judged, as ipc_limits.fingerprint */
	char grant[IPC_GRANT];
	char subject[IPC_SUBJECT]; /* empty for a client without a token */
};

struct ipc_audit_hello {
	struct ipc_head head;
	uint32_t version;
	uint64_t instance; /* differs between two runs of the broker */
};

/* All records of this instance up to and with number are in the file. */
struct ipc_stored {
	struct ipc_head head;
	uint32_t pad;
	uint64_t number;
};

#include "ipc/record.h"
#include "ipc/control.h"
#include "ipc/metrics.h"

/* Room for any message, and one byte more so that a longer one shows. */
union ipc_any {
	struct ipc_head head;
#define ROW(type, body, channel, way, fds, states) body type##_body;
	IPC_TABLE(ROW)
#undef ROW
};

struct ipc_buffer {
	union ipc_any any;
	char excess;
};

#endif
