/* SPDX-License-Identifier: ISC */
/* What the client asks. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/words.h"
#include "worker/dialect/wasmnet.h"
#include "worker/name.h"
#include "worker/session.h"

#define WAITING_BYTES STREAM_UP_MARK /* most that may be sent before connected */

static const struct ipc_addr no_address;

/* --- the client's sockets ------------------------------------------------------------- */

struct stream *
wasmnet_find(struct session *s, uint64_t id, struct stream *after)
{
	while ((after = session_next(s, after))) {
		const struct wasmnet_end *end = after->owner;

		if (end->id == id)
			return after;
	}
	return NULL;
}

/* The stream of a UDP socket to that peer. */
static struct stream *
find_peer(struct session *s, const struct wasmnet_end *to)
{
	struct stream *stream = NULL;

	while ((stream = wasmnet_find(s, to->id, stream))) {
		const struct wasmnet_end *end = stream->owner;

		if (end->port == to->port && strcmp(end->host, to->host) == 0)
			return stream;
	}
	return NULL;
}

void
wasmnet_give_up(struct session *s, struct stream *stream, uint32_t reason)
{
	free(stream->owner);
	session_drop(s, stream, reason);
}

void
wasmnet_give_up_all(struct session *s, uint64_t id, uint32_t reason)
{
	struct stream *stream;

	while ((stream = wasmnet_find(s, id, NULL)))
		wasmnet_give_up(s, stream, reason);
}

struct wasmnet_end *
wasmnet_new_end(struct session *s, const struct wasmnet_end *like)
{
	struct wasmnet_end *end = malloc(sizeof(*end));

	if (end)
		*end = *like;
	else
		session_no_memory(s);
	return end;
}

/* What the broker is asked for; what is no host is refused by it, on record. */
static void
set_host(const struct wasmnet_request *request, struct wasmnet_end *end)
{
	if (!name_canonical(request->host, request->host_length, end->host))
		name_for_record(request->host, request->host_length, end->host);
	end->port = request->port;
}

/* --- requests that make a socket ------------------------------------------------------- */

static struct stream *
ask(struct session *s, const struct ipc_addr *near, struct wasmnet_end *end)
{
	switch (end->kind) {
	case WASMNET_TCP:
		return session_open(s, end->tls ? PROTOCOL_TLS : PROTOCOL_TCP, end->host, end->port,
				    end);
	case WASMNET_UDP:
		return session_open(s, PROTOCOL_UDP, end->host, end->port, end);
	case WASMNET_LISTENER:
		return session_listen(s, near, end);
	default:
		return session_resolve(s, end->host, end);
	}
}

static void
make(struct session *s, const struct wasmnet_end *like, const struct ipc_addr *near)
{
	struct wasmnet_end *end = wasmnet_new_end(s, like);

	if (!end)
		return;
	if (!ask(s, near, end)) {
		wasmnet_say_refused(s, end, REASON_CHANNELS_LIMIT, &no_address);
		free(end);
	}
}

static bool
number_of(const char *host, struct ipc_addr *addr)
{
	if (inet_pton(AF_INET, host, addr->ip) == 1)
		addr->family = 4;
	else if (inet_pton(AF_INET6, host, addr->ip) == 1)
		addr->family = 6;
	return addr->family;
}

static void
bind_port(struct session *s, const struct wasmnet_end *wanted)
{
	const char *host = strcmp(wanted->host, "localhost") == 0 ? "127.0.0.1" : wanted->host;
	struct ipc_addr near = {.port = wanted->port};

	if (!number_of(host, &near))
		wasmnet_say_text(s, WASMNET_ERROR, wanted->id,
				 "bind failed: the address must be a number");
	else if (wanted->id >= UINT64_MAX / WASMNET_ACCEPTS)
		wasmnet_say_text(s, WASMNET_ERROR, wanted->id,
				 "bind failed: the id is too large for a listener");
	else
		make(s, wanted, &near);
}

static void
resolve(struct session *s, const struct wasmnet_end *wanted)
{
	struct ipc_addr addr = {0};

	/* A number is known without being asked for. */
	if (number_of(wanted->host, &addr))
		wasmnet_say_resolved(s, wanted->id, &addr, 1);
	else
		make(s, wanted, NULL);
}

static void
make_socket(struct session *s, const struct wasmnet_request *request)
{
	struct wasmnet_end wanted = {.id = request->id};

	if (wasmnet_find(s, request->id, NULL)) {
		wasmnet_say_text(s, WASMNET_ERROR, request->id, "id in use");
		return;
	}
	set_host(request, &wanted);
	switch (request->op) {
	case WASMNET_CONNECT:
		wanted.kind = WASMNET_TCP;
		break;
	case WASMNET_CONNECT_UDP:
		wanted.kind = WASMNET_UDP;
		memcpy(wanted.main_host, wanted.host, sizeof(wanted.main_host));
		wanted.main_port = wanted.port;
		break;
	case WASMNET_BIND:
		wanted.kind = WASMNET_LISTENER;
		bind_port(s, &wanted);
		return;
	case WASMNET_RESOLVE:
		wanted.kind = WASMNET_LOOKUP;
		resolve(s, &wanted);
		return;
	default:
		wanted.kind = WASMNET_TCP;
		wanted.tls = true;
		break;
	}
	make(s, &wanted, NULL);
}

/* --- requests about a socket ------------------------------------------------------------ */

/*
 * After connected, `closed' is the only word for an end that the client takes for one;
 * before it, there is `error'.
 */
static void
push_failed(struct session *s, struct stream *stream, const char *why)
{
	const struct wasmnet_end *end = stream->owner;

	if (end->opened)
		wasmnet_say(s, WASMNET_CLOSED, end->id);
	else
		wasmnet_say_text(s, WASMNET_ERROR, end->id, "%s", why);
	stream_cut(stream, REASON_CONNECT_FAILED);
	wasmnet_give_up(s, stream, REASON_CONNECT_FAILED);
}

static void
push(struct session *s, struct stream *stream, const uint8_t *bytes, size_t n)
{
	const struct wasmnet_end *end = stream->owner;

	if (end->kind == WASMNET_UDP)
		/* what is too long for a datagram is lost, as others are */
		(void)session_push(s, stream, bytes, n);
	else if (end->shut)
		return;
	else if (!end->opened && n > WAITING_BYTES - stream->up.length)
		push_failed(s, stream, "too much was sent before it was connected");
	else if (session_push(s, stream, bytes, n) < 0)
		push_failed(s, stream, "too much waits to be sent");
}

/* A datagram for any peer of a UDP socket, of which @some is a stream. */
static void
push_to(struct session *s, struct stream *some, const struct wasmnet_end *to,
	const struct wasmnet_request *request)
{
	struct stream *stream = find_peer(s, to);
	struct wasmnet_end *end;

	if (!stream) {
		end = wasmnet_new_end(s, to);
		if (!end)
			return;
		end->opened = false;
		end->beside = true;
		stream = session_open_beside(s, some, end->host, end->port, end);
		/* Without a place the datagram is lost. */
		if (!stream)
			free(end);
	}
	if (stream)
		push(s, stream, request->bytes, request->n);
}

static void
send_datagram(struct session *s, struct stream *stream, const struct wasmnet_request *request)
{
	const struct wasmnet_end *end = stream->owner;
	struct wasmnet_end to = *end;

	if (request->op == WASMNET_SEND_TO) {
		set_host(request, &to);
	} else {
		memcpy(to.host, end->main_host, sizeof(to.host));
		to.port = end->main_port;
	}
	push_to(s, stream, &to, request);
}

static void
send_bytes(struct session *s, const struct wasmnet_request *request)
{
	struct stream *stream = wasmnet_find(s, request->id, NULL);
	const struct wasmnet_end *end = stream ? stream->owner : NULL;

	if (!stream || request->no_bytes)
		return;
	if (end->kind == WASMNET_UDP)
		send_datagram(s, stream, request);
	else if (end->kind == WASMNET_TCP && request->op == WASMNET_SEND)
		push(s, stream, request->bytes, request->n);
}

/* What is connected ends when the far end has ended its side too; the rest at once. */
static void
close_socket(struct session *s, uint64_t id)
{
	struct stream *stream = wasmnet_find(s, id, NULL);
	struct wasmnet_end *end = stream ? stream->owner : NULL;

	if (!stream || end->kind == WASMNET_LOOKUP)
		return;
	if (end->kind == WASMNET_TCP) {
		end->shut = true;
		session_shut(s, stream);
		return;
	}
	wasmnet_say(s, WASMNET_CLOSED, id);
	wasmnet_give_up_all(s, id, REASON_CLIENT_CLOSED);
}

void
wasmnet_serve(struct session *s, const struct wasmnet_request *request)
{
	switch (request->op) {
	case WASMNET_SEND:
	case WASMNET_SEND_TO:
		send_bytes(s, request);
		break;
	case WASMNET_CLOSE:
		close_socket(s, request->id);
		break;
	case WASMNET_LISTEN:
		/* Accepting began with bind; the word is answered, whatever it is about. */
		wasmnet_say_port(s, WASMNET_LISTENING, request->id, 0);
		break;
	default:
		make_socket(s, request);
		break;
	}
}
