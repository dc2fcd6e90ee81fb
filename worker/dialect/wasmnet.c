/* SPDX-License-Identifier: ISC */
#include "worker/dialect/wasmnet.h"

#include <stdlib.h>
#include <string.h>

#include "ipc/words.h"
#include "worker/session.h"

static bool
begin(struct session *s, const struct target *target, const char *query, size_t n)
{
	struct wasmnet *wn = s->mine;

	(void)query;
	(void)n;
	wn->json = true;
	/* /wasmnet, with or without one slash behind it */
	return target->segments == 0 || (target->segments == 1 && !target->segment[0].raw_length);
}

static void
granted(struct session *s)
{
	(void)s; /* the client speaks first */
}

/* --- messages of the WebSocket ----------------------------------------------------------- */

static void
message_begin(struct session *s, bool text)
{
	struct wasmnet *wn = s->mine;

	gather_begin(s, &wn->message, text);
}

static void
message_chunk(struct session *s, const uint8_t *bytes, size_t n)
{
	struct wasmnet *wn = s->mine;

	(void)gather_chunk(s, &wn->message, bytes, n);
}

static void
message_end(struct session *s)
{
	struct wasmnet *wn = s->mine;
	const uint8_t *bytes = gather_bytes(&wn->message);
	size_t n = wn->message.bytes.length;
	struct wasmnet_request request = {0};
	const char *wrong = "";
	enum wasmnet_read result;

	wn->json = wn->message.text;
	result = wn->json ? wasmnet_read_json((const char *)bytes, n, s->granted.message_bytes,
					      &request, &wrong)
			  : wasmnet_read_binary(bytes, n, &request, &wrong);
	if (result == WASMNET_NO_MEMORY)
		session_no_memory(s);
	else if (result == WASMNET_WRONG)
		wasmnet_say_text(s, WASMNET_ERROR, 0, "%s: %s",
				 wn->json ? "invalid request" : "invalid binary frame", wrong);
	else
		wasmnet_serve(s, &request);
	wasmnet_release(&request);
	gather_free(&wn->message);
}

/* --- what the broker and the destination say ------------------------------------------------ */

static void
opened(struct session *s, struct stream *stream)
{
	struct wasmnet_end *end = stream->owner;

	end->opened = true;
	if (end->kind == WASMNET_TCP)
		wasmnet_say(s, WASMNET_CONNECTED, end->id);
	else if (!end->beside)
		wasmnet_say_port(s, WASMNET_UDP_BOUND, end->id, stream->local.port);
}

/* A UDP socket that was refused has no peers; nothing goes out to those that were named. */
static void
forget_others(struct session *s, uint64_t id)
{
	struct stream *stream;

	while ((stream = wasmnet_find(s, id, NULL))) {
		stream_cut(stream, REASON_CLIENT_CLOSED);
		wasmnet_give_up(s, stream, REASON_CLIENT_CLOSED);
	}
}

static void
refused(struct session *s, struct stream *stream, uint32_t reason, const struct ipc_addr *peer)
{
	struct wasmnet_end *end = stream->owner;
	uint64_t id = end->id;

	stream->owner = NULL;
	/* send_to has no answer but `denied'. */
	if (!end->beside || wasmnet_denies(reason_plain(reason)))
		wasmnet_say_refused(s, end, reason, peer);
	if (!end->beside)
		forget_others(s, id);
	else if (!wasmnet_find(s, id, NULL))
		wasmnet_say(s, WASMNET_CLOSED, id);
	free(end);
}

static void
resolved(struct session *s, struct stream *stream, const struct ipc_resolved *answer)
{
	const struct wasmnet_end *end = stream->owner;
	size_t count = answer->count < IPC_ADDRESSES ? answer->count : IPC_ADDRESSES;

	wasmnet_say_resolved(s, end->id, answer->addrs, count);
	free(stream->owner);
	stream->owner = NULL;
}

static void
listening(struct session *s, struct stream *stream)
{
	const struct wasmnet_end *end = stream->owner;

	wasmnet_say_port(s, WASMNET_LISTENING, end->id, stream->local.port);
}

/* All of them are the listener's own, however many come; the client chooses ids too. */
static uint64_t
next_accepted(struct session *s, const struct wasmnet_end *listener)
{
	uint64_t base = listener->id * WASMNET_ACCEPTS;
	uint64_t n = listener->accepted ? listener->accepted - base : 0;

	do {
		n = n % (WASMNET_ACCEPTS - 1) + 1;
	} while (wasmnet_find(s, base + n, NULL));
	return base + n;
}

static void
accepted(struct session *s, struct stream *listener, struct stream *stream)
{
	struct wasmnet_end *from = listener->owner;
	struct wasmnet_end *end = wasmnet_new_end(s, from);

	if (!end) {
		session_drop(s, stream, REASON_CONNECT_FAILED);
		return;
	}
	from->accepted = next_accepted(s, from);
	*end = (struct wasmnet_end){.id = from->accepted, .kind = WASMNET_TCP, .opened = true};
	stream->owner = end;
	wasmnet_say_accepted(s, from->id, end->id, &stream->peer);
}

static void
data(struct session *s, struct stream *stream, const uint8_t *bytes, size_t n)
{
	const struct wasmnet_end *end = stream->owner;

	if (end->kind == WASMNET_UDP)
		wasmnet_say_data_from(s, end->id, &stream->peer, bytes, n);
	else
		wasmnet_say_data(s, end->id, bytes, n);
}

static void
ended(struct session *s, struct stream *stream, uint32_t reason)
{
	const struct wasmnet_end *end = stream->owner;
	uint64_t id = end->id;

	(void)reason; /* the dialect has one word for all of them */
	wasmnet_give_up(s, stream, REASON_PEER_CLOSED);
	/* A UDP socket ends with the last of its peers. */
	if (!wasmnet_find(s, id, NULL))
		wasmnet_say(s, WASMNET_CLOSED, id);
}

static void
stop(struct session *s)
{
	struct wasmnet *wn = s->mine;
	struct stream *stream = NULL;

	while ((stream = session_next(s, stream))) {
		free(stream->owner);
		stream->owner = NULL;
	}
	gather_free(&wn->message);
}

const struct dialect_ops dialect_wasmnet = {
	.number = DIALECT_WASMNET,
	.path = "wasmnet",
	.size = sizeof(struct wasmnet),
	.begin = begin,
	.granted = granted,
	.message_begin = message_begin,
	.message_chunk = message_chunk,
	.message_end = message_end,
	.opened = opened,
	.refused = refused,
	.resolved = resolved,
	.listening = listening,
	.accepted = accepted,
	.data = data,
	.ended = ended,
	.stop = stop,
};
