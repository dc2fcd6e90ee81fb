/* SPDX-License-Identifier: ISC */
#include "policy/compile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/channel.h"
#include "ipc/words.h"
#include "policy/image.h"

static void
put_rules(struct image_rule *rules, uint32_t *used, const struct source_rules *from, bool denies)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct source_rule *rule = &from->items[i];
		struct image_rule *out = &rules[(*used)++];

		*out = rule->image;
		/* What is denied wholly may not come either. */
		if (denies && out->protocols == PROTOCOLS && out->port_low == 1 &&
		    out->port_high == UINT16_MAX)
			out->protocols |= PROTOCOL_INBOUND;
		(void)ipc_text_set(out->text, sizeof(out->text), rule->text);
		(void)ipc_text_set(out->name, sizeof(out->name), rule->name);
	}
}

static void
put_range(struct image_rule *out, const struct source_range *range, uint8_t protocol, uint16_t low,
	  uint16_t high)
{
	char ip[INET6_ADDRSTRLEN], ports[16];

	(void)snprintf(ports, sizeof(ports), low < high ? "%u-%u" : "%u", low, high);
	out->kind = RULE_PREFIX;
	out->protocols = protocol;
	out->family = range->family;
	out->bits = range->bits;
	out->port_low = low;
	out->port_high = high;
	memcpy(out->ip, range->ip, sizeof(out->ip));
	(void)inet_ntop(range->family == 4 ? AF_INET : AF_INET6, range->ip, ip, sizeof(ip));
	if (protocol == PROTOCOL_INBOUND)
		(void)snprintf(out->text, sizeof(out->text), "from %s/%u", ip, range->bits);
	else
		(void)snprintf(out->text, sizeof(out->text), "listen %s%s%s:%s",
			       range->family == 6 ? "[" : "", ip, range->family == 6 ? "]" : "",
			       ports);
}

/* What may come in, as rules: one for the near end, one for each range of far ends. */
static void
put_listen(struct image_rule *rules, uint32_t *used, struct image_grant *out,
	   const struct source_listen *listen)
{
	/* Without a rule each request is judged, and refused. */
	out->listeners = listen->present ? listen->most : UINT32_MAX;
	if (!listen->present)
		return;
	put_range(&rules[(*used)++], &listen->address, PROTOCOL_LISTEN, listen->port_low,
		  listen->port_high);
	for (size_t i = 0; i < listen->n_from; i++)
		put_range(&rules[(*used)++], &listen->from[i], PROTOCOL_INBOUND, 1, UINT16_MAX);
	out->terms.near.family = listen->address.family;
	out->terms.near.port = listen->port_low;
	memcpy(out->terms.near.ip, listen->address.ip, sizeof(out->terms.near.ip));
	out->terms.port_high = listen->port_high;
}

/* In place, in zeroed memory, so that what pads the struct is zero too. */
static void
put_grant(struct image_grant *out, const struct source_grant *grant)
{
	(void)ipc_text_set(out->name, sizeof(out->name), grant->name);
	out->explain = grant->explain;
	out->sessions = grant->sessions;
	out->terms.channels = grant->channels;
	out->connects_per_minute = grant->connects_per_minute;
	out->terms.datagrams_per_minute = grant->datagrams_per_minute;
	out->terms.reply_ratio = grant->reply_ratio;
	out->terms.bytes_per_minute = grant->bytes_per_minute;
	out->bytes_per_second = grant->bytes_per_second;
	out->terms.message_bytes = grant->message_bytes;
	out->terms.connect_timeout_ms = grant->connect_timeout_ms;
	out->terms.idle_timeout_ms = grant->idle_timeout_ms;
	out->session_timeout_ms = grant->session_timeout_ms;
}

static void
build(struct image_header *header, size_t size, const struct policy_source *source)
{
	struct image_grant *grants = (struct image_grant *)(void *)(header + 1);
	struct image_rule *rules = (struct image_rule *)(void *)(grants + source->n_grants);

	header->magic = IMAGE_MAGIC;
	header->version = IMAGE_VERSION;
	header->size = (uint32_t)size;
	header->limits = (struct ipc_limits){source->fingerprint,
					     source->sessions,
					     source->sessions_per_source,
					     source->handshake_ms,
					     0,
					     {{0}}};
	memcpy(header->limits.proxies, source->proxies,
	       source->n_proxies * sizeof(source->proxies[0]));
	header->grants = (uint32_t)source->n_grants;
	header->audit_sync = source->audit_sync;
	for (size_t i = 0; i < source->n_grants; i++) {
		const struct source_grant *grant = &source->grants[i];

		put_grant(&grants[i], grant);
		grants[i].rules.at = header->rules;
		put_rules(rules, &header->rules, &grant->deny, true);
		grants[i].denies = header->rules - grants[i].rules.at;
		put_rules(rules, &header->rules, &grant->allow, false);
		put_listen(rules, &header->rules, &grants[i], &grant->listen);
		grants[i].rules.n = header->rules - grants[i].rules.at;
	}
	header->checksum =
		image_checksum(&header->limits, size - offsetof(struct image_header, limits));
}

static size_t
rules_of(const struct source_grant *grant)
{
	const struct source_listen *listen = &grant->listen;

	return grant->deny.n + grant->allow.n + (listen->present ? 1 + listen->n_from : 0);
}

int
policy_compile(const struct policy_source *source, void **image, size_t *size)
{
	size_t n = sizeof(struct image_header) + source->n_grants * sizeof(struct image_grant);
	void *bytes;

	for (size_t i = 0; i < source->n_grants; i++)
		n += rules_of(&source->grants[i]) * sizeof(struct image_rule);
	if (n > IMAGE_MOST) {
		errno = EFBIG;
		return -1;
	}
	bytes = calloc(1, n);
	if (!bytes)
		return -1;
	build(bytes, n, source);
	*image = bytes;
	*size = n;
	return 0;
}
