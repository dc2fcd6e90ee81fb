/* SPDX-License-Identifier: ISC */
#include "policy/image.h"

#include <string.h>

#include "ipc/channel.h"
#include "ipc/words.h"

uint64_t
image_checksum(const void *bytes, size_t n)
{
	uint64_t sum = 0xcbf29ce484222325ULL;

	for (const uint8_t *at = bytes; n > 0; n--)
		sum = (sum ^ *at++) * 0x100000001b3ULL;
	return sum;
}

static bool
grant_sound(const struct image_grant *g, uint32_t rules)
{
	return ipc_text_ok(g->name, IPC_GRANT) && (uint64_t)g->rules.at + g->rules.n <= rules &&
	       g->denies <= g->rules.n && g->explain <= 1 && g->sessions > 0 &&
	       g->terms.channels > 0 && g->terms.channels <= IMAGE_CHANNELS &&
	       g->terms.message_bytes > 0 && g->terms.connect_timeout_ms > 0;
}

static bool
rule_sound(const struct image_rule *rule)
{
	bool named = rule->kind == RULE_NAME || rule->kind == RULE_SUFFIX;
	bool prefix = rule->kind == RULE_PREFIX && (rule->family == 4 || rule->family == 6);

	return ipc_text_ok(rule->text, IPC_RULE) && ipc_text_ok(rule->name, IPC_HOST) &&
	       (rule->kind == RULE_ANY || named || prefix) &&
	       (rule->kind != RULE_SUFFIX || rule->name[0] == '.') && rule->protocols > 0 &&
	       rule->protocols < 2 * PROTOCOL_INBOUND && rule->is_private <= named &&
	       rule->bits <= (rule->family == 4 ? 32 : 128) && rule->pad == 0 &&
	       rule->port_low > 0 && rule->port_low <= rule->port_high;
}

const char *
image_open(struct policy *policy, const void *base, size_t size)
{
	const struct image_header *header = base;
	const size_t summed = offsetof(struct image_header, limits);
	struct policy found = {.header = header, .grants = (const void *)(header + 1)};
	bool sound;

	if ((uintptr_t)base % 8 != 0 || size < sizeof(*header) || size > IMAGE_MOST ||
	    header->magic != IMAGE_MAGIC || header->version != IMAGE_VERSION ||
	    header->size != size)
		return "this is no whole policy image of this version of sockward and this machine";
	if (header->checksum != image_checksum(&header->limits, size - summed))
		return "the policy image is damaged: its checksum is wrong";
	sound = size == sizeof(*header) + (uint64_t)header->grants * sizeof(struct image_grant) +
				(uint64_t)header->rules * sizeof(struct image_rule) &&
		header->limits.sessions > 0 && header->limits.sessions_per_source > 0 &&
		header->limits.handshake_ms > 0 && header->audit_sync <= 1;
	if (sound)
		found.rules = (const void *)(found.grants + header->grants);
	for (uint32_t i = 0; sound && i < header->grants; i++)
		sound = grant_sound(&found.grants[i], header->rules);
	for (uint32_t i = 0; sound && i < header->rules; i++)
		sound = rule_sound(&found.rules[i]);
	if (!sound)
		return "the policy image is damaged: a size or a field is out of range";
	*policy = found;
	return NULL;
}

uint32_t
policy_grant(const struct policy *policy, const char *name)
{
	uint32_t i = 0, n = policy->header->grants;

	while (i < n && strcmp(policy->grants[i].name, name) != 0)
		i++;
	return i < n ? i : IMAGE_NONE;
}
