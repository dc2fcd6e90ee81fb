/* SPDX-License-Identifier: ISC */
#include "policy/compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/channel.h"
#include "policy/image.h"

static void
put_rules(struct image_rule *rules, uint32_t *used, struct image_list *list,
	  const struct source_rules *from)
{
	*list = (struct image_list){*used, (uint32_t)from->n};
	for (size_t i = 0; i < from->n; i++) {
		const struct source_rule *rule = &from->items[i];
		struct image_rule *out = &rules[(*used)++];

		*out = rule->image;
		(void)ipc_text_set(out->text, sizeof(out->text), rule->text);
		(void)ipc_text_set(out->name, sizeof(out->name), rule->name);
	}
}

/* In place, in zeroed memory, so that what pads the struct is zero too. */
static void
put_grant(struct image_grant *out, const struct source_grant *grant)
{
	(void)ipc_text_set(out->name, sizeof(out->name), grant->name);
	out->explain = grant->explain;
	out->sessions = grant->sessions;
	out->channels = grant->channels;
	out->connects_per_minute = grant->connects_per_minute;
	out->bytes_per_minute = grant->bytes_per_minute;
	out->bytes_per_second = grant->bytes_per_second;
	out->message_bytes = grant->message_bytes;
	out->connect_timeout_ms = grant->connect_timeout_ms;
	out->idle_timeout_ms = grant->idle_timeout_ms;
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
	header->limits = (struct ipc_limits){source->fingerprint, source->sessions,
					     source->sessions_per_source, source->handshake_ms, 0};
	header->grants = (uint32_t)source->n_grants;
	header->audit_sync = source->audit_sync;
	for (size_t i = 0; i < source->n_grants; i++) {
		const struct source_grant *grant = &source->grants[i];

		put_grant(&grants[i], grant);
		put_rules(rules, &header->rules, &grants[i].deny, &grant->deny);
		put_rules(rules, &header->rules, &grants[i].allow, &grant->allow);
	}
	header->checksum =
		image_checksum(&header->limits, size - offsetof(struct image_header, limits));
}

int
policy_compile(const struct policy_source *source, void **image, size_t *size)
{
	size_t n = sizeof(struct image_header) + source->n_grants * sizeof(struct image_grant);
	void *bytes;

	for (size_t i = 0; i < source->n_grants; i++)
		n += (source->grants[i].deny.n + source->grants[i].allow.n) *
		     sizeof(struct image_rule);
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
