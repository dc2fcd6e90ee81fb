/* SPDX-License-Identifier: ISC */
#include "policy/reading.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "ipc/words.h"
#include "policy/host.h"
#include "policy/text.h"

/* Add a text to a list that has room; a second one of its kind is an error. */
static bool
add(struct reading *reading, struct source_texts *list, const struct json *json, const char *text)
{
	for (size_t i = 0; i < list->n; i++) {
		if (strcmp(list->items[i], text) == 0) {
			report_error(reading->report, json->at, "leave one of them out",
				     "`%s' stands here for the second time", text);
			return false;
		}
	}
	list->items[list->n++] = arena_text(reading->arena, text, strlen(text));
	return true;
}

/* "[::1]": the address, in the form that a client writes it in its Host header. */
static const char *
bracketed(const char *text, char name[IPC_HOST], char hint[HINT_SIZE])
{
	size_t n = strlen(text);
	char ip[INET6_ADDRSTRLEN];
	struct ipc_addr addr;

	snprintf(hint, HINT_SIZE, "an IPv6 address stands in brackets, as [::1], without a port");
	if (n < 4 || n - 2 >= sizeof(ip) || text[n - 1] != ']')
		return "this is no address in brackets";
	memcpy(ip, text + 1, n - 2);
	ip[n - 2] = '\0';
	if (policy_host(ip, name, &addr) != HOST_ADDRESS || addr.family != 6)
		return "this is no IPv6 address";
	(void)inet_ntop(AF_INET6, addr.ip, ip, sizeof(ip));
	snprintf(name, IPC_HOST, "[%s]", ip);
	return NULL;
}

static const char *
read_host(const char *text, char name[IPC_HOST], char hint[HINT_SIZE])
{
	struct ipc_addr addr;
	const char *wrong;
	int kind;

	if (text[0] == '[')
		return bracketed(text, name, hint);
	snprintf(hint, HINT_SIZE,
		 "list each name that clients use; others are refused, which stops "
		 "DNS rebinding");
	if (strchr(text, '*'))
		return "hosts are exact names, without `*'";
	snprintf(hint, HINT_SIZE, "write the name only: any port of it is served");
	if (strchr(text, ':') && strchr(text, ':') == strrchr(text, ':'))
		return "a host has no port";
	wrong = text_host(text, &kind, name, &addr, hint);
	if (wrong || kind == HOST_NAME)
		return wrong;
	snprintf(hint, HINT_SIZE, "write it in brackets: [%s]", text);
	if (addr.family == 6)
		return "a client names an IPv6 address in brackets";
	snprintf(name, IPC_HOST, "%s", text);
	return NULL;
}

void
read_hosts(struct reading *reading, const struct json *json, void *into)
{
	struct policy_source *source = into;

	if (!read_list(reading, json, JSON_STRING, HOSTS_MOST, "`hosts'"))
		return;
	if (json->n == 0)
		report_error(reading->report, json->at, "list the names that clients reach it by",
			     "a server without a host serves nobody");
	source->hosts.items = arena_take(reading->arena, json->n, sizeof(const char *));
	for (const struct json *at = json->first; at; at = at->next) {
		char name[IPC_HOST], hint[HINT_SIZE];
		const char *wrong = read_host(at->text, name, hint);

		if (wrong)
			report_error(reading->report, at->at, hint, "`%s': %s", at->text, wrong);
		else
			(void)add(reading, &source->hosts, at, name);
	}
}

void
read_dialects(struct reading *reading, const struct json *json, void *into)
{
	struct policy_source *source = into;

	if (!read_list(reading, json, JSON_STRING, DIALECT_COUNT, "`dialects'"))
		return;
	if (json->n == 0)
		report_error(reading->report, json->at, "list one at least, as [\"raw\"]",
			     "without a dialect nobody can speak");
	for (const struct json *at = json->first; at; at = at->next) {
		unsigned int dialect = dialect_number(at->text);
		char hint[HINT_SIZE];
		size_t used = 0;

		if (dialect > 0 && (source->dialects & 1U << dialect))
			report_error(reading->report, at->at, "leave one of them out",
				     "`%s' stands here for the second time", at->text);
		if (dialect > 0) {
			source->dialects |= 1U << dialect;
			continue;
		}
		for (unsigned int i = 1; i < DIALECT_COUNT; i++)
			used += (size_t)snprintf(hint + used, sizeof(hint) - used, "%s%s",
						 i > 1 ? ", " : "there are ", dialect_word(i));
		report_error(reading->report, at->at, hint, "there is no dialect `%s'", at->text);
	}
}

/* What stands behind "scheme://": as a browser writes it, so as it must be compared. */
static const char *
origin_authority(const char *text, const char *usual_port, char hint[HINT_SIZE])
{
	size_t n = strcspn(text, text[0] == '[' ? "]" : ":");
	char host[IPC_HOST], name[IPC_HOST];
	const char *port = text + n + (text[0] == '[');
	struct ipc_addr addr;
	uint32_t number;

	snprintf(hint, HINT_SIZE, "an origin is https://app.example.com or http://127.0.0.1:8080");
	if (n >= sizeof(host) || (text[0] == '[' && text[n] != ']'))
		return "this is no origin";
	memcpy(host, text, n);
	host[n] = '\0';
	if (text[0] == '[' ? policy_host(host + 1, name, &addr) != HOST_ADDRESS || addr.family != 6
			   : policy_host(host, name, &addr) == HOST_INVALID || strchr(host, ':'))
		return "the origin's host is neither a name nor an address";
	if (*port == '\0')
		return NULL;
	if (*port != ':' || !text_number(port + 1, strlen(port + 1), UINT16_MAX, &number))
		return "the origin's port is wrong";
	if (strcmp(port + 1, usual_port) == 0) {
		snprintf(hint, HINT_SIZE,
			 "leave the port out: a browser does not send the usual one");
		return "this origin can never match";
	}
	return NULL;
}

static const char *
check_origin(const char *text, char hint[HINT_SIZE])
{
	const char *mark = strstr(text, "://");
	const char *authority;

	snprintf(hint, HINT_SIZE, "an origin is https://app.example.com, or \"none\", or \"*\"");
	if (strcmp(text, "null") == 0)
		return "every sandboxed page has the origin `null', so it says nothing";
	if (!mark || mark == text || strlen(text) >= IPC_ORIGIN)
		return "this is no origin";
	authority = mark + 3;
	for (const char *at = text; *at; at++) {
		snprintf(hint, HINT_SIZE, "a browser sends it in lower case, with A-labels (xn--)");
		if ((*at >= 'A' && *at <= 'Z') || (unsigned char)*at >= 0x80)
			return "this origin can never match";
	}
	snprintf(hint, HINT_SIZE,
		 "an origin is scheme, host and port: no path, no slash at its end");
	if (strpbrk(authority, "/?#@ "))
		return "this is more than an origin";
	if (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-") != (size_t)(mark - text))
		return "the origin's scheme is wrong";
	return origin_authority(authority,
				strncmp(text, "https:", 6) == 0  ? "443"
				: strncmp(text, "http:", 5) == 0 ? "80"
								 : "",
				hint);
}

void
read_origins(struct reading *reading, const struct json *json, void *into)
{
	struct source_grant *grant = into;
	struct place any = {0, 0};

	if (!read_list(reading, json, JSON_STRING, ORIGINS_MOST, "`origins'"))
		return;
	grant->origins.items = arena_take(reading->arena, json->n, sizeof(const char *));
	for (const struct json *at = json->first; at; at = at->next) {
		char hint[HINT_SIZE];
		const char *wrong;
		bool *word = strcmp(at->text, "*") == 0      ? &grant->origin_any
			     : strcmp(at->text, "none") == 0 ? &grant->origin_none
							     : NULL;

		if (word && *word)
			report_error(reading->report, at->at, "leave one of them out",
				     "`%s' stands here for the second time", at->text);
		if (word == &grant->origin_any)
			any = at->at;
		if (word) {
			*word = true;
			continue;
		}
		wrong = check_origin(at->text, hint);
		if (wrong)
			report_error(reading->report, at->at, hint, "`%s': %s", at->text, wrong);
		else
			(void)add(reading, &grant->origins, at, at->text);
	}
	if (grant->origin_any && grant->origins.n > 0)
		report_error(reading->report, any, "leave \"*\" out, or the others",
			     "`*' admits every origin, so the others say nothing");
}
