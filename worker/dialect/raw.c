/* SPDX-License-Identifier: ISC */
/*
 * raw: one stream a session, whose destination stands in the URL.
 *
 *   /raw/HOST/PORT                what websockify's clients speak, and TCP of Emscripten's:
 *   /raw?address=HOST:PORT        and Neon's. Bytes both ways in binary messages
 *   /raw?host=HOST&port=PORT      the same, but a command before the client's bytes: that
 *                                 of php-wasm in WordPress Playground
 *   /raw/HOST/PORT?emscripten=udp a datagram a message: UDP of Emscripten's
 *
 * Over bytes an empty message of the client is the end of what it sends. It is told of
 * the destination's end by close 1000, after the last byte; or, if it asked with
 * ?eof=message, by an empty message, and then the session ends when both ways have
 * ended.
 */
#include <string.h>

#include "worker/closing.h"
#include "worker/dialect/single.h"
#include "worker/gather.h"

#define COMMAND_DATA   1U
#define COMMAND_OPTION 2U    /* of the socket: level, name, value; the worker may set none */
#define COMMANDS_FAIL  3000U /* close code of whatever goes wrong with the destination */
#define PORT_MESSAGE   10U   /* bytes of the first message of a bound socket of Emscripten's */

enum raw_form {
	RAW_BYTES,
	RAW_COMMANDS,
	RAW_DATAGRAMS,
};

struct raw {
	struct single single;
	enum raw_form form;
	size_t message_length; /* BYTES: of the message under way */
	uint8_t command;       /* COMMANDS: of the message under way; 0: not there yet */
	bool spoke;            /* DATAGRAMS: the first message has come */
	struct gather message; /* DATAGRAMS: the one under way */
};

/* --- the URL ------------------------------------------------------------------------ */

static bool
says(const char *query, size_t n, const char *name, const char *value)
{
	char text[16];
	size_t length;

	return target_query(query, n, name, text, sizeof(text), &length) == TARGET_FOUND &&
	       strcmp(text, value) == 0;
}

/* The port is not decoded: digits need no escapes. */
static bool
begin_path(struct raw *raw, const struct target *target, const char *query, size_t n)
{
	const struct target_segment *host = &target->segment[0];
	const struct target_segment *port = &target->segment[1];

	if (!host->raw_length || !port->raw_length)
		return false;
	single_host(&raw->single, host->text, host->length);
	raw->single.port = target_port(port->raw, port->raw_length);
	if (says(query, n, "emscripten", "udp")) {
		raw->form = RAW_DATAGRAMS;
		raw->single.udp = true;
	}
	return true;
}

static bool
begin_query(struct raw *raw, const char *query, size_t n)
{
	char text[TARGET_HOST];
	char port[16];
	size_t length;
	size_t port_length;
	enum target_parameter address =
		target_query(query, n, "address", text, sizeof(text), &length);

	if (address != TARGET_ABSENT)
		return address == TARGET_FOUND && single_address(&raw->single, text, length);
	if (target_query(query, n, "host", text, sizeof(text), &length) != TARGET_FOUND ||
	    target_query(query, n, "port", port, sizeof(port), &port_length) != TARGET_FOUND ||
	    !length)
		return false;
	raw->form = RAW_COMMANDS;
	raw->single.fail_code = COMMANDS_FAIL;
	single_host(&raw->single, text, length);
	raw->single.port = target_port(port, port_length);
	return true;
}

static bool
begin(struct session *s, const struct target *target, const char *query, size_t n)
{
	struct raw *raw = s->mine;
	bool bare = !target->segments || (target->segments == 1 && !target->segment[0].raw_length);

	if (!(bare ? begin_query(raw, query, n)
		   : target->segments == 2 && begin_path(raw, target, query, n)))
		return false;
	raw->single.eof_message = raw->form == RAW_BYTES && says(query, n, "eof", "message");
	return true;
}

/* --- messages of the WebSocket ---------------------------------------------------------- */

static void
message_begin(struct session *s, bool text)
{
	struct raw *raw = s->mine;

	raw->message_length = 0;
	raw->command = 0;
	gather_begin(s, &raw->message, text);
	if (text)
		session_violation(s, CLOSE_UNSUPPORTED, "raw takes binary messages only");
}

static void
command_chunk(struct session *s, const uint8_t *bytes, size_t n)
{
	struct raw *raw = s->mine;

	if (!raw->command) {
		raw->command = *bytes++;
		n--;
		if (raw->command != COMMAND_DATA && raw->command != COMMAND_OPTION) {
			session_violation(s, CLOSE_PROTOCOL, "a command that there is not");
			return;
		}
	}
	if (n && raw->command == COMMAND_DATA)
		single_push(s, bytes, n);
}

static void
message_chunk(struct session *s, const uint8_t *bytes, size_t n)
{
	struct raw *raw = s->mine;

	raw->message_length += n;
	if (raw->form == RAW_BYTES)
		single_push(s, bytes, n);
	else if (raw->form == RAW_COMMANDS)
		command_chunk(s, bytes, n);
	else
		(void)gather_chunk(s, &raw->message, bytes, n);
}

/* The port that an Emscripten socket is bound to, for another one of its kind. */
static bool
is_port(const uint8_t *bytes, size_t n)
{
	return n == PORT_MESSAGE && memcmp(bytes, "\xff\xff\xff\xffport", 8) == 0;
}

static void
end_datagram(struct session *s)
{
	struct raw *raw = s->mine;
	const uint8_t *bytes = gather_bytes(&raw->message);
	size_t n = raw->message.bytes.length;

	/* An empty one is nothing to its peers, and does not count as the first. */
	if (n && (raw->spoke || !is_port(bytes, n)))
		single_push(s, bytes, n);
	raw->spoke = raw->spoke || n;
	gather_free(&raw->message);
}

static void
message_end(struct session *s)
{
	const struct raw *raw = s->mine;

	if (raw->form == RAW_DATAGRAMS)
		end_datagram(s);
	else if (raw->form == RAW_COMMANDS && !raw->command)
		session_violation(s, CLOSE_PROTOCOL, "a message without a command");
	else if (raw->form == RAW_BYTES && !raw->message_length)
		single_end(s);
}

static void
stop(struct session *s)
{
	struct raw *raw = s->mine;

	gather_free(&raw->message);
}

const struct dialect_ops dialect_raw = {
	.number = DIALECT_RAW,
	.path = "raw",
	.size = sizeof(struct raw),
	.begin = begin,
	.granted = single_granted,
	.message_begin = message_begin,
	.message_chunk = message_chunk,
	.message_end = message_end,
	.opened = single_opened,
	.refused = single_refused,
	.data = single_data,
	.ended = single_ended,
	.stop = stop,
};
