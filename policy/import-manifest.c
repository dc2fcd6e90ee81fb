/* SPDX-License-Identifier: ISC */
/*
 * webnetstack's manifest: JSON with a token, origins, destinations and limits. Its README
 * is all that describes it, so what stands there is read, and nothing is guessed: what
 * is unknown is left out with a note, or fails.
 */
#include "policy/import.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/words.h"
#include "policy/host.h"
#include "policy/image.h"
#include "policy/import-parts.h"
#include "policy/json.h"
#include "policy/special.h"
#include "policy/text.h"

#define MESSAGE_LEAST 256
#define MESSAGE_MOST  (64U << 20)
#define TIME_LEAST    100
#define TIME_MOST     (30ULL * 24 * 3600 * 1000)

struct import_manifest {
	char token[BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE) + 1]; /* its hash */
	const struct json *origins;
	uint64_t payload; /* of this and the next three 0: not there */
	uint64_t channels;
	uint64_t idle_ms;
	uint64_t session_ms;
};

static const struct json *
member(struct import *import, const struct json *object, const char *key, enum json_kind kind)
{
	for (const struct json *at = object->first; at; at = at->next) {
		if (strcmp(at->key, key) != 0)
			continue;
		if (at->kind == kind)
			return at;
		import_wrong(import, at->at, "`%s' must be %s", key, json_kind_name(kind));
		return NULL;
	}
	return NULL;
}

static void
read_token(struct import *import, const struct json *top, struct import_manifest *out)
{
	const struct json *token = member(import, top, "token", JSON_STRING);
	uint8_t hash[SHA256_DIGEST_SIZE];
	struct sha256_ctx context;

	if (import->failed)
		return;
	if (!token || !token->text[0]) {
		import_wrong(import, token ? token->at : top->at,
			     "`token' is missing or empty: without one everybody could use the "
			     "grant");
		return;
	}
	import->token.from = token->at;
	sha256_init(&context);
	sha256_update(&context, strlen(token->text), (const uint8_t *)token->text);
	sha256_digest(&context, sizeof(hash), hash);
	base16_encode_update(out->token, sizeof(hash), hash);
}

static void
read_origins(struct import *import, const struct json *top, struct import_manifest *out)
{
	out->origins = member(import, top, "allowOrigins", JSON_ARRAY);
	if (!import->failed && (!out->origins || !out->origins->n))
		import_wrong(import, out->origins ? out->origins->at : top->at,
			     "`allowOrigins' is missing or empty: no page could use the grant");
	if (out->origins)
		import->origins.from = out->origins->at;
	for (const struct json *at = out->origins ? out->origins->first : NULL; at; at = at->next) {
		if (at->kind != JSON_STRING)
			import_wrong(import, at->at, "an origin must be a string");
		else if (strchr(at->text, '"') || strchr(at->text, '\\') || strchr(at->text, '*'))
			import_wrong(import, at->at, "`%s' is no origin", at->text);
	}
}

/* From @least to @most, whatever is written; what is 0 nobody knows. */
static uint64_t
read_limit(struct import *import, const struct json *top, const char *key, uint64_t least,
	   uint64_t most)
{
	const struct json *limit = member(import, top, key, JSON_NUMBER);

	if (!limit)
		return 0;
	if (!limit->whole || !limit->number) {
		import_wrong(import, limit->at, "`%s' must be a whole number, and not 0", key);
		return 0;
	}
	if (limit->number > most) {
		import_note(import, limit->at.line,
			    "stricter: `%s' is %llu, which is the most here", key,
			    (unsigned long long)most);
		return most;
	}
	if (limit->number < least) {
		import_note(import, limit->at.line, "looser: `%s' is %llu, which is the least here",
			    key, (unsigned long long)least);
		return least;
	}
	return limit->number;
}

static uint8_t
read_protocols(struct import *import, const struct json *destination)
{
	const struct json *list = member(import, destination, "protocols", JSON_ARRAY);
	uint8_t bits = 0;

	for (const struct json *at = list ? list->first : NULL; at; at = at->next) {
		if (at->kind != JSON_STRING)
			import_wrong(import, at->at, "a protocol must be a string");
		else if (strcmp(at->text, "tcp") == 0)
			bits |= PROTOCOL_TCP;
		else if (strcmp(at->text, "udp") == 0)
			bits |= PROTOCOL_UDP;
		else
			import_note(import, at->at.line,
				    "`%s' is left out: what it allows is not known here", at->text);
	}
	if (!bits && !import->failed)
		import_note(import, destination->at.line,
			    "left out: it names neither `tcp' nor `udp'");
	return bits;
}

/* Its rule; false when there is none. */
static bool
read_destination(struct import *import, const struct json *at, struct import_rule *rule)
{
	const struct json *host, *port;
	char name[IPC_HOST], hint[HINT_SIZE];
	struct ipc_addr addr;
	const char *wrong;
	int kind = HOST_INVALID;
	bool six;

	if (at->kind != JSON_OBJECT) {
		import_wrong(import, at->at, "a destination is {host, port, protocols}");
		return false;
	}
	host = member(import, at, "host", JSON_STRING);
	port = member(import, at, "port", JSON_NUMBER);
	if (!host || !port || !port->whole || port->number < 1 || port->number > UINT16_MAX) {
		import_wrong(import, port ? port->at : at->at,
			     "a destination has a host, and a port from 1 to 65535");
		return false;
	}
	wrong = text_host(host->text, &kind, name, &addr, hint);
	if (wrong) {
		import_wrong(import, host->at, "`%s': %s", host->text, wrong);
		return false;
	}
	six = kind == HOST_ADDRESS && addr.family == 6;
	if (strlen(host->text) > sizeof(rule->to) - sizeof("[]:65535")) {
		import_wrong(import, host->at, "it is too long: a rule has at most 127 bytes");
		return false;
	}
	snprintf(rule->to, sizeof(rule->to), "%s%s%s:%u", six ? "[" : "", host->text,
		 six ? "]" : "", (unsigned int)port->number);
	rule->from = at->at.line;
	rule->is_private = kind == HOST_NAME && special_name(name);
	rule->protocols = read_protocols(import, at);
	return rule->protocols;
}

static void
read_destinations(struct import *import, const struct json *top)
{
	const struct json *list = member(import, top, "destinations", JSON_ARRAY);

	if (!list || import->failed)
		return;
	import->most = list->n;
	import->rules = arena_take(&import->arena, list->n + 1, sizeof(*import->rules));
	for (const struct json *at = list->first; at && !import->failed; at = at->next) {
		if (read_destination(import, at, &import->rules[import->n]))
			import->n++;
		else
			memset(&import->rules[import->n], 0, sizeof(*import->rules));
	}
}

static void
check_keys(const struct import *import, const struct json *top)
{
	static const char *const known[] = {
		"token",           "allowOrigins",          "destinations",
		"maxPayloadBytes", "maxChannelsPerSession", "idleTimeoutMs",
		"sessionTimeoutMs"};

	for (const struct json *at = top->first; at; at = at->next) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], at->key) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			import_note(import, at->key_at.line,
				    "`%s' is left out: what it means is not known here", at->key);
	}
}

static void
put_limit(struct import_writer *w, const char *key, uint64_t number, const char *unit)
{
	char text[80];

	if (!number)
		return;
	snprintf(text, sizeof(text), "        \"%s\": %s%llu%s%s,\n", key, *unit ? "\"" : "",
		 (unsigned long long)number, unit, *unit ? "\"" : "");
	import_put(w, text);
}

static char *
write_manifest(struct import *import)
{
	const struct import_manifest *manifest = import->manifest;
	char *text = NULL;
	size_t size;
	struct import_writer w = {open_memstream(&text, &size), 1};

	if (!w.out)
		return NULL;
	import_put(&w, "// A policy for sockward, made of a manifest of webnetstack by `sockward "
		       "policy import'.\n"
		       "// What it said on standard error tells what is not the same.\n"
		       "{\n"
		       "  \"version\": 1,\n"
		       "  \"hosts\": [\"127.0.0.1\", \"localhost\", \"[::1]\"],\n"
		       "  \"dialects\": [\"webnetstack\"],\n"
		       "  \"grants\": {\n"
		       "    \"webnetstack\": {\n"
		       "      \"auth\": { \"tokens\": [\"sha256:");
	import->token.line = w.line;
	import_put(&w, manifest->token);
	import_put(&w, "\"] },\n      \"origins\": [");
	import->origins.line = w.line;
	for (const struct json *at = manifest->origins->first; at; at = at->next) {
		import_put(&w, at == manifest->origins->first ? "\"" : ", \"");
		import_put(&w, at->text);
		import_put(&w, "\"");
	}
	import_put(&w, "],\n");
	import_put_rules(&w, import, false);
	import_put(&w, "      \"limits\": {\n");
	put_limit(&w, "channels", manifest->channels, "");
	put_limit(&w, "message_bytes", manifest->payload, "");
	put_limit(&w, "idle_timeout", manifest->idle_ms, "ms");
	put_limit(&w, "session_timeout", manifest->session_ms, "ms");
	import_put(&w, "        \"connects_per_minute\": 0\n"
		       "      }\n"
		       "    }\n"
		       "  }\n"
		       "}\n");
	if (ferror(w.out) | fclose(w.out)) {
		free(text);
		return NULL;
	}
	return text;
}

static void
tell_all(const struct import *import)
{
	import_note(import, 0,
		    "`webnetstack' is served by no program of this version: add the dialects "
		    "that your pages speak to `dialects'");
	import_note(import, 0,
		    "stricter: `hosts' are 127.0.0.1, localhost and [::1]: add the names that "
		    "clients reach the server by");
	import_note(import, 0,
		    "stricter: a name leads to no private address unless its rule has "
		    "\"private\": true; here names of the inner network have it");
	import_note(import, 0,
		    "stricter: `explain' is false, so that refusals look alike to the client");
	import_note(import, 0,
		    "stricter: datagrams have `datagrams_per_minute' and `reply_ratio', with what "
		    "is usual here");
	import_note(import, 0,
		    "as in webnetstack, nothing limits connects_per_minute and "
		    "bytes_per_minute: consider it");
}

static void
read_manifest(struct import *import, const struct json *top, struct import_manifest *out)
{
	check_keys(import, top);
	read_token(import, top, out);
	read_origins(import, top, out);
	out->payload = read_limit(import, top, "maxPayloadBytes", MESSAGE_LEAST, MESSAGE_MOST);
	out->channels = read_limit(import, top, "maxChannelsPerSession", 1, IMAGE_CHANNELS);
	out->idle_ms = read_limit(import, top, "idleTimeoutMs", TIME_LEAST, TIME_MOST);
	out->session_ms = read_limit(import, top, "sessionTimeoutMs", TIME_LEAST, TIME_MOST);
	read_destinations(import, top);
}

int
import_webnetstack(const char *text, size_t size, const char *file, FILE *out, FILE *notes)
{
	struct import_manifest manifest = {0};
	struct import import = {
		.file = file, .notes = notes, .write = write_manifest, .manifest = &manifest};
	struct report report = {0};
	const struct json *top = json_read(text, size, &import.arena, &report);
	char *policy = NULL;
	int result = -1;

	report_print(&report, file, notes);
	if (top && top->kind != JSON_OBJECT)
		import_wrong(&import, top->at, "a manifest is an object");
	if (!top || import.failed)
		goto out;
	read_manifest(&import, top, &manifest);
	if (!import.failed)
		policy = import_sound(&import);
	if (!policy)
		goto out;
	tell_all(&import);
	if (fputs(policy, out) >= 0 && fflush(out) == 0)
		result = 0;
	else
		import_wrong(&import, (struct place){0, 0}, "the policy cannot be written");
out:
	free(policy);
	arena_free(&import.arena);
	return result;
}
