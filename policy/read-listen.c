/* SPDX-License-Identifier: ISC */
/*
 * What a grant has beyond destinations: where it may listen, and who may come; and a
 * bridge, which no program of this version serves. That is read as strictly as the
 * rest, so that a policy does not change its meaning later.
 */
#include <string.h>

#include "policy/reading.h"
#include "policy/special.h"
#include "policy/text.h"

#define BRIDGE_MOST 15 /* IFNAMSIZ - 1 */

static void
wrong_text(struct reading *reading, const struct json *json, const char *wrong, const char *hint)
{
	report_error(reading->report, json->at, hint, "`%s': %s", json->text, wrong);
}

/* The unspecified address is one of these: where a grant listens, the policy says. */
static bool
never(const struct source_range *range)
{
	const struct special_block *block = special_find(range->family, range->ip, range->bits);

	return block && block->class == BLOCK_NEVER;
}

static void
read_address(struct reading *reading, const struct json *json, void *into)
{
	struct source_listen *listen = into;
	struct source_range range;
	char hint[HINT_SIZE];
	const char *wrong;

	if (!read_is(reading, json, JSON_STRING, "`address'"))
		return;
	wrong = text_range(json->text, &range, hint);
	if (!wrong && strchr(json->text, '/'))
		wrong = "this is a range, not an address";
	if (wrong)
		wrong_text(reading, json, wrong, "an address is 127.0.0.1 or ::1");
	else if (never(&range))
		wrong_text(reading, json, "nobody can listen there",
			   "name one address of this host");
	else
		listen->address = range;
}

static void
read_ports(struct reading *reading, const struct json *json, void *into)
{
	struct source_listen *listen = into;
	char hint[HINT_SIZE];
	const char *wrong;

	if (!read_is(reading, json, JSON_STRING, "`ports'"))
		return;
	wrong = text_ports(json->text, &listen->port_low, &listen->port_high, hint);
	if (wrong)
		wrong_text(reading, json, wrong, hint);
}

static void
read_from(struct reading *reading, const struct json *json, void *into)
{
	struct source_listen *listen = into;

	if (!read_list(reading, json, JSON_STRING, RANGES_MOST, "`from'"))
		return;
	if (json->n == 0)
		report_error(reading->report, json->at, "list the ranges that may connect",
			     "nobody may connect");
	listen->from = arena_take(reading->arena, json->n, sizeof(*listen->from));
	for (const struct json *at = json->first; at; at = at->next) {
		char hint[HINT_SIZE];
		const char *wrong = text_range(at->text, &listen->from[listen->n_from], hint);

		if (wrong)
			wrong_text(reading, at, wrong, hint);
		else
			listen->n_from++;
	}
}

static void
read_most(struct reading *reading, const struct json *json, void *into)
{
	struct source_listen *listen = into;

	if (json->kind == JSON_NUMBER && json->whole && json->number >= 1 && json->number <= 1024)
		listen->most = (uint32_t)json->number;
	else
		report_error(reading->report, json->at, "1 to 1024", "`most' is out of range");
}

void
read_listen(struct reading *reading, const struct json *json, void *into)
{
	static const struct field fields[] = {
		{"address", "the address to listen on, as \"127.0.0.1\"", read_address},
		{"ports", "the ports that may be taken, as \"3000-9999\"", read_ports},
		{"from", "the ranges that may connect, as [\"127.0.0.0/8\"]", read_from},
		{"most", "how many listeners a session may have, as 4", read_most},
	};
	struct source_grant *grant = into;

	read_object(reading, json, "`listen'", fields, 4, &grant->listen);
	grant->listen.present = true;
}

static void
read_bridge(struct reading *reading, const struct json *json, void *into)
{
	struct source_grant *grant = into;
	size_t n;

	if (!read_is(reading, json, JSON_STRING, "`bridge'"))
		return;
	n = strlen(json->text);
	if (n == 0 || n > BRIDGE_MOST || strcmp(json->text, ".") == 0 ||
	    strcmp(json->text, "..") == 0 ||
	    strspn(json->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			       "._-") != n)
		wrong_text(reading, json, "this is no name of an interface",
			   "1 to 15 letters, digits, dots, hyphens and underscores");
	else
		grant->bridge = json->text;
}

void
read_ethernet(struct reading *reading, const struct json *json, void *into)
{
	static const struct field fields[] = {
		{"bridge", "the bridge that sessions are put on, as \"sw-demo\"", read_bridge},
	};

	read_object(reading, json, "`ethernet'", fields, 1, into);
	report_note(reading->report, json->key_at, NULL, "`%s' is not served by this version",
		    json->key);
}
