/* SPDX-License-Identifier: ISC */
/* What dialects ask for, and say of their streams. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "worker/ask.h"
#include "worker/session.h"
#include "worker/streams.h"

#define MINUTE_MS   60000
#define REPLY_FREE  65536U /* bytes that may come back for nothing */
#define PORTS_TRIED 16     /* of the grant's, before `any' is refused */

/*
 * A number goes as a number: the broker reads none; and with the name that gave it to
 * this session, as which it counts. Returns false when it is too long.
 */
static bool
set_destination(const struct session *s, struct ipc_open *ask, const char *host, uint16_t port)
{
	const char *name;

	ask->addr.port = port;
	if (inet_pton(AF_INET, host, ask->addr.ip) == 1)
		ask->addr.family = 4;
	else if (inet_pton(AF_INET6, host, ask->addr.ip) == 1)
		ask->addr.family = 6;
	else
		return ipc_text_set(ask->host, sizeof(ask->host), host) == 0;
	name = names_of(&s->names, &ask->addr, s->now_ms);
	return !name || ipc_text_set(ask->host, sizeof(ask->host), name) == 0;
}

/* @ask: all of it but its head and tag. @beside: tag, or 0. */
static struct stream *
request(struct session *s, const struct ipc_open *ask, uint32_t beside, void *owner)
{
	struct stream *stream = streams_new(s);

	if (!stream)
		return NULL;
	stream->ask = *ask;
	stream->ask.head.type = MSG_OPEN;
	stream->ask.tag = stream->tag;
	stream->protocol = ask->protocol;
	stream->listening = ask->kind == IPC_LISTEN;
	stream->beside = beside;
	stream->owner = owner;
	if (stream->protocol == PROTOCOL_UDP) {
		stream->up.most = STREAM_UP_MARK;
		stream->idle_ms = STREAM_IDLE_MS;
		if (s->granted.idle_timeout_ms && s->granted.idle_timeout_ms < STREAM_IDLE_MS)
			stream->idle_ms = s->granted.idle_timeout_ms;
	}
	ask_open(s, stream);
	return stream;
}

struct stream *
session_open(struct session *s, unsigned int protocol, const char *host, uint16_t port, void *owner)
{
	struct ipc_open ask = {.kind = IPC_CONNECT, .protocol = (uint8_t)protocol};

	return set_destination(s, &ask, host, port) ? request(s, &ask, 0, owner) : NULL;
}

struct stream *
session_open_beside(struct session *s, const struct stream *beside, const char *host, uint16_t port,
		    void *owner)
{
	struct ipc_open ask = {.kind = IPC_CONNECT, .protocol = PROTOCOL_UDP};

	return set_destination(s, &ask, host, port) ? request(s, &ask, beside->tag, owner) : NULL;
}

struct stream *
session_resolve(struct session *s, const char *host, void *owner)
{
	struct ipc_open ask = {.kind = IPC_RESOLVE};

	if (ipc_text_set(ask.host, sizeof(ask.host), host) < 0)
		return NULL;
	return request(s, &ask, 0, owner);
}

static bool
unspecified(const struct ipc_addr *addr)
{
	static const uint8_t none[16];

	return memcmp(addr->ip, none, sizeof(none)) == 0;
}

/* One of the grant's ports; the next one at each call. */
static uint16_t
some_port(struct session *s)
{
	uint32_t low = s->granted.near.port, high = s->granted.port_high;

	if (!low || high < low)
		return 0;
	return (uint16_t)(low + s->next_port++ % (high - low + 1));
}

struct stream *
session_listen(struct session *s, const struct ipc_addr *near, void *owner)
{
	struct ipc_open ask = {.kind = IPC_LISTEN, .protocol = PROTOCOL_TCP, .addr = *near};
	struct stream *stream;

	if (unspecified(near) && s->granted.near.family)
		ask.addr = s->granted.near;
	ask.addr.port = near->port ? near->port : some_port(s);
	stream = request(s, &ask, 0, owner);
	s->listened = true;
	if (stream && !near->port)
		stream->ports = PORTS_TRIED;
	return stream;
}

bool
request_next_port(struct session *s, struct stream *stream)
{
	if (!stream->ports || stream->state != STREAM_ASKED || --stream->ports == 0)
		return false;
	stream->ask.addr.port = some_port(s);
	ask_open(s, stream);
	return true;
}

bool
session_datagram(struct session *s, size_t n)
{
	const struct ipc_terms *most = &s->granted;

	if (s->now_ms - s->minute_ms >= MINUTE_MS) {
		s->minute_ms = s->now_ms;
		s->minute_bytes = s->minute_datagrams = 0;
	}
	if ((most->datagrams_per_minute && s->minute_datagrams >= most->datagrams_per_minute) ||
	    (most->bytes_per_minute && s->minute_bytes + n > most->bytes_per_minute))
		return false;
	s->minute_datagrams++;
	s->minute_bytes += n;
	return true;
}

bool
session_heard(struct session *s, struct stream *stream, size_t n)
{
	uint64_t ratio = s->granted.reply_ratio;

	if (ratio && stream->claimed_down > REPLY_FREE + ratio * stream->claimed_up) {
		stream_cut(stream, REASON_REPLY_RATIO);
		stream->eof = true; /* what else has come is not for the client */
	} else if (session_datagram(s, n)) {
		return true;
	}
	stream->dropped++;
	return false;
}

int
session_push(struct session *s, struct stream *stream, const void *bytes, size_t n)
{
	if (stream->protocol == PROTOCOL_UDP) {
		if (n > STREAM_DATAGRAM_MOST) {
			errno = EMSGSIZE;
			return -1;
		}
		if (!session_datagram(s, n)) {
			stream->dropped++;
			return 0;
		}
	} else if (n > stream->up.most - stream->up.length) {
		errno = ENOBUFS;
		return -1;
	}
	if (stream_push(stream, bytes, n, s->now_ms) < 0)
		session_no_memory(s);
	return 0;
}

void
session_shut(struct session *s, struct stream *stream)
{
	stream_shut(stream, s->now_ms);
}

void
session_drop(struct session *s, struct stream *stream, uint32_t reason)
{
	stream->owner = NULL;
	stream_finish(stream, reason, s->now_ms);
}

struct stream *
session_next(struct session *s, const struct stream *after)
{
	uint32_t i = after ? (uint32_t)(after - s->streams) + 1 : 0;

	while (i < s->used && !(s->streams[i].state != STREAM_FREE && s->streams[i].owner))
		i++;
	return i < s->used ? &s->streams[i] : NULL;
}
