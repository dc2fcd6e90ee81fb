/* SPDX-License-Identifier: ISC */
/*
 * udp-relay: the datagrams of a guest to and from one peer, /udp-relay/HOST. Each is
 * one binary message behind seven bytes: the type (1), the source port, two zero
 * bytes, the destination port; ports with the high byte first.
 *
 * A pair of ports, the guest's and the peer's, is a stream of its own. Those of one
 * guest port share a near port, so that the peer sees one sender.
 */
#include <stdlib.h>
#include <string.h>

#include "worker/closing.h"
#include "worker/name.h"
#include "worker/session.h"

#define HEAD     7U
#define TYPE     1U
#define ENVELOPE (HEAD + STREAM_DATAGRAM_MOST)

struct relay {
	char host[IPC_HOST];
	bool opened;   /* some stream was, once */
	uint64_t turn; /* counts datagrams */
	size_t length; /* of the message under way; over ENVELOPE: too long */
	uint8_t message[ENVELOPE];
	uint8_t answer[ENVELOPE];
};

/* The owner of a stream. */
struct flow {
	uint16_t guest; /* port */
	uint16_t peer;  /* port */
	bool opened;
	uint64_t used; /* when, in turns */
};

static bool
begin(struct session *s, const struct target *target, const char *query, size_t n)
{
	const struct target_segment *host = &target->segment[0];
	struct relay *relay = s->mine;

	(void)query;
	(void)n;
	if (target->segments != 1 || !host->raw_length)
		return false;
	/* What is no destination is refused by the broker, on record. */
	if (!name_canonical(host->text, host->length, relay->host))
		name_for_record(host->text, host->length, relay->host);
	return true;
}

static void
granted(struct session *s)
{
	(void)s; /* the first datagram says which port is asked for */
}

static uint16_t
read_port(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void
write_port(uint8_t *at, uint16_t port)
{
	at[0] = (uint8_t)(port >> 8);
	at[1] = (uint8_t)port;
}

/* --- flows ------------------------------------------------------------------------ */

/* What there is already. */
struct found {
	struct stream *same;   /* of both ports */
	struct stream *beside; /* of the guest's port */
	struct stream *oldest; /* of those that are open, the one that was used longest ago */
	uint32_t count;
};

static void
find(struct session *s, uint16_t guest, uint16_t peer, struct found *found)
{
	struct stream *stream = NULL;

	while ((stream = session_next(s, stream))) {
		const struct flow *flow = stream->owner;
		const struct flow *oldest = found->oldest ? found->oldest->owner : NULL;

		found->count++;
		if (flow->opened && (!oldest || flow->used < oldest->used))
			found->oldest = stream;
		if (flow->guest != guest)
			continue;
		found->beside = stream;
		if (flow->peer == peer)
			found->same = stream;
	}
}

static void
give_up(struct session *s, struct stream *stream, uint32_t reason)
{
	free(stream->owner);
	session_drop(s, stream, reason);
}

/* Returns NULL when there is no place, or no memory. */
static struct stream *
open_flow(struct session *s, uint16_t guest, uint16_t peer, const struct found *found)
{
	const struct relay *relay = s->mine;
	struct flow *flow = malloc(sizeof(*flow));
	struct stream *stream;

	if (!flow) {
		session_no_memory(s);
		return NULL;
	}
	*flow = (struct flow){.guest = guest, .peer = peer};
	if (found->beside)
		stream = session_open_beside(s, found->beside, relay->host, peer, flow);
	else
		stream = session_open(s, PROTOCOL_UDP, relay->host, peer, flow);
	if (!stream)
		free(flow);
	return stream;
}

static struct stream *
flow_of(struct session *s, uint16_t guest, uint16_t peer)
{
	struct found found = {0};

	find(s, guest, peer, &found);
	if (found.same)
		return found.same;
	if (found.count >= s->granted.channels) {
		/* One that is still being asked for could not give its place up yet. */
		if (!found.oldest)
			return NULL;
		give_up(s, found.oldest, REASON_CHANNELS_LIMIT);
		found = (struct found){0};
		find(s, guest, peer, &found);
	}
	return open_flow(s, guest, peer, &found);
}

/* --- messages of the WebSocket ---------------------------------------------------- */

static void
message_begin(struct session *s, bool text)
{
	struct relay *relay = s->mine;

	relay->length = 0;
	if (text)
		session_violation(s, CLOSE_UNSUPPORTED, "udp-relay takes binary messages only");
}

static void
message_chunk(struct session *s, const uint8_t *bytes, size_t n)
{
	struct relay *relay = s->mine;

	if (relay->length > ENVELOPE || n > ENVELOPE - relay->length) {
		relay->length = ENVELOPE + 1;
		return;
	}
	memcpy(relay->message + relay->length, bytes, n);
	relay->length += n;
}

/* What is no datagram is ignored, as the dialect's clients do. */
static void
message_end(struct session *s)
{
	struct relay *relay = s->mine;
	const uint8_t *head = relay->message;
	struct stream *stream;
	struct flow *flow;

	if (relay->length < HEAD || relay->length > ENVELOPE || head[0] != TYPE ||
	    !read_port(head + 5))
		return;
	stream = flow_of(s, read_port(head + 1), read_port(head + 5));
	if (!stream)
		return;
	flow = stream->owner;
	flow->used = ++relay->turn;
	(void)session_push(s, stream, head + HEAD, relay->length - HEAD);
}

/* --- what the broker and the peer say ---------------------------------------------- */

static void
opened(struct session *s, struct stream *stream)
{
	struct relay *relay = s->mine;
	struct flow *flow = stream->owner;

	flow->opened = true;
	relay->opened = true;
}

/* A client cannot be told of a part; only when there is nothing else it is told. */
static void
refused(struct session *s, struct stream *stream, uint32_t reason, const struct ipc_addr *peer)
{
	const struct relay *relay = s->mine;

	(void)peer;
	free(stream->owner);
	stream->owner = NULL;
	if (!relay->opened)
		session_close_reason(s, reason);
}

static void
data(struct session *s, struct stream *stream, const uint8_t *bytes, size_t n)
{
	struct relay *relay = s->mine;
	struct flow *flow = stream->owner;

	flow->used = ++relay->turn;
	relay->answer[0] = TYPE;
	write_port(relay->answer + 1, flow->peer);
	write_port(relay->answer + 3, 0);
	write_port(relay->answer + 5, flow->guest);
	memcpy(relay->answer + HEAD, bytes, n);
	ws_send(&s->ws, false, relay->answer, HEAD + n);
}

/* The guest's next datagram asks anew. */
static void
ended(struct session *s, struct stream *stream, uint32_t reason)
{
	give_up(s, stream, reason);
}

static void
stop(struct session *s)
{
	struct stream *stream = NULL;

	while ((stream = session_next(s, stream))) {
		free(stream->owner);
		stream->owner = NULL;
	}
}

const struct dialect_ops dialect_udp_relay = {
	.number = DIALECT_UDP_RELAY,
	.path = "udp-relay",
	.size = sizeof(struct relay),
	.begin = begin,
	.granted = granted,
	.message_begin = message_begin,
	.message_chunk = message_chunk,
	.message_end = message_end,
	.opened = opened,
	.refused = refused,
	.data = data,
	.ended = ended,
	.stop = stop,
};
