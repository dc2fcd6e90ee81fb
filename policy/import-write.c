/* SPDX-License-Identifier: ISC */
/* The policy's text, one rule in a line. */
#include <stdlib.h>

#include "policy/import-parts.h"

#define BYTES_PER_MBIT 125000ULL

void
import_put(struct import_writer *w, const char *text)
{
	fputs(text, w->out);
	for (; *text; text++)
		w->line += *text == '\n';
}

static void
put_protocols(struct import_writer *w, const struct import_rule *rule)
{
	static const char *const words[] = {"\"tcp\"", "\"udp\"", "\"tls\""};
	bool first = true;

	for (unsigned int i = 0; i < 3; i++) {
		if (!(rule->protocols & 1U << i))
			continue;
		import_put(w, first ? "" : ", ");
		import_put(w, words[i]);
		first = false;
	}
}

void
import_put_rules(struct import_writer *w, struct import *import, bool deny)
{
	bool first = true;

	import_put(w, deny ? "      \"deny\": [" : "      \"allow\": [");
	for (size_t i = 0; i < import->n; i++) {
		struct import_rule *rule = &import->rules[i];

		if (rule->deny != deny)
			continue;
		rule->line = 0;
		if (rule->left_out)
			continue;
		import_put(w, first ? "\n" : ",\n");
		first = false;
		rule->line = w->line;
		/* Patterns hold nothing that JSON escapes. */
		import_put(w, "        { \"to\": \"");
		import_put(w, rule->to);
		import_put(w, deny ? "\"" : "\", \"protocols\": [");
		if (!deny)
			put_protocols(w, rule);
		import_put(w, deny ? " }" : rule->is_private ? "], \"private\": true }" : "] }");
	}
	import_put(w, first ? "],\n" : "\n      ],\n");
}

static void
put_listen(struct import_writer *w, const struct import *import)
{
	char text[32];

	if (!import->bind_low)
		return;
	if (import->bind_low == import->bind_high)
		snprintf(text, sizeof(text), "%u", import->bind_low);
	else
		snprintf(text, sizeof(text), "%u-%u", import->bind_low, import->bind_high);
	import_put(w, "      \"listen\": { \"address\": \"127.0.0.1\", \"ports\": \"");
	import_put(w, text);
	import_put(w, "\", \"from\": [\"127.0.0.0/8\"], \"most\": 4 },\n");
}

static void
put_limits(struct import_writer *w, const struct import *import)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "      \"limits\": {\n"
		 "        \"channels\": %u,\n"
		 "        \"connects_per_minute\": 0,\n"
		 "        \"bytes_per_minute\": %llu,\n"
		 "        \"bytes_per_second\": %llu,\n"
		 "        \"connect_timeout\": \"%us\",\n"
		 "        \"idle_timeout\": 0,\n"
		 "        \"session_timeout\": 0\n"
		 "      }\n",
		 import->channels, (unsigned long long)(import->mbps * BYTES_PER_MBIT * 60),
		 (unsigned long long)(import->mbps * BYTES_PER_MBIT), import->connect_timeout_s);
	import_put(w, text);
}

char *
import_write(struct import *import)
{
	char *text = NULL;
	size_t size;
	struct import_writer w = {open_memstream(&text, &size), 1};

	if (!w.out)
		return NULL;
	import_put(
		&w,
		"// A policy for sockward, made of one for wasmnet by `sockward policy import'.\n"
		"// What it said on standard error tells what is not the same.\n"
		"{\n"
		"  \"version\": 1,\n"
		"  \"hosts\": [\"127.0.0.1\", \"localhost\", \"[::1]\"],\n"
		"  \"dialects\": [\"wasmnet\"],\n"
		"  \"grants\": {\n"
		"    \"wasmnet\": {\n"
		"      \"auth\": \"none\",\n"
		"      \"origins\": [\"none\"],\n");
	import_put_rules(&w, import, false);
	import_put_rules(&w, import, true);
	put_listen(&w, import);
	put_limits(&w, import);
	import_put(&w, "    }\n"
		       "  }\n"
		       "}\n");
	if (ferror(w.out) | fclose(w.out)) {
		free(text);
		return NULL;
	}
	return text;
}
