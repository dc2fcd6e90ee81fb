/* SPDX-License-Identifier: ISC */
/*
 * wsproxy: the older form of Wisp's servers, /wsproxy/HOST:PORT. One TCP stream a
 * session, its bytes in binary messages; nothing ends but the WebSocket.
 *
 * Its clients put "/HOST:PORT" behind a URL that they were given. Where that has a
 * query, as for a token, the destination is the query's last part.
 */
#include <string.h>

#include "worker/closing.h"
#include "worker/dialect/single.h"

/* The part of a query behind the last '&', if it begins with a slash. */
static bool
address_in_query(struct single *single, const char *query, size_t n)
{
	const char *last = n ? memrchr(query, '&', n) : NULL;
	const char *from = last ? last + 1 : query;
	size_t length = n - (size_t)(from - query);
	char text[TARGET_HOST];

	return length && *from == '/' &&
	       target_decode(from + 1, length - 1, text, sizeof(text), &length) &&
	       single_address(single, text, length);
}

static bool
begin(struct session *s, const struct target *target, const char *query, size_t n)
{
	const struct target_segment *address = &target->segment[0];

	if (target->segments > 1)
		return false;
	if (!target->segments || !address->raw_length)
		return address_in_query(s->mine, query, n);
	return single_address(s->mine, address->text, address->length);
}

static void
message_begin(struct session *s, bool text)
{
	if (text)
		session_violation(s, CLOSE_UNSUPPORTED, "wsproxy takes binary messages only");
}

static void
message_end(struct session *s)
{
	(void)s; /* the borders of messages mean nothing, and an empty one neither */
}

const struct dialect_ops dialect_wsproxy = {
	.number = DIALECT_WISP,
	.path = "wsproxy",
	.size = sizeof(struct single),
	.echo_any_subprotocol = true,
	.begin = begin,
	.granted = single_granted,
	.message_begin = message_begin,
	.message_chunk = single_push,
	.message_end = message_end,
	.opened = single_opened,
	.refused = single_refused,
	.data = single_data,
	.ended = single_ended,
};
