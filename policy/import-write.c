/* SPDX-License-Identifier: ISC */
/* The policy's text, one rule in a line. */
#include <stdlib.h>

#include "policy/import-parts.h"

#define BYTES_PER_MBIT 125000ULL

struct writer {
	FILE *out;
	unsigned int line; /* that is written now */
};

static void
put(struct writer *w, const char *text)
{
	fputs(text, w->out);
	for (; *text; text++)
		w->line += *text == '\n';
}

static void
put_rules(struct writer *w, struct import *import, bool deny)
{
	bool first = true;

	put(w, deny ? "      \"deny\": [" : "      \"allow\": [");
	for (size_t i = 0; i < import->n; i++) {
		struct import_rule *rule = &import->rules[i];

		if (rule->deny != deny)
			continue;
		rule->line = 0;
		if (rule->left_out)
			continue;
		put(w, first ? "\n" : ",\n");
		first = false;
		rule->line = w->line;
		/* Patterns hold nothing that JSON escapes. */
		put(w, "        { \"to\": \"");
		put(w, rule->to);
		put(w, deny ? "\" }" : "\", \"protocols\": [\"tcp\", \"udp\", \"tls\"] }");
	}
	put(w, first ? "],\n" : "\n      ],\n");
}

static void
put_listen(struct writer *w, const struct import *import)
{
	char text[32];

	if (!import->bind_low)
		return;
	if (import->bind_low == import->bind_high)
		snprintf(text, sizeof(text), "%u", import->bind_low);
	else
		snprintf(text, sizeof(text), "%u-%u", import->bind_low, import->bind_high);
	put(w, "      \"listen\": { \"address\": \"127.0.0.1\", \"ports\": \"");
	put(w, text);
	put(w, "\", \"from\": [\"127.0.0.0/8\"], \"most\": 4 },\n");
}

static void
put_limits(struct writer *w, const struct import *import)
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
	put(w, text);
}

char *
import_write(struct import *import)
{
	char *text = NULL;
	size_t size;
	struct writer w = {open_memstream(&text, &size), 1};

	if (!w.out)
		return NULL;
	put(&w, "// A policy for sockward, made of one for wasmnet by `sockward policy import'.\n"
		"// What it said on standard error tells what is not the same.\n"
		"{\n"
		"  \"version\": 1,\n"
		"  \"hosts\": [\"127.0.0.1\", \"localhost\", \"[::1]\"],\n"
		"  \"dialects\": [\"wasmnet\"],\n"
		"  \"grants\": {\n"
		"    \"wasmnet\": {\n"
		"      \"auth\": \"none\",\n"
		"      \"origins\": [\"none\"],\n");
	put_rules(&w, import, false);
	put_rules(&w, import, true);
	put_listen(&w, import);
	put_limits(&w, import);
	put(&w, "    }\n"
		"  }\n"
		"}\n");
	if (ferror(w.out) | fclose(w.out)) {
		free(text);
		return NULL;
	}
	return text;
}
