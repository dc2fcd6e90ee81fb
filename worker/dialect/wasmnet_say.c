/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ipc/words.h"
#include "worker/dialect/wasmnet.h"
#include "worker/json.h"
#include "worker/session.h"

/* An event of either framing while it is written. */
struct answer {
	struct session *s;
	struct json_writer writer;
	size_t n; /* of a binary one */
};

static const char *const words[] = {
	[WASMNET_CONNECTED - WASMNET_CONNECTED] = "connected",
	[WASMNET_DATA - WASMNET_CONNECTED] = "data",
	[WASMNET_LISTENING - WASMNET_CONNECTED] = "listening",
	[WASMNET_ACCEPTED - WASMNET_CONNECTED] = "accepted",
	[WASMNET_CLOSED - WASMNET_CONNECTED] = "closed",
	[WASMNET_ERROR - WASMNET_CONNECTED] = "error",
	[WASMNET_DENIED - WASMNET_CONNECTED] = "denied",
	[WASMNET_DATA_FROM - WASMNET_CONNECTED] = "data_from",
	[WASMNET_RESOLVED - WASMNET_CONNECTED] = "resolved",
	[WASMNET_UDP_BOUND - WASMNET_CONNECTED] = "udp_bound",
};

static bool
as_json(const struct answer *a)
{
	const struct wasmnet *wn = a->s->mine;

	return wn->json;
}

/* To a binary event. All that is put fits WASMNET_ANSWER by the bounds of each part. */
static void
put(struct answer *a, const void *bytes, size_t n)
{
	struct wasmnet *wn = a->s->mine;

	memcpy(wn->answer + a->n, bytes, n);
	a->n += n;
}

static void
put_number(struct answer *a, uint64_t value, unsigned int bytes)
{
	uint8_t big_endian[8];

	for (unsigned int i = 0; i < bytes; i++)
		big_endian[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	put(a, big_endian, bytes);
}

static void
start(struct session *s, struct answer *a, enum wasmnet_event type, uint64_t id)
{
	struct wasmnet *wn = s->mine;
	const char *word = words[type - WASMNET_CONNECTED];

	*a = (struct answer){.s = s};
	if (as_json(a)) {
		json_begin(&a->writer, wn->answer, sizeof(wn->answer));
		json_put_string(&a->writer, "ev", word, strlen(word));
		json_put_unsigned(&a->writer, "id", id);
	} else {
		put_number(a, type, 1);
		put_number(a, id, 8);
	}
}

static void
finish(struct answer *a)
{
	const struct wasmnet *wn = a->s->mine;
	bool json = as_json(a);
	size_t n = json ? json_end(&a->writer) : a->n;

	if (n)
		ws_send(&a->s->ws, json, wn->answer, n);
}

void
wasmnet_say(struct session *s, enum wasmnet_event type, uint64_t id)
{
	struct answer a;

	start(s, &a, type, id);
	finish(&a);
}

void
wasmnet_say_port(struct session *s, enum wasmnet_event type, uint64_t id, uint16_t port)
{
	struct answer a;

	start(s, &a, type, id);
	if (as_json(&a))
		json_put_unsigned(&a.writer, "port", port);
	else
		put_number(&a, port, 2);
	finish(&a);
}

void
wasmnet_say_text(struct session *s, enum wasmnet_event type, uint64_t id, const char *format, ...)
{
	char text[WASMNET_TEXT];
	struct answer a;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	start(s, &a, type, id);
	if (as_json(&a))
		json_put_string(&a.writer, "msg", text, strlen(text));
	else
		put(&a, text, strlen(text));
	finish(&a);
}

void
wasmnet_say_data(struct session *s, uint64_t id, const uint8_t *bytes, size_t n)
{
	while (n) {
		size_t piece = n < WASMNET_PIECE ? n : WASMNET_PIECE;
		struct answer a;

		start(s, &a, WASMNET_DATA, id);
		if (as_json(&a))
			json_put_base64(&a.writer, "data", bytes, piece);
		else
			put(&a, bytes, piece);
		finish(&a);
		bytes += piece;
		n -= piece;
	}
}

static void
address_text(const struct ipc_addr *addr, char out[INET6_ADDRSTRLEN])
{
	out[0] = '\0';
	if (addr->family)
		inet_ntop(addr->family == 4 ? AF_INET : AF_INET6, addr->ip, out, INET6_ADDRSTRLEN);
}

void
wasmnet_say_data_from(struct session *s, uint64_t id, const struct ipc_addr *peer,
		      const uint8_t *bytes, size_t n)
{
	char ip[INET6_ADDRSTRLEN];
	struct answer a;

	address_text(peer, ip);
	start(s, &a, WASMNET_DATA_FROM, id);
	if (as_json(&a)) {
		json_put_base64(&a.writer, "data", bytes, n);
		json_put_string(&a.writer, "addr", ip, strlen(ip));
		json_put_unsigned(&a.writer, "port", peer->port);
	} else {
		put_number(&a, peer->port, 2);
		put_number(&a, strlen(ip), 2);
		put(&a, ip, strlen(ip));
		put(&a, bytes, n);
	}
	finish(&a);
}

void
wasmnet_say_accepted(struct session *s, uint64_t id, uint64_t accepted, const struct ipc_addr *peer)
{
	char ip[INET6_ADDRSTRLEN];
	char remote[sizeof(ip) + sizeof("[]:65535")];
	struct answer a;

	address_text(peer, ip);
	snprintf(remote, sizeof(remote), peer->family == 6 ? "[%s]:%u" : "%s:%u", ip, peer->port);
	start(s, &a, WASMNET_ACCEPTED, id);
	if (as_json(&a)) {
		json_put_unsigned(&a.writer, "conn_id", accepted);
		json_put_string(&a.writer, "remote", remote, strlen(remote));
	} else {
		put_number(&a, accepted, 8);
		put(&a, remote, strlen(remote));
	}
	finish(&a);
}

void
wasmnet_say_resolved(struct session *s, uint64_t id, const struct ipc_addr *addrs, size_t count)
{
	char list[IPC_ADDRESSES * (INET6_ADDRSTRLEN + 3) + 3] = "[";
	char all[sizeof(list) + 64];
	char ip[INET6_ADDRSTRLEN];
	struct answer a;
	size_t n = 1;

	/* Addresses hold nothing that JSON escapes. */
	for (size_t i = 0; i < count; i++) {
		address_text(&addrs[i], ip);
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s\"%s\"", i ? "," : "", ip);
	}
	snprintf(list + n, sizeof(list) - n, "]");
	start(s, &a, WASMNET_RESOLVED, id);
	if (as_json(&a)) {
		/* the writer knows no lists */
		n = (size_t)snprintf(all, sizeof(all),
				     "{\"ev\":\"resolved\",\"id\":%llu,\"addrs\":%s}",
				     (unsigned long long)id, list);
		ws_send(&s->ws, true, all, n);
	} else {
		put(&a, list, strlen(list));
		finish(&a);
	}
}

/* --- refusals ------------------------------------------------------------------------- */

bool
wasmnet_denies(uint32_t reason)
{
	switch (reason) {
	case REASON_NO_POLICY:
	case REASON_RULE_DENIES:
	case REASON_NO_RULE:
	case REASON_SPECIAL_ADDRESS:
	case REASON_OWN_ADDRESS:
	case REASON_PORT_CLOSED:
	case REASON_NAME_INVALID:
	case REASON_NAME_UNKNOWN:
	case REASON_NAME_FAILED:
	case REASON_PEER_MISMATCH:
	case REASON_UNAVAILABLE:
		return true;
	default:
		return false;
	}
}

static bool
is_number(const char *host)
{
	struct in6_addr ip;

	return inet_pton(AF_INET, host, &ip) == 1 || inet_pton(AF_INET6, host, &ip) == 1;
}

static void
say_denied(struct session *s, const struct wasmnet_end *end, uint32_t reason,
	   const struct ipc_addr *peer)
{
	bool v6 = strchr(end->host, ':') && is_number(end->host);
	char ip[INET6_ADDRSTRLEN];

	address_text(peer, ip);
	if (reason == REASON_RULE_DENIES && !ip[0] && !is_number(end->host))
		wasmnet_say_text(s, WASMNET_DENIED, end->id, "domain blocked by policy: %s",
				 end->host);
	else if (reason == REASON_NO_RULE || reason == REASON_PORT_CLOSED)
		wasmnet_say_text(s, WASMNET_DENIED, end->id,
				 v6 ? "address not in allow list: [%s]:%u"
				    : "address not in allow list: %s:%u",
				 end->host, end->port);
	else if (reason == REASON_NO_POLICY)
		wasmnet_say_text(s, WASMNET_DENIED, end->id,
				 v6 ? "address blocked by policy (deny-all): [%s]:%u"
				    : "address blocked by policy (deny-all): %s:%u",
				 end->host, end->port);
	else if (reason == REASON_RULE_DENIES || reason == REASON_SPECIAL_ADDRESS ||
		 reason == REASON_OWN_ADDRESS)
		wasmnet_say_text(s, WASMNET_DENIED, end->id, "private IP range blocked: %s",
				 ip[0] ? ip : end->host);
	else
		wasmnet_say_text(s, WASMNET_DENIED, end->id, "%s", reason_sentence(reason));
}

/* The name of resolve; its client knows one kind of failure alone. */
static void
say_unresolved(struct session *s, const struct wasmnet_end *end, uint32_t reason)
{
	if (reason == REASON_UNAVAILABLE)
		wasmnet_say_text(s, WASMNET_ERROR, end->id, "no addresses found for %s", end->host);
	else
		wasmnet_say_text(s, WASMNET_ERROR, end->id, "domain blocked by policy: %s",
				 end->host);
}

static void
say_failed(struct session *s, const struct wasmnet_end *end, uint32_t reason)
{
	const char *before = end->kind == WASMNET_UDP        ? "UDP connect failed: "
			     : end->kind == WASMNET_LISTENER ? "bind failed: "
							     : "";

	if (end->kind == WASMNET_UDP && reason_plain(reason) == REASON_RESOURCES)
		before = "UDP bind failed: ";
	if (reason >= REASON_TLS_FAILED && reason <= REASON_TLS_NO_TRUST)
		before = "TLS error: ";
	wasmnet_say_text(s, WASMNET_ERROR, end->id, "%s%s", before, reason_sentence(reason));
}

void
wasmnet_say_refused(struct session *s, const struct wasmnet_end *end, uint32_t reason,
		    const struct ipc_addr *peer)
{
	uint32_t plain = reason_plain(reason);

	if (plain == REASON_CHANNELS_LIMIT)
		wasmnet_say_text(s, WASMNET_ERROR, end->id, "max connections reached");
	else if (plain == REASON_TIMEOUT)
		wasmnet_say_text(s, WASMNET_ERROR, end->id, "connection timed out");
	else if (plain == REASON_NAME_INVALID || plain == REASON_NAME_UNKNOWN ||
		 plain == REASON_NAME_FAILED)
		wasmnet_say_text(s, end->kind == WASMNET_LOOKUP ? WASMNET_ERROR : WASMNET_DENIED,
				 end->id, "DNS resolution failed: %s", reason_sentence(plain));
	else if (!wasmnet_denies(plain))
		say_failed(s, end, reason);
	else if (end->kind == WASMNET_LOOKUP)
		say_unresolved(s, end, plain);
	else if (end->kind == WASMNET_LISTENER && plain != REASON_UNAVAILABLE)
		wasmnet_say_text(s, WASMNET_DENIED, end->id, "port %u not in allowed bind range",
				 end->port);
	else
		say_denied(s, end, plain, peer);
}
