/* SPDX-License-Identifier: ISC */
#include "worker/dialect/netproxy.h"

#include <stdlib.h>
#include <string.h>

#include "worker/closing.h"
#include "worker/json.h"
#include "worker/name.h"
#include "worker/session.h"

#define WAITING_BYTES STREAM_UP_MARK /* most that may be written before opened */
#define WAITING       1024U          /* and in so many messages */
#define TLS_PORT      443U           /* the proxy speaks TLS there, in this dialect */

static const struct ipc_addr no_address;

/* /netproxy, with or without one slash behind it. */
static bool
begin(struct session *s, const struct target *target, const char *query, size_t n)
{
	(void)s;
	(void)query;
	(void)n;
	return target->segments == 0 ||
	       (target->segments == 1 && target->segment[0].raw_length == 0);
}

static void
granted(struct session *s)
{
	(void)s; /* the client speaks first */
}

/* --- connections -------------------------------------------------------------- */

static bool
same_id(const struct netproxy_id *a, const struct netproxy_id *b)
{
	if (a->is_text != b->is_text)
		return false;
	if (!a->is_text)
		return a->number == b->number;
	return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* An id is a whole number that JavaScript holds exactly, or a short string. */
static bool
read_id(const struct json_object *request, struct netproxy_id *id)
{
	const char *text;
	size_t length;

	memset(id, 0, sizeof(*id));
	if (json_unsigned(request, "id", 0, JSON_INTEGER_MOST - 1, &id->number) == JSON_RIGHT)
		return true;
	if (json_string(request, "id", NETPROXY_ID, &text, &length) != JSON_RIGHT)
		return false;
	id->is_text = true;
	id->length = (uint8_t)length;
	memcpy(id->text, text, length);
	return true;
}

static struct stream *
find(struct session *s, const struct netproxy_id *id)
{
	struct stream *stream = NULL;

	while ((stream = session_next(s, stream))) {
		const struct netproxy_connection *connection = stream->owner;

		if (same_id(&connection->id, id))
			return stream;
	}
	return NULL;
}

/* Nothing is said of this connection any more. */
static void
give_up(struct session *s, struct stream *stream, uint32_t reason)
{
	free(stream->owner);
	session_drop(s, stream, reason);
}

/* --- what the client asks ------------------------------------------------------- */

static bool
read_destination(struct session *s, const struct json_object *request,
		 struct netproxy_connection *c)
{
	const char *host;
	size_t length;
	uint64_t port;

	if (json_unsigned(request, "port", 1, UINT16_MAX, &port) != JSON_RIGHT) {
		netproxy_say_error(s, &c->id,
				   "Invalid port: a whole number from 1 to 65535 is needed");
		return false;
	}
	if (json_string(request, "host", s->granted.message_bytes, &host, &length) != JSON_RIGHT) {
		netproxy_say_error(s, &c->id, "Invalid host: a string is needed");
		return false;
	}
	c->port = (uint16_t)port;
	/* What is no destination is refused by the broker, on record. */
	if (!name_canonical(host, length, c->host))
		name_for_record(host, length, c->host);
	return true;
}

static void
open_connection(struct session *s, const struct json_object *request, const struct netproxy_id *id)
{
	struct netproxy_connection wanted = {.id = *id};
	struct netproxy_connection *c;

	if (find(s, id)) {
		netproxy_say_error(s, id, "Connection id is in use");
		return;
	}
	if (!read_destination(s, request, &wanted))
		return;
	c = malloc(sizeof(*c));
	if (!c) {
		session_no_memory(s);
		return;
	}
	*c = wanted;
	if (!session_open(s, c->port == TLS_PORT ? PROTOCOL_TLS : PROTOCOL_TCP, c->host, c->port,
			  c)) {
		netproxy_say_refused(s, c, REASON_CHANNELS_LIMIT, &no_address);
		free(c);
	}
}

/* After an error nothing of what still waits is written. */
static void
push_failed(struct session *s, struct stream *stream, const char *why)
{
	const struct netproxy_connection *c = stream->owner;

	netproxy_say_error(s, &c->id, "Connection failed: %s", why);
	stream_cut(stream, REASON_CONNECT_FAILED);
	give_up(s, stream, REASON_CONNECT_FAILED);
}

static void
push(struct session *s, struct stream *stream, const uint8_t *bytes, size_t n)
{
	struct netproxy_connection *c = stream->owner;
	bool waits = !c->opened;

	if (waits && (++c->writes > WAITING || n > WAITING_BYTES - stream->up.length))
		push_failed(s, stream, "too much was written before it opened");
	else if (session_push(s, stream, bytes, n) < 0)
		push_failed(s, stream, "too much waits to be written");
}

static void
write_connection(struct session *s, const struct json_object *request, const struct netproxy_id *id)
{
	struct stream *stream = find(s, id);
	const char *text;
	uint8_t *bytes;
	size_t length;
	size_t n;

	if (!stream) {
		netproxy_say_error(s, id, "Connection not found");
		return;
	}
	if (json_string(request, "b64", s->granted.message_bytes, &text, &length) != JSON_RIGHT) {
		netproxy_say_error(s, id, "Invalid b64: a string is needed");
		return;
	}
	bytes = malloc(BASE64_DECODED(length));
	if (!bytes) {
		session_no_memory(s);
		return;
	}
	if (base64_decode(text, length, bytes, BASE64_DECODED(length), &n))
		push(s, stream, bytes, n);
	else
		netproxy_say_error(s, id, "Invalid b64: it is not base64 (RFC 4648, padded)");
	free(bytes);
}

static void
close_connection(struct session *s, const struct netproxy_id *id)
{
	struct stream *stream = find(s, id);

	if (!stream)
		return;
	netproxy_say(s, "closed", id);
	give_up(s, stream, REASON_CLIENT_CLOSED);
}

static bool
is(const char *text, size_t length, const char *word)
{
	return length == strlen(word) && memcmp(text, word, length) == 0;
}

static void
serve(struct session *s, const struct json_object *request)
{
	struct netproxy_id id;
	bool has_id = read_id(request, &id);
	const char *type = "";
	size_t length = 0;

	if (json_string(request, "t", 16, &type, &length) != JSON_RIGHT ||
	    !(is(type, length, "open") || is(type, length, "write") || is(type, length, "close")))
		netproxy_say_error(s, has_id ? &id : NULL, "Unknown message type");
	else if (!has_id)
		netproxy_say_error(s, NULL,
				   "Invalid id: a whole number below 2^53 or a string of at most "
				   "64 bytes is needed");
	else if (*type == 'o')
		open_connection(s, request, &id);
	else if (*type == 'w')
		write_connection(s, request, &id);
	else
		close_connection(s, &id);
}

/* --- messages of the WebSocket ---------------------------------------------------- */

static void
message_begin(struct session *s, bool text)
{
	struct netproxy *np = s->mine;

	gather_begin(s, &np->message, text);
	if (!text)
		session_violation(s, CLOSE_UNSUPPORTED, "netproxy takes text messages only");
}

static void
message_chunk(struct session *s, const uint8_t *bytes, size_t n)
{
	struct netproxy *np = s->mine;

	(void)gather_chunk(s, &np->message, bytes, n);
}

static void
message_end(struct session *s)
{
	struct netproxy *np = s->mine;
	struct json_object *request = NULL;
	const char *text = (const char *)gather_bytes(&np->message);
	enum json_result result =
		json_read(text, np->message.bytes.length, s->granted.message_bytes, &request);

	gather_free(&np->message);
	if (result == JSON_NO_MEMORY) {
		session_no_memory(s);
	} else if (result != JSON_FINE) {
		netproxy_say_error(s, NULL, "Invalid message: %s", json_sentence(result));
	} else {
		serve(s, request);
		json_release(request);
	}
}

/* --- what the broker and the destination say ----------------------------------------- */

static void
opened(struct session *s, struct stream *stream)
{
	struct netproxy_connection *c = stream->owner;

	c->opened = true;
	netproxy_say(s, "opened", &c->id);
}

static void
refused(struct session *s, struct stream *stream, uint32_t reason, const struct ipc_addr *peer)
{
	struct netproxy_connection *c = stream->owner;

	netproxy_say_refused(s, c, reason, peer);
	free(c);
	stream->owner = NULL;
}

static void
data(struct session *s, struct stream *stream, const uint8_t *bytes, size_t n)
{
	const struct netproxy_connection *c = stream->owner;

	netproxy_say_data(s, &c->id, bytes, n);
}

static void
ended(struct session *s, struct stream *stream, uint32_t reason)
{
	const struct netproxy_connection *c = stream->owner;

	if (reason == REASON_PEER_CLOSED || reason == REASON_IDLE)
		netproxy_say(s, "closed", &c->id);
	else if (reason == REASON_CONNECT_FAILED)
		netproxy_say_error(s, &c->id, "Connection failed: the destination broke it");
	else
		netproxy_say_refused(s, c, reason, &no_address);
	give_up(s, stream, REASON_PEER_CLOSED);
}

static void
session_refused(struct session *s, uint32_t reason)
{
	if (reason == REASON_TOKEN_MISSING)
		session_close(s, CLOSE_TOKEN, "No valid authentication provided");
	else if (reason == REASON_TOKEN_WRONG || reason == REASON_TOKEN_EXPIRED)
		session_close(s, CLOSE_TOKEN, "Invalid JWT token");
	else
		session_close_reason(s, reason);
}

static void
stop(struct session *s)
{
	struct netproxy *np = s->mine;
	struct stream *stream = NULL;

	while ((stream = session_next(s, stream))) {
		free(stream->owner);
		stream->owner = NULL;
	}
	gather_free(&np->message);
}

const struct dialect_ops dialect_netproxy = {
	.number = DIALECT_NETPROXY,
	.path = "netproxy",
	.size = sizeof(struct netproxy),
	.echo_any_subprotocol = true,
	.preflight = true,
	.begin = begin,
	.granted = granted,
	.message_begin = message_begin,
	.message_chunk = message_chunk,
	.message_end = message_end,
	.opened = opened,
	.refused = refused,
	.data = data,
	.ended = ended,
	.session_refused = session_refused,
	.stop = stop,
};
