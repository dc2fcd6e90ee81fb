/* SPDX-License-Identifier: ISC */
/*
 * wasmnet: what the client of the wasmnet project speaks. Requests and events are
 * JSON objects in text messages or frames in binary ones; the session answers in the
 * framing of the client's last message. Shared by its files.
 */
#ifndef SOCKWARD_WORKER_DIALECT_WASMNET_H
#define SOCKWARD_WORKER_DIALECT_WASMNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/messages.h"
#include "worker/base64.h"
#include "worker/gather.h"

#define WASMNET_HEAD    9U       /* bytes of a binary frame before its payload */
#define WASMNET_PIECE   16384U   /* most bytes of a TCP stream in one event */
#define WASMNET_TEXT    512U     /* longest text of an error or denial, with its NUL */
#define WASMNET_ACCEPTS 1000000U /* ids of what a listener accepts begin at its own times this */
#define WASMNET_ID_MOST (UINT64_MAX - 1)
/* A datagram is the longest event, in JSON. */
#define WASMNET_ANSWER (BASE64_ENCODED(65536U) + 6 * WASMNET_TEXT + 128)

struct json_object;
struct session;
struct stream;

/* Requests, by their number in a binary frame. */
enum wasmnet_op {
	WASMNET_CONNECT = 0x01,
	WASMNET_BIND,
	WASMNET_LISTEN,
	WASMNET_SEND,
	WASMNET_CLOSE,
	WASMNET_CONNECT_UDP,
	WASMNET_SEND_TO,
	WASMNET_RESOLVE,
	WASMNET_CONNECT_TLS,
};

/* Events, likewise. */
enum wasmnet_event {
	WASMNET_CONNECTED = 0x81,
	WASMNET_DATA,
	WASMNET_LISTENING,
	WASMNET_ACCEPTED,
	WASMNET_CLOSED,
	WASMNET_ERROR,
	WASMNET_DENIED,
	WASMNET_DATA_FROM,
	WASMNET_RESOLVED,
	WASMNET_UDP_BOUND,
};

/* A request as read; its bytes are the message's or its own. */
struct wasmnet_request {
	enum wasmnet_op op;
	uint64_t id;
	const char *host; /* addr or name, as written; any bytes */
	size_t host_length;
	uint16_t port;
	const uint8_t *bytes; /* of send and send_to */
	size_t n;
	bool no_bytes; /* they were no base64 */
	struct json_object *object;
	uint8_t *decoded;
};

enum wasmnet_read {
	WASMNET_READ,
	WASMNET_WRONG,
	WASMNET_NO_MEMORY,
};

enum wasmnet_kind {
	WASMNET_TCP,
	WASMNET_UDP,
	WASMNET_LISTENER,
	WASMNET_LOOKUP,
};

/* The owner of a stream. A UDP socket of the client is one of these for each peer. */
struct wasmnet_end {
	uint64_t id;
	enum wasmnet_kind kind;
	bool opened;
	bool tls;          /* TCP: the server speaks TLS on it */
	bool shut;         /* the client sends no more */
	bool beside;       /* UDP: asked for by send_to, so that nobody waits for an answer */
	uint64_t accepted; /* the id of what a listener accepted last; 0: nothing yet */
	uint16_t port;     /* as asked */
	uint16_t main_port;
	char host[IPC_HOST];
	char main_host[IPC_HOST]; /* UDP: the peer that connect_udp named */
};

struct wasmnet {
	struct gather message; /* the one under way */
	bool json;             /* what events are */
	char answer[WASMNET_ANSWER];
};

/**
 * wasmnet_read_json() - read a text message.
 * @text: @n bytes, which must outlive @request. @most: longest that is taken.
 * @request: zeroed; to be given to wasmnet_release() whatever is returned.
 * @wrong: set to a sentence when WASMNET_WRONG; a constant.
 */
enum wasmnet_read wasmnet_read_json(const char *text, size_t n, size_t most,
				    struct wasmnet_request *request, const char **wrong);

/**
 * wasmnet_read_binary() - read a binary message; parameters and result as above.
 */
enum wasmnet_read wasmnet_read_binary(const uint8_t *frame, size_t n,
				      struct wasmnet_request *request, const char **wrong);

/**
 * wasmnet_release() - free what a request holds.
 */
void wasmnet_release(struct wasmnet_request *request);

/**
 * wasmnet_serve() - do what a request asks for.
 */
void wasmnet_serve(struct session *s, const struct wasmnet_request *request);

/**
 * wasmnet_find() - a stream of an id, of which a UDP socket has several.
 * @after: the one before; NULL to begin.
 *
 * Returns NULL at the end.
 */
struct stream *wasmnet_find(struct session *s, uint64_t id, struct stream *after);

/**
 * wasmnet_new_end() - a copy of @like, to be a stream's owner.
 *
 * Returns NULL when memory is short, which has then ended the session.
 */
struct wasmnet_end *wasmnet_new_end(struct session *s, const struct wasmnet_end *like);

/**
 * wasmnet_give_up() - nothing is said of this stream any more: drop it, and free its owner.
 * @reason: as of session_drop().
 */
void wasmnet_give_up(struct session *s, struct stream *stream, uint32_t reason);

/**
 * wasmnet_give_up_all() - the same with all streams of an id.
 */
void wasmnet_give_up_all(struct session *s, uint64_t id, uint32_t reason);

/**
 * wasmnet_say() - send an event that has nothing but an id.
 */
void wasmnet_say(struct session *s, enum wasmnet_event event, uint64_t id);

/**
 * wasmnet_say_port() - send an event with a port.
 */
void wasmnet_say_port(struct session *s, enum wasmnet_event event, uint64_t id, uint16_t port);

/**
 * wasmnet_say_text() - send an error or a denial.
 * @format: as printf(3); cut at WASMNET_TEXT - 1 bytes.
 */
void wasmnet_say_text(struct session *s, enum wasmnet_event event, uint64_t id, const char *format,
		      ...) __attribute__((format(printf, 4, 5)));

/**
 * wasmnet_say_data() - send bytes of a TCP stream, in as many events as it takes.
 */
void wasmnet_say_data(struct session *s, uint64_t id, const uint8_t *bytes, size_t n);

/**
 * wasmnet_say_data_from() - send a datagram. @n: at most 65,536.
 */
void wasmnet_say_data_from(struct session *s, uint64_t id, const struct ipc_addr *peer,
			   const uint8_t *bytes, size_t n);

/**
 * wasmnet_say_accepted() - tell of a connection to a listener.
 * @id: the listener's. @accepted: the connection's. @peer: its far end.
 */
void wasmnet_say_accepted(struct session *s, uint64_t id, uint64_t accepted,
			  const struct ipc_addr *peer);

/**
 * wasmnet_say_resolved() - send the addresses of a name.
 * @count: at most IPC_ADDRESSES.
 */
void wasmnet_say_resolved(struct session *s, uint64_t id, const struct ipc_addr *addrs,
			  size_t count);

/**
 * wasmnet_say_refused() - why a request was not granted, in the dialect's own words
 * where it has some.
 * @reason: the broker's. @peer: the address that was refused; family 0 when it is not told.
 */
void wasmnet_say_refused(struct session *s, const struct wasmnet_end *end, uint32_t reason,
			 const struct ipc_addr *peer);

/**
 * wasmnet_denies() - is a reason the policy's, so that the client is told `denied'?
 */
bool wasmnet_denies(uint32_t reason);

#endif
