/* SPDX-License-Identifier: ISC */
/*
 * wasmnet's rules. "example.com" and "*.example.com" are that name and all below it,
 * which takes two rules here; addresses and ranges are what they are; a port may follow,
 * and none means all of them.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>

#include "policy/host.h"
#include "ipc/words.h"
#include "policy/import-parts.h"
#include "policy/text.h"

/* A rule of wasmnet, taken apart. */
struct entry {
	const struct toml_string *from;
	bool deny;
	char host[IPC_HOST]; /* without brackets, port and blanks around it */
	char port[12];       /* as text; "*" for all */
};

static void __attribute__((format(printf, 5, 0)))
say(const struct import *import, struct place at, bool error, char end, const char *format,
    va_list args)
{
	char text[REPORT_TEXT];

	vsnprintf(text, sizeof(text), format, args);
	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
			*c = '?';
	}
	fprintf(import->notes, "%s:", import->file);
	if (at.line)
		fprintf(import->notes, "%u:", at.line);
	if (at.line && error)
		fprintf(import->notes, "%u:", at.column);
	fprintf(import->notes, " %s: %s%c", error ? "error" : "note", text, end);
}

void
import_note(const struct import *import, unsigned int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(import, (struct place){line, 0}, false, '\n', format, args);
	va_end(args);
}

void
import_wrong(struct import *import, struct place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(import, at, true, '\n', format, args);
	va_end(args);
	import->failed = true;
}

/* One that denies must not be lost; one that allows may, and is told. */
static void
not_carried(struct import *import, const struct entry *entry, const char *why)
{
	if (entry->deny)
		import_wrong(import, entry->from->at, "`%s': %s", entry->from->text, why);
	else
		import_note(import, entry->from->at.line, "`%s' is left out: %s", entry->from->text,
			    why);
}

static void
add(struct import *import, const struct entry *entry, const char *before, const char *host,
    const char *after)
{
	struct import_rule *rule = &import->rules[import->n];
	char pattern[IPC_HOST + 20];

	if (import->n == import->most)
		return;
	snprintf(pattern, sizeof(pattern), "%s%s%s:%s", before, host, after, entry->port);
	if (strlen(pattern) >= sizeof(rule->to)) {
		not_carried(import, entry, "it is too long: a rule here has at most 127 bytes");
		return;
	}
	*rule = (struct import_rule){
		.deny = entry->deny, .from = entry->from->at.line, .protocols = PROTOCOLS};
	memcpy(rule->to, pattern, strlen(pattern) + 1);
	import->n++;
}

/* The address without what stands behind the prefix; whether that was anything. */
static bool
mask(struct ipc_addr *addr, uint32_t bits)
{
	bool any = false;

	for (uint32_t i = 0; i < (addr->family == 4 ? 32U : 128U); i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);

		if (i < bits || !(addr->ip[i / 8] & bit))
			continue;
		addr->ip[i / 8] = (uint8_t)(addr->ip[i / 8] & ~bit);
		any = true;
	}
	return any;
}

/* Returns false when the host is no address and no range, but may be a name. */
static bool
add_range(struct import *import, const struct entry *entry)
{
	const char *slash = strchr(entry->host, '/');
	size_t n = slash ? (size_t)(slash - entry->host) : strlen(entry->host);
	char ip[INET6_ADDRSTRLEN + 4] = "", name[IPC_HOST];
	struct ipc_addr addr;
	uint32_t bits;

	if (n < INET6_ADDRSTRLEN)
		memcpy(ip, entry->host, n);
	if (policy_host(ip, name, &addr) != HOST_ADDRESS) {
		if (slash)
			not_carried(import, entry, "this is no range of addresses");
		return slash;
	}
	bits = addr.family == 4 ? 32 : 128;
	if (slash && !text_number(slash + 1, strlen(slash + 1), bits, &bits)) {
		not_carried(import, entry, "the length of the prefix is wrong");
		return true;
	}
	if (mask(&addr, bits))
		import_note(import, entry->from->at.line,
			    "`%s': the bits behind the prefix say nothing, and are left out",
			    entry->from->text);
	inet_ntop(addr.family == 4 ? AF_INET : AF_INET6, addr.ip, ip, INET6_ADDRSTRLEN);
	if (slash)
		snprintf(ip + strlen(ip), 5, "/%u", bits);
	add(import, entry, addr.family == 4 ? "" : "[", ip, addr.family == 4 ? "" : "]");
	return true;
}

static void
add_name(struct import *import, const struct entry *entry)
{
	bool starred = strncmp(entry->host, "*.", 2) == 0;
	char name[IPC_HOST], hint[HINT_SIZE];
	const char *wrong = text_name(entry->host + (starred ? 2 : 0), name, hint);

	if (wrong) {
		not_carried(import, entry, "this is neither a name nor an address");
		return;
	}
	add(import, entry, "", name, "");
	add(import, entry, "*.", name, "");
}

/* "*" with a port: wasmnet reads it and takes no notice of it. */
static void
add_any(struct import *import, const struct entry *entry)
{
	if (!entry->deny) {
		not_carried(import, entry, "wasmnet takes no notice of a port behind `*'");
		return;
	}
	import_note(import, entry->from->at.line,
		    "stricter: `%s' denies that port here; wasmnet takes no notice of it",
		    entry->from->text);
	add(import, entry, "", "*", "");
}

static const char *
read_port(struct entry *entry, const char *text)
{
	uint32_t port;

	if (!text_number(text, strlen(text), UINT16_MAX, &port) || !port)
		return "the port is no number from 1 to 65535";
	snprintf(entry->port, sizeof(entry->port), "%u", port);
	return NULL;
}

/* Host and port; more than one colon without brackets is an IPv6 address alone. */
static const char *
take_apart(struct entry *entry, const char *text)
{
	size_t n = strlen(text);
	const char *colon = strchr(text, ':');
	const char *port = NULL;

	if (text[0] == '[') {
		const char *close = strchr(text, ']');

		if (!close || (close[1] && close[1] != ':'))
			return "this is no IPv6 address in brackets";
		port = close[1] ? close + 2 : NULL;
		n = (size_t)(close - ++text);
	} else if (colon && colon == strrchr(text, ':')) {
		port = colon + 1;
		n = (size_t)(colon - text);
	}
	if (n >= sizeof(entry->host))
		return "it is too long";
	memcpy(entry->host, text, n);
	entry->host[n] = '\0';
	strcpy(entry->port, "*");
	return port ? read_port(entry, port) : NULL;
}

static void
add_entry(struct import *import, const struct toml_string *from, bool deny)
{
	struct entry entry = {.from = from, .deny = deny};
	const char *text = from->text + strspn(from->text, " \t");
	size_t n = strlen(text);
	const char *wrong;

	while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	wrong = take_apart(&entry, arena_text(&import->arena, text, n));
	if (wrong)
		not_carried(import, &entry, wrong);
	else if (strcmp(entry.host, "*") == 0 && strcmp(entry.port, "*") != 0)
		add_any(import, &entry);
	else if (strcmp(entry.host, "*") == 0 && deny)
		import->deny_all = true;
	else if (strcmp(entry.host, "*") == 0)
		add(import, &entry, "", "*", "");
	else if (!add_range(import, &entry))
		add_name(import, &entry);
}

void
import_rules(struct import *import, const struct toml_string *list, size_t n, bool deny)
{
	for (size_t i = 0; i < n; i++)
		add_entry(import, &list[i], deny);
}
