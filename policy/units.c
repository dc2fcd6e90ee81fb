/* SPDX-License-Identifier: ISC */
#include "policy/units.h"

#include <string.h>

#include "ipc/words.h"
#include "policy/special.h"
#include "policy/special-table.h"
#include "policy/text.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define WIDTH       100

/* What the broker's unit lets through as it is installed. */
static const char *const shipped[] = {
#include "policy/wall-table.h"
};

/* The ranges of one rule, on their way out. */
struct ranges {
	const struct image_rule *rule;
	bool tight; /* the unit's own list is taken away */
	FILE *out;  /* or NULL: only count */
	size_t opened;
	size_t beyond; /* of these, what the unit's list does not have; all if tight */
	size_t column;
};

static bool
is_shipped(const struct source_range *range)
{
	struct source_range one;
	char hint[HINT_SIZE];

	for (size_t i = 0; i < COUNT(shipped); i++)
		if (!text_range(shipped[i], &one, hint) && one.family == range->family &&
		    one.bits <= range->bits && prefix_holds(one.ip, one.bits, range->ip))
			return true;
	return false;
}

/* Does a special-purpose block begin within it that is smaller? */
static bool
is_mixed(const struct source_range *range)
{
	for (size_t i = 0; i < COUNT(special_table); i++)
		if (special_table[i].family == range->family &&
		    special_table[i].bits > range->bits &&
		    prefix_holds(range->ip, range->bits, special_table[i].ip))
			return true;
	return false;
}

static void
put(struct ranges *ranges, const struct source_range *range)
{
	char text[64];
	size_t n;

	ranges->beyond++;
	if (!ranges->out)
		return;
	text_show_range(range, text);
	n = strlen(text) + 1;
	if (ranges->column == 0 || ranges->column + n > WIDTH) {
		ranges->column = (size_t)fprintf(ranges->out, "%sIPAddressAllow=%s",
						 ranges->column ? "\n" : "", text);
		return;
	}
	fprintf(ranges->out, " %s", text);
	ranges->column += n;
}

/* Halved until a part is of one block, or of none: at most once a bit. */
static void
walk(struct ranges *ranges, const struct source_range *range)
{
	const struct special_block *block;
	struct source_range half = *range;

	if (is_mixed(range)) {
		half.bits++;
		walk(ranges, &half);
		half.ip[range->bits / 8] |= (uint8_t)(0x80 >> range->bits % 8);
		walk(ranges, &half);
		return;
	}
	block = special_find(range->family, range->ip, range->bits);
	if (block && !rule_opens(ranges->rule, block))
		return;
	ranges->opened++;
	if (ranges->tight || !is_shipped(range))
		put(ranges, range);
}

static void
walk_rule(struct ranges *ranges)
{
	const struct image_rule *rule = ranges->rule;
	struct source_range range = {.family = rule->family, .bits = rule->bits};

	memcpy(range.ip, rule->ip, sizeof(range.ip));
	walk(ranges, &range);
	if (ranges->column)
		fputc('\n', ranges->out);
}

/* Text of a policy, in a comment of one line. */
static void
print_text(const char *text, FILE *out)
{
	for (; *text; text++)
		fputc(*text < ' ' || *text > '~' ? '?' : *text, out);
}

static void
print_place(const struct image_rule *rule, const char *file, FILE *out)
{
	fputs("# ", out);
	print_text(file, out);
	if (rule->line)
		fprintf(out, ":%u", rule->line);
	fputs(": ", out);
	print_text(rule->text, out);
	fputs(": ", out);
}

static const char *
sentence(const struct ranges *counted, bool again)
{
	if (counted->rule->protocols == PROTOCOL_LISTEN)
		return "where it listens needs nothing: who comes does";
	if (counted->rule->kind != RULE_PREFIX)
		return counted->rule->is_private
			       ? "by name; the unit's own list has private addresses, too"
			       : "by name; the unit's own list";
	if (counted->opened == 0)
		return "opens nothing";
	if (counted->beyond == 0)
		return "in the unit's own list";
	if (again)
		return "as above";
	return counted->tight ? "this" : "beyond the unit's own list";
}

/* Rules for several ports of one range. */
static bool
came_before(const struct image_rule *rules, uint32_t at)
{
	for (uint32_t i = 0; i < at; i++)
		if (rules[i].kind == RULE_PREFIX && rules[i].protocols != PROTOCOL_LISTEN &&
		    rules[i].family == rules[at].family && rules[i].bits == rules[at].bits &&
		    memcmp(rules[i].ip, rules[at].ip, sizeof(rules[i].ip)) == 0)
			return true;
	return false;
}

static void
print_grant(const struct policy *policy, const struct image_grant *grant, bool tight,
	    const char *file, FILE *out)
{
	/* What denies comes first, and needs nothing. */
	const struct image_rule *rules = policy->rules + grant->rules.at + grant->denies;

	for (uint32_t i = 0; i < grant->rules.n - grant->denies; i++) {
		struct ranges ranges = {.rule = &rules[i], .tight = tight};
		bool again = came_before(rules, i);

		if (rules[i].kind == RULE_PREFIX && rules[i].protocols != PROTOCOL_LISTEN)
			walk_rule(&ranges);
		print_place(&rules[i], file, out);
		fprintf(out, "%s\n", sentence(&ranges, again));
		ranges.out = out;
		if (ranges.beyond && !again)
			walk_rule(&ranges);
	}
}

static bool
is_tight(const struct policy *policy)
{
	for (uint32_t i = 0; i < policy->header->grants; i++) {
		const struct image_grant *grant = &policy->grants[i];

		for (uint32_t n = grant->denies; n < grant->rules.n; n++)
			if (policy->rules[grant->rules.at + n].kind != RULE_PREFIX)
				return false;
	}
	return true;
}

void
policy_units(const struct policy *policy, const char *file, FILE *out)
{
	bool tight = is_tight(policy);

	if (tight)
		fputs("# All rules are by address: the broker reaches these addresses and no "
		      "other.\n"
		      "[Service]\n"
		      "IPAddressAllow=\n"
		      "IPAddressDeny=any\n",
		      out);
	else
		fputs("# Some rules are by name, and a name may lead anywhere: the unit's own list "
		      "stays, which\n"
		      "# has all unicast addresses but those of links and beside metadata "
		      "services. A name that\n"
		      "# leads there is not reached; a rule for the range adds it here.\n"
		      "[Service]\n",
		      out);
	for (uint32_t i = 0; i < policy->header->grants; i++)
		print_grant(policy, &policy->grants[i], tight, file, out);
}
