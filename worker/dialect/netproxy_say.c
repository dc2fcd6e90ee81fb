/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "worker/dialect/netproxy.h"
#include "worker/json.h"
#include "worker/session.h"

static void
start(struct session *s, struct json_writer *writer, const char *type, const struct netproxy_id *id)
{
	struct netproxy *np = s->mine;

	json_begin(writer, np->answer, sizeof(np->answer));
	json_put_string(writer, "t", type, strlen(type));
	if (!id)
		return;
	if (id->is_text)
		json_put_string(writer, "id", id->text, id->length);
	else
		json_put_unsigned(writer, "id", id->number);
}

static void
finish(struct session *s, struct json_writer *writer)
{
	const struct netproxy *np = s->mine;
	size_t n = json_end(writer);

	if (n)
		ws_send(&s->ws, true, np->answer, n);
}

void
netproxy_say(struct session *s, const char *type, const struct netproxy_id *id)
{
	struct json_writer writer;

	start(s, &writer, type, id);
	finish(s, &writer);
}

void
netproxy_say_data(struct session *s, const struct netproxy_id *id, const uint8_t *bytes, size_t n)
{
	while (n) {
		size_t piece = n < NETPROXY_PIECE ? n : NETPROXY_PIECE;
		struct json_writer writer;

		start(s, &writer, "data", id);
		json_put_base64(&writer, "b64", bytes, piece);
		finish(s, &writer);
		bytes += piece;
		n -= piece;
	}
}

void
netproxy_say_error(struct session *s, const struct netproxy_id *id, const char *format, ...)
{
	char text[NETPROXY_ERROR];
	struct json_writer writer;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	start(s, &writer, "error", id);
	json_put_string(&writer, "msg", text, strlen(text));
	finish(s, &writer);
}

static void
say_blocked(struct session *s, const struct netproxy_connection *connection, uint32_t reason,
	    const struct ipc_addr *peer)
{
	char ip[INET6_ADDRSTRLEN];

	if (!peer->family) {
		netproxy_say_error(s, &connection->id, "Connection failed: %s",
				   reason_sentence(reason));
		return;
	}
	inet_ntop(peer->family == 4 ? AF_INET : AF_INET6, peer->ip, ip, sizeof(ip));
	netproxy_say_error(s, &connection->id, "Blocked IP address: %s (resolved from %s)", ip,
			   connection->host);
}

void
netproxy_say_refused(struct session *s, const struct netproxy_connection *connection,
		     uint32_t reason, const struct ipc_addr *peer)
{
	const struct netproxy_id *id = &connection->id;

	switch (reason) {
	case REASON_PORT_CLOSED:
		netproxy_say_error(s, id, "Port %u not allowed", connection->port);
		break;
	case REASON_RULE_DENIES:
	case REASON_SPECIAL_ADDRESS:
	case REASON_OWN_ADDRESS:
		say_blocked(s, connection, reason, peer);
		break;
	case REASON_NAME_INVALID:
	case REASON_NAME_UNKNOWN:
	case REASON_NAME_FAILED:
		netproxy_say_error(s, id, "DNS resolution failed for %s: %s", connection->host,
				   reason_sentence(reason));
		break;
	case REASON_TIMEOUT:
	case REASON_TLS_TIMEOUT:
		netproxy_say_error(s, id, "Connection timeout");
		break;
	case REASON_CONNECTS_LIMIT:
		netproxy_say_error(s, id, "Connection rate limit exceeded");
		break;
	case REASON_CHANNELS_LIMIT:
		netproxy_say_error(s, id, "Max concurrent connections exceeded");
		break;
	case REASON_BYTES_LIMIT:
		netproxy_say_error(s, id, "Bandwidth limit exceeded");
		break;
	default:
		netproxy_say_error(s, id, "Connection failed: %s", reason_sentence(reason));
		break;
	}
}
