/* SPDX-License-Identifier: ISC */
/* What a client's packets ask for. */
#include <stdlib.h>

#include "worker/closing.h"
#include "worker/dialect/wisp.h"
#include "worker/name.h"

#define CONNECT_LEAST   3U /* stream type, port */
#define CONTINUE_LEAST  4U
#define CLOSE_LEAST     1U
#define INFO_LEAST      2U /* major and minor version */
#define EXTENSION_LEAST 5U /* id, length */

uint16_t
wisp_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

uint32_t
wisp_u32(const uint8_t *bytes)
{
	return wisp_u16(bytes) | (uint32_t)wisp_u16(bytes + 2) << 16;
}

/* --- the handshake of version 2 --------------------------------------------------------- */

/* Goes through what the client knows; false when it does not fill the packet. */
static bool
read_extensions(const uint8_t *bytes, size_t n, bool *confirm)
{
	while (n) {
		uint32_t length;

		if (n < EXTENSION_LEAST)
			return false;
		length = wisp_u32(bytes + 1);
		if (length > n - EXTENSION_LEAST)
			return false;
		/* Credentials are not looked at: the session has its grant already. */
		if (bytes[0] == WISP_EXT_CONFIRM)
			*confirm = true;
		bytes += EXTENSION_LEAST + length;
		n -= EXTENSION_LEAST + length;
	}
	return true;
}

static void
take_info(struct session *s, const uint8_t *payload, size_t n)
{
	struct wisp *wisp = s->mine;

	if (!wisp->info_awaited)
		return;
	if (!read_extensions(payload + INFO_LEAST, n - INFO_LEAST, &wisp->confirm)) {
		session_violation(s, CLOSE_PROTOCOL, "the extensions of INFO do not fill it");
		return;
	}
	wisp->info_awaited = false;
	wisp_say_credit(s, 0, WISP_CREDIT);
}

void
wisp_begin_v1(struct session *s)
{
	struct wisp *wisp = s->mine;

	wisp->info_awaited = false;
	wisp_say_credit(s, 0, WISP_CREDIT);
}

/* --- streams ------------------------------------------------------------------------------ */

/* @host: @n bytes, not judged yet. */
static void
open_stream(struct session *s, uint32_t id, unsigned int protocol, uint16_t port,
	    const uint8_t *host, size_t n)
{
	struct wisp_stream *mine = calloc(1, sizeof(*mine));
	char name[IPC_HOST];

	if (!mine) {
		session_no_memory(s);
		return;
	}
	mine->id = id;
	mine->credit = WISP_CREDIT;
	/* What is no destination is refused by the broker, on record. */
	if (!name_canonical((const char *)host, n, name))
		name_for_record((const char *)host, n, name);
	if (!session_open(s, protocol, name, port, mine)) {
		wisp_say_close(s, id, WISP_THROTTLED);
		free(mine);
	}
}

static void
take_connect(struct session *s, uint32_t id, const uint8_t *payload, size_t n)
{
	uint8_t kind = payload[0];
	uint16_t port = wisp_u16(payload + 1);

	if (!id) {
		session_violation(s, CLOSE_PROTOCOL, "stream 0 is reserved");
		return;
	}
	/* Its stream goes on: CLOSE would be taken for that one's end. */
	if (wisp_find(s, id))
		return;
	if ((kind != WISP_TCP && kind != WISP_UDP) || !port) {
		wisp_say_close(s, id, WISP_INVALID);
		return;
	}
	open_stream(s, id, kind == WISP_TCP ? PROTOCOL_TCP : PROTOCOL_UDP, port,
		    payload + CONNECT_LEAST, n - CONNECT_LEAST);
}

/* TCP's goes to the stream as it comes; this is a datagram, or nobody's. */
static void
take_data(struct session *s, uint32_t id, const uint8_t *payload, size_t n)
{
	struct stream *stream = wisp_find(s, id);

	/* What no datagram can hold is lost, as it would be on its way. */
	if (stream)
		(void)session_push(s, stream, payload, n);
}

static void
take_close(struct session *s, uint32_t id)
{
	struct stream *stream = wisp_find(s, id);

	if (!id) {
		session_close(s, CLOSE_NORMAL, "");
	} else if (stream) {
		/* Some clients keep a stream until the server says CLOSE as well. */
		wisp_say_close(s, id, WISP_VOLUNTARY);
		wisp_give_up(s, stream, REASON_CLIENT_CLOSED);
	}
}

/* --- packets -------------------------------------------------------------------------------- */

/* Fewest bytes behind the head, or -1 for a type that there is not. */
static int
least(uint8_t type)
{
	switch (type) {
	case WISP_CONNECT:
		return CONNECT_LEAST;
	case WISP_DATA:
		return 0;
	case WISP_CONTINUE:
		return CONTINUE_LEAST;
	case WISP_CLOSE:
		return CLOSE_LEAST;
	case WISP_INFO:
		return INFO_LEAST;
	default:
		return -1;
	}
}

void
wisp_serve(struct session *s, const uint8_t *bytes, size_t n)
{
	const struct wisp *wisp = s->mine;
	const uint8_t *payload = bytes + WISP_HEAD;
	size_t length = n - WISP_HEAD;
	uint32_t id = wisp_u32(bytes + 1);
	int needed = least(bytes[0]);

	if (needed < 0) {
		session_violation(s, CLOSE_PROTOCOL, "a packet of a type that there is not");
		return;
	}
	if (length < (size_t)needed) {
		session_violation(s, CLOSE_PROTOCOL, "a packet is shorter than its type needs");
		return;
	}
	if (wisp->info_awaited && bytes[0] != WISP_INFO)
		wisp_begin_v1(s);
	if (bytes[0] == WISP_CONNECT)
		take_connect(s, id, payload, length);
	else if (bytes[0] == WISP_DATA)
		take_data(s, id, payload, length);
	else if (bytes[0] == WISP_CLOSE)
		take_close(s, id);
	else if (bytes[0] == WISP_INFO)
		take_info(s, payload, length);
	/* CONTINUE is the server's alone, and means nothing from a client. */
}
