/* SPDX-License-Identifier: ISC */
#include "policy/reading.h"

#include <stdio.h>
#include <string.h>

#include "ipc/words.h"
#include "policy/host.h"
#include "policy/text.h"

#define ALL_PROTOCOLS (PROTOCOL_TCP | PROTOCOL_UDP | PROTOCOL_TLS)

/* A rule while it is read. */
struct draft {
	struct source_rule *rule;
	struct place to; /* of the pattern */
};

static const char *
set_range(struct source_rule *rule, const char *text, char hint[HINT_SIZE])
{
	struct source_range range;
	const char *wrong = text_range(text, &range, hint);

	if (wrong)
		return wrong;
	rule->image.kind = RULE_PREFIX;
	rule->image.family = range.family;
	rule->image.bits = range.bits;
	memcpy(rule->image.ip, range.ip, sizeof(rule->image.ip));
	return NULL;
}

static const char *
set_name(struct reading *reading, struct source_rule *rule, const char *text, char hint[HINT_SIZE])
{
	bool suffix = strncmp(text, "*.", 2) == 0;
	char name[IPC_HOST + 1] = ".";
	const char *wrong;

	snprintf(hint, HINT_SIZE, "`*' stands alone, or before the first dot: *.example.com");
	if (strchr(text + suffix, '*'))
		return "a `*' is in the wrong place";
	wrong = text_name(text + (suffix ? 2 : 0), name + 1, hint);
	if (wrong && !suffix && strspn(text, "0123456789abcdefxABCDEFX.") == strlen(text))
		snprintf(hint, HINT_SIZE, "an IPv4 address is four numbers without leading zeros");
	if (wrong)
		return suffix ? wrong : "this is neither a name nor an address";
	rule->image.kind = suffix ? RULE_SUFFIX : RULE_NAME;
	rule->name = arena_text(reading->arena, name + !suffix, strlen(name + !suffix));
	return NULL;
}

/* @host: what stands before the port, brackets and all. */
static const char *
set_host(struct reading *reading, struct source_rule *rule, char *host, char hint[HINT_SIZE])
{
	size_t n = strlen(host);
	struct ipc_addr addr;
	char name[IPC_HOST];

	if (host[0] == '[') {
		snprintf(hint, HINT_SIZE,
			 "an IPv6 address is [::1]:443, a range [2001:db8::/32]:443");
		if (host[n - 1] != ']' || !strchr(host, ':'))
			return "this is no IPv6 address in brackets";
		host[n - 1] = '\0';
		return set_range(rule, host + 1, hint);
	}
	if (strcmp(host, "*") == 0) {
		rule->image.kind = RULE_ANY;
		return NULL;
	}
	if (strchr(host, '/') || (n < IPC_HOST && policy_host(host, name, &addr) == HOST_ADDRESS))
		return set_range(rule, host, hint);
	return set_name(reading, rule, host, hint);
}

static const char *
set_pattern(struct reading *reading, struct source_rule *rule, const char *text,
	    char hint[HINT_SIZE])
{
	const char *colon = strrchr(text, ':');
	const char *wrong;
	char host[IPC_RULE];
	size_t n;

	snprintf(hint, HINT_SIZE, "a rule fits 127 bytes; in longer names, use *.SUFFIX");
	if (strlen(text) >= IPC_RULE)
		return "this is too long";
	snprintf(hint, HINT_SIZE, "write HOST:PORT, as example.com:443, or example.com:* for all");
	if (!colon || colon == text || strchr(colon, ']'))
		return "the port is missing";
	n = (size_t)(colon - text);
	memcpy(host, text, n);
	host[n] = '\0';
	if (text[0] != '[' && strchr(host, ':')) {
		snprintf(hint, HINT_SIZE,
			 "IPv6 stands in brackets: [2001:db8::1]:443, [2001:db8::/32]:443");
		return "there are too many colons";
	}
	wrong = text_ports(colon + 1, &rule->image.port_low, &rule->image.port_high, hint);
	return wrong ? wrong : set_host(reading, rule, host, hint);
}

static void
read_to(struct reading *reading, const struct json *json, void *into)
{
	struct draft *draft = into;
	char hint[HINT_SIZE];
	const char *wrong;

	draft->to = json->at;
	if (!read_is(reading, json, JSON_STRING, "`to'"))
		return;
	draft->rule->text = json->text;
	wrong = set_pattern(reading, draft->rule, json->text, hint);
	if (wrong)
		report_error(reading->report, json->at, hint, "`%s': %s", json->text, wrong);
}

static void
read_protocols(struct reading *reading, const struct json *json, void *into)
{
	static const char *const words[] = {"tcp", "udp", "tls"};
	struct image_rule *rule = &((struct draft *)into)->rule->image;

	if (!read_list(reading, json, JSON_STRING, 3, "`protocols'"))
		return;
	if (json->n == 0)
		report_error(reading->report, json->at, "list tcp, udp or tls",
			     "a rule for no protocol can never match");
	for (const struct json *at = json->first; at; at = at->next) {
		unsigned int i = 0;

		while (i < 3 && strcmp(words[i], at->text) != 0)
			i++;
		if (i == 3)
			report_error(reading->report, at->at, "there are tcp, udp and tls",
				     "there is no protocol `%s'", at->text);
		else if (rule->protocols & 1U << i)
			report_error(reading->report, at->at, "leave one of them out",
				     "`%s' stands here for the second time", at->text);
		else
			rule->protocols = (uint8_t)(rule->protocols | 1U << i);
	}
}

static void
read_private(struct reading *reading, const struct json *json, void *into)
{
	struct draft *draft = into;
	bool is_private = false;

	read_bool(reading, json, &is_private);
	draft->rule->image.is_private = is_private;
}

static void
check_private(struct reading *reading, const struct json *json, const struct source_rule *rule)
{
	if (!rule->image.is_private)
		return;
	if (rule->image.kind == RULE_ANY)
		report_error(reading->report, json->at,
			     "name the hosts or the ranges that may be private",
			     "`private' cannot stand with `*'");
	if (rule->image.kind == RULE_PREFIX)
		report_error(reading->report, json->at,
			     "leave it out: a range opens the private addresses that it names",
			     "`private' is for names");
}

static const struct field rule_fields[] = {
	{"to", "write \"to\": \"HOST:PORT\"", read_to},
	{"protocols", "list what it allows: [\"tcp\"], and \"udp\" or \"tls\" where wanted",
	 read_protocols},
	{"private", NULL, read_private},
};

static const struct field deny_fields[] = {
	{"to", "write \"to\": \"HOST:PORT\"", read_to},
	{"protocols", NULL, read_protocols},
};

static void
read_rules(struct reading *reading, const struct json *json, struct source_rules *rules, bool deny)
{
	if (!read_list(reading, json, JSON_OBJECT, RULES_MOST, deny ? "`deny'" : "`allow'"))
		return;
	rules->items = arena_take(reading->arena, json->n, sizeof(*rules->items));
	for (const struct json *at = json->first; at; at = at->next) {
		struct source_rule *rule = &rules->items[rules->n];
		struct draft draft = {.rule = rule};
		size_t before = reading->report->errors;

		/* The place may hold what is left of a wrong rule. */
		*rule = (struct source_rule){.at = at->at, .text = "", .name = ""};
		read_object(reading, at, "a rule", deny ? deny_fields : rule_fields, deny ? 2 : 3,
			    &draft);
		check_private(reading, at, rule);
		if (reading->report->errors != before)
			continue;
		/* A deny rule without protocols means all of them. */
		if (rule->image.protocols == 0)
			rule->image.protocols = ALL_PROTOCOLS;
		rule->at = draft.to;
		rule->image.line = (uint16_t)draft.to.line;
		rules->n++;
	}
}

void
read_allow(struct reading *reading, const struct json *json, void *into)
{
	read_rules(reading, json, into, false);
}

void
read_deny(struct reading *reading, const struct json *json, void *into)
{
	read_rules(reading, json, into, true);
}
