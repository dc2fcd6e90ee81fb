/* SPDX-License-Identifier: ISC */
/*
 * Rules that say nothing: they can never match, or another rule always decides
 * first. Each is a mistake of its author, who believes that it does something.
 */
#include <stdio.h>
#include <string.h>

#include "ipc/words.h"
#include "policy/reading.h"
#include "policy/special.h"

static bool
is_name(const struct image_rule *rule)
{
	return rule->kind == RULE_NAME || rule->kind == RULE_SUFFIX;
}

static bool
ends_in(const char *text, const char *tail)
{
	size_t n = strlen(text), m = strlen(tail);

	return n > m && strcmp(text + n - m, tail) == 0;
}

/* Every name of @b is one of @a. */
static bool
names_inside(const struct source_rule *a, const struct source_rule *b)
{
	if (!is_name(&a->image) || !is_name(&b->image))
		return false;
	if (a->image.kind == b->image.kind && strcmp(a->name, b->name) == 0)
		return true;
	return a->image.kind == RULE_SUFFIX && ends_in(b->name, a->name);
}

/* Every address of @b is one of @a. */
static bool
range_inside(const struct image_rule *a, const struct image_rule *b)
{
	return a->kind == RULE_PREFIX && b->kind == RULE_PREFIX && a->family == b->family &&
	       a->bits <= b->bits && prefix_holds(a->ip, a->bits, b->ip);
}

/* Every port and protocol of @b is one of @a. */
static bool
ports_inside(const struct image_rule *a, const struct image_rule *b)
{
	return a->port_low <= b->port_low && a->port_high >= b->port_high &&
	       (b->protocols & ~a->protocols) == 0;
}

static bool
deny_covers(const struct source_rule *deny, const struct source_rule *rule)
{
	return ports_inside(&deny->image, &rule->image) &&
	       (deny->image.kind == RULE_ANY || names_inside(deny, rule) ||
		range_inside(&deny->image, &rule->image));
}

static const struct special_block *
block_around(const struct image_rule *rule)
{
	return special_find(rule->family, rule->ip, rule->bits);
}

static bool
is_single(const struct image_rule *rule)
{
	return rule->kind == RULE_PREFIX && rule->bits == (rule->family == 4 ? 32 : 128);
}

/* An earlier allow rule decides all that the range @b could, and as well. */
static bool
allow_covers_range(const struct image_rule *a, const struct image_rule *b)
{
	const struct special_block *block = block_around(b);

	if (a->kind == RULE_ANY)
		return !block && !is_single(b);
	if (!range_inside(a, b))
		return false;
	if (block && a->bits < block->bits)
		return false;
	/* A single address may be the server's own, which ranges open in local blocks only. */
	return (block && block->class == BLOCK_LOCAL) || !is_single(b) || is_single(a);
}

static bool
allow_covers(const struct source_rule *a, const struct source_rule *b)
{
	const struct image_rule *rule = &b->image;
	bool single_port = rule->port_low == rule->port_high;

	if (!ports_inside(&a->image, rule))
		return false;
	/* Only a rule of that single port opens a closed one. */
	if (single_port && a->image.port_low != a->image.port_high &&
	    closed_ports[rule->port_low] & rule->protocols)
		return false;
	if (rule->kind == RULE_ANY)
		return a->image.kind == RULE_ANY;
	if (rule->kind == RULE_PREFIX)
		return allow_covers_range(&a->image, rule);
	if (a->image.kind == RULE_ANY)
		return !rule->is_private && !special_name(b->name);
	/* Only a whole name opens what is local. */
	if (rule->kind == RULE_NAME && rule->is_private && a->image.kind != RULE_NAME)
		return false;
	return names_inside(a, b) && a->image.is_private >= rule->is_private &&
	       (!special_name(b->name) || special_name(a->name));
}

static bool
all_ports_closed(const struct image_rule *rule)
{
	if (rule->port_low == rule->port_high)
		return false;
	for (unsigned int protocol = PROTOCOL_TCP; protocol <= PROTOCOL_TLS; protocol *= 2) {
		if (!(rule->protocols & protocol))
			continue;
		for (unsigned int port = rule->port_low; port <= rule->port_high; port++) {
			if (!(closed_ports[port] & protocol))
				return false;
		}
	}
	return true;
}

/* localhost, and names below it, lead to this host itself. */
static void
lint_localhost(struct reading *reading, const struct source_rule *rule)
{
	bool below = strcmp(rule->name, ".localhost") == 0 || ends_in(rule->name, ".localhost");

	if (!is_name(&rule->image) || (!below && strcmp(rule->name, "localhost") != 0))
		return;
	if (rule->image.kind == RULE_SUFFIX)
		report_error(reading->report, rule->at, "write a rule for each whole name",
			     "`%s' can never match: only a whole name leads to this host itself",
			     rule->text);
	else if (!rule->image.is_private)
		report_error(reading->report, rule->at, "add \"private\": true",
			     "`%s' can never match: localhost is a private address", rule->text);
}

static void
lint_never(struct reading *reading, const struct source_rule *rule)
{
	const struct special_block *block =
		rule->image.kind == RULE_PREFIX ? block_around(&rule->image) : NULL;

	if (block && block->class == BLOCK_NEVER)
		report_error(reading->report, rule->at, "nothing opens these addresses",
			     "`%s' can never match: it lies in the block `%s'", rule->text,
			     block->name);
	if (all_ports_closed(&rule->image))
		report_error(reading->report, rule->at, "write a rule for each single port",
			     "`%s' can never match: only a rule of its own opens such a port",
			     rule->text);
	lint_localhost(reading, rule);
}

static void
lint_shadow(struct reading *reading, const struct source_rules *rules, size_t index,
	    bool (*covers)(const struct source_rule *, const struct source_rule *))
{
	const struct source_rule *rule = &rules->items[index];
	char hint[REPORT_TEXT];

	for (size_t i = 0; i < index; i++) {
		const struct source_rule *earlier = &rules->items[i];

		if (!covers(earlier, rule))
			continue;
		snprintf(hint, sizeof(hint), "leave it out, or put it before `%s' in line %u",
			 earlier->text, earlier->at.line);
		report_error(reading->report, rule->at, hint, "`%s' is shadowed by an earlier rule",
			     rule->text);
		return;
	}
}

static void
lint_denied(struct reading *reading, const struct source_grant *grant,
	    const struct source_rule *rule)
{
	char hint[REPORT_TEXT];

	for (size_t i = 0; i < grant->deny.n; i++) {
		const struct source_rule *deny = &grant->deny.items[i];

		if (!deny_covers(deny, rule))
			continue;
		snprintf(hint, sizeof(hint), "deny wins, always: `%s' in line %u denies it",
			 deny->text, deny->at.line);
		report_error(reading->report, rule->at, hint, "`%s' can never match: it is denied",
			     rule->text);
		return;
	}
}

void
lint_grant(struct reading *reading, const struct source_grant *grant)
{
	for (size_t i = 0; i < grant->deny.n; i++)
		lint_shadow(reading, &grant->deny, i, deny_covers);
	for (size_t i = 0; i < grant->allow.n; i++) {
		lint_never(reading, &grant->allow.items[i]);
		lint_denied(reading, grant, &grant->allow.items[i]);
		lint_shadow(reading, &grant->allow, i, allow_covers);
	}
}
