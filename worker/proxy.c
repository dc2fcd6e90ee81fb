/* SPDX-License-Identifier: ISC */
#include "worker/proxy.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#define SIGNATURE 12
#define FIXED     16 /* bytes of version 2 in front of the addresses */
#define LOCAL     0x20
#define PROXIED   0x21
#define UNSPEC    0x00
#define TCP4      0x11
#define TCP6      0x21
#define TLV       3 /* bytes of type and length */
#define CRC32C    3 /* a type */

static const uint8_t signature[SIGNATURE] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
					     0x0a, 'Q',  'U',  'I',  'T',  0x0a};

static unsigned int
number16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

/* One form for each address, as the listener has it. */
static struct ipc_addr
unmapped(struct ipc_addr addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct ipc_addr v4 = {.family = 4, .port = addr.port};

	if (addr.family != 6 || memcmp(addr.ip, mapped, sizeof(mapped)) != 0)
		return addr;
	memcpy(v4.ip, addr.ip + sizeof(mapped), 4);
	return v4;
}

/* --- version 1: a line ------------------------------------------------------------- */

/* Takes a word and the blank behind it, or the last word. Returns whether it fits @word. */
static bool
take_word(const char **at, const char *end, bool last, char *word, size_t size)
{
	const char *blank = memchr(*at, ' ', (size_t)(end - *at));
	size_t n = (size_t)((blank ? blank : end) - *at);

	if (n == 0 || n >= size || !blank != last || memchr(*at, '\0', n))
		return false;
	memcpy(word, *at, n);
	word[n] = '\0';
	*at += n + !last;
	return true;
}

/* The kernel's own form, or one that inet_pton(3) knows: four numbers without leading zeros. */
static bool
take_ip(const char **at, const char *end, uint8_t family, uint8_t ip[16])
{
	char word[INET6_ADDRSTRLEN];

	return take_word(at, end, false, word, sizeof(word)) &&
	       inet_pton(family == 4 ? AF_INET : AF_INET6, word, ip) == 1;
}

static bool
take_port(const char **at, const char *end, bool last, uint16_t *port)
{
	unsigned int value = 0;
	char word[6];

	if (!take_word(at, end, last, word, sizeof(word)) || (word[0] == '0' && word[1]))
		return false;
	for (const char *digit = word; *digit; digit++) {
		if (*digit < '0' || *digit > '9')
			return false;
		value = value * 10 + (unsigned int)(*digit - '0');
	}
	*port = (uint16_t)value;
	return value <= UINT16_MAX;
}

static bool
is_text(const char *at, const char *end)
{
	while (at < end && *at >= 0x20 && *at <= 0x7e)
		at++;
	return at == end;
}

/* What stands between "PROXY " and CR LF. */
static bool
read_line(const char *at, const char *end, struct ipc_addr *told)
{
	struct ipc_addr from = {0}, to = {0};
	char word[8];

	if ((size_t)(end - at) >= 7 && memcmp(at, "UNKNOWN", 7) == 0)
		return at + 7 == end || (at[7] == ' ' && is_text(at + 7, end));
	if (!take_word(&at, end, false, word, sizeof(word)))
		return false;
	if (strcmp(word, "TCP4") == 0)
		from.family = 4;
	else if (strcmp(word, "TCP6") == 0)
		from.family = 6;
	else
		return false;
	if (!take_ip(&at, end, from.family, from.ip) || !take_ip(&at, end, from.family, to.ip) ||
	    !take_port(&at, end, false, &from.port) || !take_port(&at, end, true, &to.port))
		return false;
	*told = unmapped(from);
	return true;
}

static enum proxy_result
parse_line(const char *text, size_t n, struct proxy_header *header)
{
	static const char word[] = "PROXY ";
	const size_t before = sizeof(word) - 1;
	struct proxy_header found = {0};
	const char *newline;

	if (memcmp(text, word, n < before ? n : before) != 0)
		return PROXY_REFUSE;
	newline = memchr(text, '\n', n < PROXY_LINE_MOST ? n : PROXY_LINE_MOST);
	if (!newline)
		return n < PROXY_LINE_MOST ? PROXY_MORE : PROXY_REFUSE;
	if (newline[-1] != '\r' || !read_line(text + before, newline - 1, &found.told))
		return PROXY_REFUSE;
	found.length = (uint32_t)(newline + 1 - text);
	*header = found;
	return PROXY_DONE;
}

/* --- version 2: binary ------------------------------------------------------------- */

/* RFC 3720, B.4, of a header whose own checksum, at @sum, counts as zeros. */
static uint32_t
crc32c(const uint8_t *bytes, size_t n, size_t sum)
{
	uint32_t crc = ~0U;

	for (size_t i = 0; i < n; i++) {
		crc ^= i >= sum && i < sum + 4 ? 0 : bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
	}
	return ~crc;
}

/* @at: the first of the TLVs; they must end where the header does. */
static bool
tlvs_ok(const uint8_t *bytes, size_t at, size_t n)
{
	bool summed = false;

	while (at < n) {
		size_t length;

		if (n - at < TLV)
			return false;
		length = number16(bytes + at + 1);
		if (length > n - at - TLV)
			return false;
		if (bytes[at] == CRC32C) {
			const uint8_t *sum = bytes + at + TLV;

			if (summed || length != 4 ||
			    ((uint32_t)number16(sum) << 16 | number16(sum + 2)) !=
				    crc32c(bytes, n, at + TLV))
				return false;
			summed = true;
		}
		at += TLV + length;
	}
	return true;
}

/* How many bytes of addresses a family has; a connection is one of TCP. */
static size_t
addresses_of(uint8_t family)
{
	return family == TCP4 ? 12 : family == TCP6 ? 36 : 0;
}

static bool
fixed_ok(const uint8_t *bytes)
{
	uint8_t command = bytes[SIGNATURE], family = bytes[SIGNATURE + 1];
	size_t length = number16(bytes + SIGNATURE + 2);

	if (length > PROXY_MOST - FIXED)
		return false;
	/* Of LOCAL, which a proxy's own connections have, the rest is to be ignored. */
	if (command == LOCAL)
		return true;
	return command == PROXIED &&
	       (family == UNSPEC || (addresses_of(family) && length >= addresses_of(family)));
}

static enum proxy_result
parse_binary(const uint8_t *bytes, size_t n, struct proxy_header *header)
{
	struct proxy_header found = {0};
	uint8_t family;

	if (memcmp(bytes, signature, n < SIGNATURE ? n : SIGNATURE) != 0)
		return PROXY_REFUSE;
	if (n < FIXED)
		return PROXY_MORE;
	if (!fixed_ok(bytes))
		return PROXY_REFUSE;
	found.length = FIXED + number16(bytes + SIGNATURE + 2);
	if (n < found.length)
		return PROXY_MORE;
	family = bytes[SIGNATURE + 1];
	if (bytes[SIGNATURE] == PROXIED && family != UNSPEC) {
		size_t size = family == TCP4 ? 4 : 16;

		found.told.family = family == TCP4 ? 4 : 6;
		found.told.port = (uint16_t)number16(bytes + FIXED + 2 * size);
		memcpy(found.told.ip, bytes + FIXED, size);
		found.told = unmapped(found.told);
		if (!tlvs_ok(bytes, FIXED + addresses_of(family), found.length))
			return PROXY_REFUSE;
	}
	*header = found;
	return PROXY_DONE;
}

enum proxy_result
proxy_parse(const void *bytes, size_t n, struct proxy_header *header)
{
	if (n == 0)
		return PROXY_MORE;
	if (*(const uint8_t *)bytes == signature[0])
		return parse_binary(bytes, n, header);
	return parse_line(bytes, n, header);
}
