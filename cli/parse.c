/* SPDX-License-Identifier: ISC */
#include "cli/parse.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS 86400000U

int
parse_number(const char *text, uint64_t most, uint64_t *out)
{
	uint64_t n = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		unsigned int digit = (unsigned int)(*text - '0');

		if (*text < '0' || *text > '9' || n > (most - digit) / 10 || digit > most)
			return -1;
		n = n * 10 + digit;
	}
	*out = n;
	return 0;
}

/* Splits "ADDR:PORT" or "[ADDR]:PORT"; the address goes to @addr. */
static const char *
split(const char *text, char *addr, size_t room, int *family)
{
	const char *begin = *text == '[' ? text + 1 : text;
	const char *end = *text == '[' ? strchr(begin, ']') : strchr(begin, ':');
	const char *colon = *text == '[' && end ? end + 1 : end;
	size_t n;

	if (!end || *colon != ':')
		return NULL;
	n = (size_t)(end - begin);
	if (n == 0 || n >= room)
		return NULL;
	memcpy(addr, begin, n);
	addr[n] = '\0';
	*family = *text == '[' ? AF_INET6 : AF_INET;
	return colon + 1;
}

const char *
parse_listen(const char *text, struct sockaddr_storage *out, socklen_t *length)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	char addr[INET6_ADDRSTRLEN];
	int family;
	uint64_t port;
	const char *rest = split(text, addr, sizeof(addr), &family);

	if (!rest)
		return "an address is written 127.0.0.1:8086 or [::1]:8086";
	if (parse_number(rest, 65535, &port) < 0)
		return "the port is a number from 0 to 65535 (0: any free one)";
	if (inet_pton(family, addr, family == AF_INET ? (void *)&v4.sin_addr : &v6.sin6_addr) != 1)
		return "the address is no number: write 127.0.0.1:8086 or [::1]:8086, not a name";
	v4.sin_port = v6.sin6_port = htons((uint16_t)port);
	memset(out, 0, sizeof(*out));
	if (family == AF_INET) {
		memcpy(out, &v4, sizeof(v4));
		*length = sizeof(v4);
	} else {
		memcpy(out, &v6, sizeof(v6));
		*length = sizeof(v6);
	}
	return NULL;
}

void
show_address(const struct sockaddr_storage *addr, char out[ADDRESS_TEXT])
{
	char text[INET6_ADDRSTRLEN] = "?";
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (addr->ss_family == AF_INET) {
		memcpy(&v4, addr, sizeof(v4));
		inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
		snprintf(out, ADDRESS_TEXT, "%s:%u", text, ntohs(v4.sin_port));
	} else {
		memcpy(&v6, addr, sizeof(v6));
		inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
		snprintf(out, ADDRESS_TEXT, "[%s]:%u", text, ntohs(v6.sin6_port));
	}
}

const char *
parse_duration(const char *text, uint32_t *ms)
{
	static const struct {
		const char *unit;
		uint32_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	size_t digits = strspn(text, "0123456789");
	char number[10];
	uint64_t n;

	if (digits == 0 || digits >= sizeof(number))
		return "a duration is a number and a unit: 250ms, 10s, 5m, 1h";
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (parse_number(number, DAY_MS, &n) < 0)
		return "the longest duration is 24h";
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + digits, units[i].unit) != 0)
			continue;
		if (n * units[i].ms > DAY_MS)
			return "the longest duration is 24h";
		*ms = (uint32_t)(n * units[i].ms);
		return NULL;
	}
	return "the unit of a duration is ms, s, m or h, as in 10s";
}

/* The part between the scheme and the path. */
static const char *
authority(const char *text, size_t n, struct ws_url *url)
{
	char buffer[sizeof(url->authority)];
	char *host = buffer;
	char *end;
	uint64_t port;

	if (n == 0 || n >= sizeof(buffer))
		return "the URL names no host, or too long a one";
	memcpy(buffer, text, n);
	buffer[n] = '\0';
	if (strcspn(buffer, "@ \\\"<>^`{|}%") != n)
		return "the host holds a character that no host name has";
	strcpy(url->authority, buffer);
	if (*host == '[') {
		host++;
		end = strchr(host, ']');
		if (!end || (end[1] && end[1] != ':'))
			return "an IPv6 address is written in brackets: ws://[::1]:8086/";
		*end++ = '\0';
	} else {
		end = host + strcspn(host, ":");
	}
	strcpy(url->port, "80");
	if (*end == ':') {
		if (parse_number(end + 1, 65535, &port) < 0 || port == 0)
			return "the port is a number from 1 to 65535";
		snprintf(url->port, sizeof(url->port), "%u", (unsigned int)port);
		*end = '\0';
	}
	if (!*host || strlen(host) >= sizeof(url->host))
		return "the URL names no host, or too long a one";
	strcpy(url->host, host);
	return NULL;
}

const char *
parse_ws_url(const char *text, struct ws_url *url)
{
	struct ws_url found = {0};
	const char *wrong;
	size_t n;

	if (strncmp(text, "wss://", 6) == 0)
		return "TLS is not built in; let another program do it, such as "
		       "`socat TCP-LISTEN:9000,bind=127.0.0.1,fork OPENSSL:HOST:443`, "
		       "and connect to ws://127.0.0.1:9000/...";
	if (strncmp(text, "ws://", 5) != 0)
		return "a URL begins with ws://, as in ws://127.0.0.1:8086/raw/example.com/80";
	text += 5;
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '#')
			return "the URL holds a space, a fragment or a character outside ASCII";
	n = strcspn(text, "/?");
	wrong = authority(text, n, &found);
	if (wrong)
		return wrong;
	text += n;
	if (strlen(text) + 2 > sizeof(found.path))
		return "the URL is too long";
	snprintf(found.path, sizeof(found.path), "%s%s", *text == '/' ? "" : "/", text);
	*url = found;
	return NULL;
}
