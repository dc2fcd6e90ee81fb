/* SPDX-License-Identifier: ISC */
#include "policy/import.h"

#include <stdlib.h>
#include <string.h>

#include "policy/import-parts.h"
#include "policy/json.h"
#include "policy/read.h"
#include "policy/text.h"

#define CHANNELS_MOST IMAGE_CHANNELS
#define TIMEOUT_MOST  600U     /* seconds */
#define MBPS_MOST     1000000U /* what is more is no limit to a network */

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const struct toml_string deny_default[] = {
	{{0, 0}, "10.0.0.0/8"},  {{0, 0}, "172.16.0.0/12"},  {{0, 0}, "192.168.0.0/16"},
	{{0, 0}, "127.0.0.0/8"}, {{0, 0}, "169.254.0.0/16"},
};
static const struct toml_string allow_default[] = {{{0, 0}, "*"}};
static const struct toml_string ports_default[] = {{{0, 0}, "3000-9999"}};

static const struct {
	const char *key;
	enum toml_kind kind;
	const char *is;
} keys[] = {
	{"deny", TOML_LIST, "a list of strings"},
	{"allow", TOML_LIST, "a list of strings"},
	{"bind_ports", TOML_STRING, "a string"},
	{"max_connections", TOML_NUMBER, "a whole number"},
	{"max_bandwidth_mbps", TOML_NUMBER, "a whole number"},
	{"connection_timeout_secs", TOML_NUMBER, "a whole number"},
};

static const struct toml_member *
find(const struct import *import, const char *key)
{
	for (size_t i = 0; i < import->toml.n; i++) {
		if (strcmp(import->toml.members[i].key, key) == 0)
			return &import->toml.members[i];
	}
	return NULL;
}

static void
check_keys(struct import *import)
{
	for (size_t i = 0; i < import->toml.n; i++) {
		const struct toml_member *member = &import->toml.members[i];
		size_t k = 0;

		while (k < COUNT(keys) && strcmp(keys[k].key, member->key) != 0)
			k++;
		if (k == COUNT(keys))
			import_note(import, member->at.line,
				    "`%s' is left out: wasmnet takes no notice of it either",
				    member->key);
		else if (keys[k].kind != member->kind)
			import_wrong(import, member->value_at, "`%s' must be %s", member->key,
				     keys[k].is);
	}
}

/* --- single values ----------------------------------------------------------------------- */

/* A number from 1 to @most, whatever is written; 0 is told by @zero, or may be if NULL. */
static uint32_t
number(struct import *import, const char *key, uint32_t usual, uint32_t most, const char *zero)
{
	const struct toml_member *member = find(import, key);

	if (!member)
		return usual;
	if (!member->number && zero)
		import_wrong(import, member->value_at, "`%s' is 0: %s", key, zero);
	if (member->number > most) {
		import_note(import, member->at.line, "stricter: `%s' is %u, which is the most here",
			    key, most);
		return most;
	}
	return (uint32_t)member->number;
}

/* A number with blanks around it. */
static bool
read_port(const char *text, size_t n, uint32_t *port)
{
	while (n && *text == ' ') {
		text++;
		n--;
	}
	while (n && text[n - 1] == ' ')
		n--;
	return text_number(text, n, UINT16_MAX, port);
}

static bool
read_ports(const char *part, size_t n, uint32_t *low, uint32_t *high)
{
	const char *dash = memchr(part, '-', n);
	size_t before = dash ? (size_t)(dash - part) : n;

	if (!read_port(part, before, low))
		return false;
	*high = *low;
	return !dash || read_port(dash + 1, n - before - 1, high);
}

/* One range can be carried over: the widest. */
static void
read_bind_ports(struct import *import)
{
	const struct toml_member *member = find(import, "bind_ports");
	const struct toml_string *text = member ? member->strings : ports_default;
	unsigned int line = text->at.line;
	size_t n;

	for (const char *at = text->text; *at; at += n + (at[n] == ',')) {
		uint32_t low, high;

		n = strcspn(at, ",");
		if (!read_ports(at, n, &low, &high)) {
			import_note(import, line, "`%.*s' is left out: it is no range of ports",
				    (int)(n < 64 ? n : 64), at);
			continue;
		}
		low = low ? low : 1;
		if (low > high)
			continue;
		if (import->bind_low && high - low <= import->bind_high - import->bind_low)
			continue;
		import->bind_low = low;
		import->bind_high = high;
	}
	if (strchr(text->text, ',') && import->bind_low)
		import_note(import, line,
			    "stricter: `listen' has one range of ports: %u-%u, the widest",
			    import->bind_low, import->bind_high);
	if (import->bind_low)
		import_note(import, line,
			    "stricter: `listen' is for 127.0.0.1, and for clients from there, 4 "
			    "listeners a session; wasmnet listens wherever the client asks, for "
			    "everybody");
}

/* --- rules ---------------------------------------------------------------------------------- */

static void
read_list(struct import *import, const char *key, const struct toml_string *usual, size_t n_usual)
{
	const struct toml_member *member = find(import, key);

	import_rules(import, member ? member->strings : usual, member ? member->n : n_usual,
		     strcmp(key, "deny") == 0);
}

static void
read_rules(struct import *import)
{
	/* Each makes two at most. */
	import->most = COUNT(deny_default) + COUNT(allow_default);
	for (size_t i = 0; i < import->toml.n; i++)
		import->most += 2 * import->toml.members[i].n;
	import->rules = arena_take(&import->arena, import->most, sizeof(*import->rules));
	read_list(import, "deny", deny_default, COUNT(deny_default));
	read_list(import, "allow", allow_default, COUNT(allow_default));
	/* `deny = ["*"]' means that only what is named is allowed. */
	for (size_t i = 0; import->deny_all && i < import->n; i++) {
		struct import_rule *rule = &import->rules[i];

		if (rule->deny || strcmp(rule->to, "*:*") != 0)
			continue;
		rule->left_out = true;
		import_note(import, rule->from, "`*' is left out: `deny' has `*' too, which wins");
	}
}

static struct import_rule *
rule_at(struct import *import, unsigned int line)
{
	for (size_t i = 0; i < import->n; i++) {
		if (line && import->rules[i].line == line)
			return &import->rules[i];
	}
	return NULL;
}

/*
 * Leaves out the rules that a policy may not have since they say nothing. What is wrong
 * otherwise fails the import.
 */
static void
leave_out(struct import *import, const struct report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		const struct report_entry *entry = &report->entries[i];
		struct import_rule *rule = rule_at(import, entry->at.line);
		struct place from = {rule ? rule->from : 0, 1};

		if (entry->at.line == import->token.line)
			from = import->token.from;
		else if (entry->at.line == import->origins.line)
			from = import->origins.from;
		if (entry->note || (rule && rule->left_out))
			continue;
		if (!rule || (rule->deny && !strstr(entry->text, "is shadowed"))) {
			import_wrong(import, from, "%s", entry->text);
			continue;
		}
		import_note(import, rule->from, "left out: %s", entry->text);
		rule->left_out = true;
	}
}

/* Each round has fewer rules. */
char *
import_sound(struct import *import)
{
	for (;;) {
		struct report report = {0};
		char *text = import->write(import);
		struct policy_source *source = NULL;

		if (!text) {
			import_wrong(import, (struct place){0, 0}, "memory is short");
			return NULL;
		}
		source = policy_read(text, strlen(text), &report);
		if (source) {
			policy_free(source);
			return text;
		}
		free(text);
		leave_out(import, &report);
		if (import->failed)
			return NULL;
	}
}

/* --- what holds for the policy as a whole ------------------------------------------------------
 */

/* Is there a rule that allows, and looks so? */
static bool
allows(const struct import *import, bool (*looks)(const char *to))
{
	for (size_t i = 0; i < import->n; i++) {
		const struct import_rule *rule = &import->rules[i];

		if (!rule->deny && !rule->left_out && looks(rule->to))
			return true;
	}
	return false;
}

static bool
all_ports(const char *to)
{
	return strcmp(to + strlen(to) - 2, ":*") == 0;
}

static bool
everything(const char *to)
{
	return strcmp(to, "*:*") == 0;
}

static bool
a_range(const char *to)
{
	return to[0] == '[' || strspn(to, "0123456789./") == strcspn(to, ":");
}

static bool
a_name(const char *to)
{
	return !everything(to) && !a_range(to);
}

static void
tell_all(const struct import *import)
{
	import_note(import, 0,
		    "stricter: `hosts' are 127.0.0.1, localhost and [::1]: add the names that "
		    "clients reach the server by");
	import_note(import, 0,
		    "stricter: `origins' admits programs, and no page: list the pages that may use "
		    "it, or give the grant tokens; wasmnet serves every page");
	if (allows(import, everything))
		import_note(
			import, 0,
			"stricter: `*' opens no special-purpose addresses, as private ones, and "
			"no names of the inner network, as printer.lan: those need rules that name "
			"them");
	if (allows(import, a_name) || allows(import, everything))
		import_note(import, 0,
			    "stricter: a name leads to no private address unless its rule has "
			    "\"private\": true");
	if (allows(import, all_ports))
		import_note(import, 0,
			    "stricter: closed ports, as 22, 25, 53 or 5432, need a rule of that "
			    "single port");
	if (allows(import, a_range))
		import_note(
			import, 0,
			"looser: addresses and ranges in `allow' are reached by names that lead "
			"there, too; in wasmnet by number alone");
	if (import->mbps)
		import_note(import, 0,
			    "stricter: more than the bandwidth of a minute, %llu bytes, ends "
			    "connections, where wasmnet slows them down",
			    (unsigned long long)import->mbps * 125000ULL * 60);
	import_note(
		import, 0,
		"stricter: `explain' is false, so that refusals look alike to the client, and a "
		"message has at most 1 MiB");
	import_note(import, 0,
		    "stricter: datagrams have `datagrams_per_minute' and `reply_ratio', with what "
		    "is usual here");
	import_note(import, 0,
		    "as in wasmnet, nothing limits connects_per_minute, idle_timeout and "
		    "session_timeout: consider it");
}

int
import_wasmnet(const char *text, size_t size, const char *file, FILE *out, FILE *notes)
{
	struct import *import = calloc(1, sizeof(*import));
	struct report report = {0};
	char *policy = NULL;
	int result = -1;

	if (!import)
		return -1;
	import->file = file;
	import->notes = notes;
	import->failed = !toml_read(text, size, "network", &import->arena, &import->toml, &report);
	report_print(&report, file, notes);
	if (!import->failed)
		check_keys(import);
	if (import->failed)
		goto out;
	import->channels = number(import, "max_connections", 50, CHANNELS_MOST,
				  "there would be no connections");
	import->mbps = number(import, "max_bandwidth_mbps", 10, MBPS_MOST, NULL);
	import->connect_timeout_s = number(import, "connection_timeout_secs", 30, TIMEOUT_MOST,
					   "there would be no time to connect");
	read_rules(import);
	if (import->failed)
		goto out;
	read_bind_ports(import);
	import->write = import_write;
	policy = import_sound(import);
	if (!policy)
		goto out;
	tell_all(import);
	if (fputs(policy, out) >= 0 && fflush(out) == 0)
		result = 0;
	else
		import_wrong(import, (struct place){0, 0}, "the policy cannot be written");
out:
	free(policy);
	arena_free(&import->arena);
	free(import);
	return result;
}
