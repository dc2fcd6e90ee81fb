/* SPDX-License-Identifier: ISC */
/* The front proxies that tell, by a PROXY header, who their clients are. */
#include <stdio.h>
#include <string.h>

#include "policy/reading.h"
#include "policy/special.h"
#include "policy/text.h"

static const char *
read_range(const char *text, struct ipc_range *out, char hint[HINT_SIZE])
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};
	struct source_range range;
	const char *wrong;

	if (strcmp(text, "unix") == 0) {
		*out = (struct ipc_range){.family = IPC_RANGE_UNIX};
		return NULL;
	}
	wrong = text_range(text, &range, hint);
	if (wrong)
		return wrong;
	snprintf(hint, HINT_SIZE, "list the addresses that your proxies connect from");
	if (range.bits == 0)
		return "these are all addresses there are";
	snprintf(hint, HINT_SIZE, "write it as IPv4, as 192.0.2.10");
	if (range.family == 6 && range.bits >= 96 && prefix_holds(mapped, 96, range.ip))
		return "this can never match";
	*out = (struct ipc_range){.family = range.family, .bits = range.bits};
	memcpy(out->ip, range.ip, sizeof(out->ip));
	return NULL;
}

static bool
is_inside(const struct ipc_range *outer, const struct ipc_range *inner)
{
	return outer->family == inner->family && outer->bits <= inner->bits &&
	       prefix_holds(outer->ip, outer->bits, inner->ip);
}

void
read_proxies(struct reading *reading, const struct json *json, void *into)
{
	struct policy_source *source = into;

	if (!read_list(reading, json, JSON_STRING, IPC_PROXIES, "`proxies'"))
		return;
	for (const struct json *at = json->first; at; at = at->next) {
		struct ipc_range *range = &source->proxies[source->n_proxies];
		char hint[HINT_SIZE];
		const char *wrong = read_range(at->text, range, hint);

		for (size_t i = 0; !wrong && i < source->n_proxies; i++) {
			snprintf(hint, sizeof(hint), "leave one of them out");
			if (is_inside(&source->proxies[i], range) ||
			    is_inside(range, &source->proxies[i]))
				wrong = "an earlier one shares addresses with it";
		}
		if (wrong)
			report_error(reading->report, at->at, hint, "`%s': %s", at->text, wrong);
		else
			source->n_proxies++;
	}
}
