/* SPDX-License-Identifier: ISC */
#include "policy/check.h"

#include <string.h>

#include "policy/special.h"
#include "policy/ports-table.h"
#include "policy/special-table.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* RFC 5214: an interface identifier that embeds an IPv4 address. */
static const struct special_block isatap = {6, 128, BLOCK_NEVER, {0}, "isatap"};

bool
prefix_holds(const uint8_t *ip, unsigned int bits, const uint8_t *address)
{
	if (memcmp(ip, address, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || (ip[bits / 8] ^ address[bits / 8]) >> (8 - bits % 8) == 0;
}

const struct special_block *
special_find(unsigned int family, const uint8_t *ip, unsigned int bits)
{
	const struct special_block *block = special_table, *end = block + COUNT(special_table);

	if (bits >= 96 && (ip[8] & 0xfd) == 0 && ip[9] == 0 && ip[10] == 0x5e && ip[11] == 0xfe)
		return &isatap;
	/* The longest prefixes come first. */
	while (block < end && (block->family != family || block->bits > bits ||
			       !prefix_holds(block->ip, block->bits, ip)))
		block++;
	return block < end ? block : NULL;
}

static bool
ends_in(const char *text, const char *tail)
{
	size_t n = strlen(text), m = strlen(tail);

	return n > m && strcmp(text + n - m, tail) == 0;
}

bool
special_name(const char *text)
{
	bool special = text[0] && !strchr(text, '.');

	for (size_t i = 0; !special && i < COUNT(inner_domains); i++)
		special = ends_in(text, inner_domains[i]) ||
			  strcmp(text, inner_domains[i] + (text[0] != '.')) == 0;
	return special;
}

bool
rule_opens(const struct image_rule *rule, const struct special_block *block)
{
	if (rule->kind == RULE_PREFIX)
		return block->class != BLOCK_NEVER && rule->bits >= block->bits;
	return rule->is_private && (block->class == BLOCK_PRIVATE ||
				    (block->class == BLOCK_LOCAL && rule->kind == RULE_NAME));
}

static bool
rule_matches(const struct image_rule *rule, const struct policy_question *asked, bool allows)
{
	const char *name = asked->name;
	bool inner = allows && name && special_name(name);

	if (!(rule->protocols & (asked->protocol ? asked->protocol : PROTOCOLS)))
		return false;
	/* A question for no port: a deny rule for all of them says no, one for some does not. */
	if (asked->protocol ? asked->port < rule->port_low || asked->port > rule->port_high
			    : !allows && (rule->protocols < PROTOCOLS || rule->port_low > 1 ||
					  rule->port_high < UINT16_MAX))
		return false;
	/* "*.arpa" does not speak of "*.home.arpa"; "*" and ranges of no inner name. */
	if (inner && !special_name(rule->name))
		return false;
	if (rule->kind == RULE_ANY)
		return true;
	if (rule->kind == RULE_PREFIX)
		return asked->addr ? asked->addr->family == rule->family &&
					     prefix_holds(rule->ip, rule->bits, asked->addr->ip)
				   : allows;
	return name && (rule->kind == RULE_NAME ? strcmp(name, rule->name) == 0
						: ends_in(name, rule->name));
}

/* A rule that matches; one that allows: does it stand closed ports and special blocks? */
static struct policy_verdict
judge_rule(const struct image_rule *rule, bool allows, const struct policy_question *asked,
	   const struct special_block *block)
{
	bool whole = rule->bits == (rule->family == 4 ? 32 : 128);
	bool local = block && block->class == BLOCK_LOCAL;
	bool named = rule->kind == RULE_PREFIX ? whole || local
					       : rule->kind == RULE_NAME && rule->is_private;

	if (!allows)
		return (struct policy_verdict){REASON_RULE_DENIES, 0, rule->text, false};
	if (rule->port_low != rule->port_high && closed_ports[asked->port] & asked->protocol)
		return (struct policy_verdict){REASON_PORT_CLOSED, 0, rule->text, false};
	if (block && !rule_opens(rule, block))
		return (struct policy_verdict){REASON_SPECIAL_ADDRESS, 0, block->name, false};
	return (struct policy_verdict){REASON_NONE, 0, rule->text, named};
}

void
policy_judge(const struct policy *policy, uint32_t grant, const struct policy_question *question,
	     struct policy_verdict *verdict)
{
	const struct ipc_addr *addr = question->addr;
	const struct special_block *block =
		addr ? special_find(addr->family, addr->ip, addr->family == 4 ? 32 : 128) : NULL;
	uint16_t port = question->port;
	const struct image_grant *its;
	enum reason wrong = port ? REASON_NAME_INVALID : REASON_PORT_CLOSED;

	/* The port that is judged must be the one that is dialled. */
	if (!port == !question->protocol && !(question->protocol & (question->protocol - 1)) &&
	    (addr ? (addr->family == 4 || addr->family == 6) && addr->port == port
		  : question->name != NULL))
		wrong = REASON_NO_RULE;
	*verdict = (struct policy_verdict){wrong, IMAGE_NONE, "", false};
	if (wrong != REASON_NO_RULE || grant >= policy->header->grants)
		return;
	its = &policy->grants[grant];
	for (uint32_t n = 0; n < its->rules.n && verdict->reason; n++) {
		const struct image_rule *rule = &policy->rules[its->rules.at + n];
		bool allows = n >= its->denies;
		struct policy_verdict this = judge_rule(rule, allows, question, block);

		/* The first refusal is told, unless a later rule allows. */
		if (!rule_matches(rule, question, allows) ||
		    (this.reason && verdict->rule != IMAGE_NONE))
			continue;
		*verdict = this;
		verdict->rule = its->rules.at + n;
		if (!allows)
			return;
	}
}
