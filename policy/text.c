/* SPDX-License-Identifier: ISC */
#include "policy/text.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdio.h>
#include <string.h>

#include "policy/host.h"

bool
text_number(const char *text, size_t n, uint32_t most, uint32_t *number)
{
	uint64_t value = 0;

	if (n == 0 || n > 10 || (n > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (value > most)
		return false;
	*number = (uint32_t)value;
	return true;
}

const char *
text_ports(const char *text, uint16_t *low, uint16_t *high, char hint[HINT_SIZE])
{
	const char *dash = strchr(text, '-');
	size_t n = dash ? (size_t)(dash - text) : strlen(text);
	uint32_t first = 1, last = UINT16_MAX;

	snprintf(hint, HINT_SIZE, "a port is 443, 8000-8099 or *");
	if (strcmp(text, "*") != 0) {
		if (!text_number(text, n, UINT16_MAX, &first))
			return "this is no port";
		last = first;
		if (dash && !text_number(dash + 1, strlen(dash + 1), UINT16_MAX, &last))
			return "this is no range of ports";
		if (first == 0) {
			snprintf(hint, HINT_SIZE, "ports count from 1");
			return "port 0 can never match";
		}
		if (dash && first >= last) {
			snprintf(hint, HINT_SIZE, "write the lower port first; a single one alone");
			return "this range of ports does not rise";
		}
	}
	*low = (uint16_t)first;
	*high = (uint16_t)last;
	return NULL;
}

static void
mask(struct source_range *range)
{
	for (unsigned int i = 0; i < sizeof(range->ip); i++) {
		unsigned int kept = range->bits > 8 * i ? range->bits - 8 * i : 0;

		if (kept < 8)
			range->ip[i] = (uint8_t)(range->ip[i] & 0xff00U >> kept);
	}
}

void
text_show_range(const struct source_range *range, char out[64])
{
	char ip[INET6_ADDRSTRLEN];

	(void)inet_ntop(range->family == 4 ? AF_INET : AF_INET6, range->ip, ip, sizeof(ip));
	snprintf(out, 64, "%s/%u", ip, range->bits);
}

const char *
text_range(const char *text, struct source_range *range, char hint[HINT_SIZE])
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	char ip[INET6_ADDRSTRLEN], show[64], name[IPC_HOST];
	struct source_range found, masked;
	struct ipc_addr addr;
	uint32_t bits;

	snprintf(hint, HINT_SIZE, "a range is 192.0.2.0/24 or 2001:db8::/32");
	if (n >= sizeof(ip))
		return "this is no address";
	memcpy(ip, text, n);
	ip[n] = '\0';
	if (policy_host(ip, name, &addr) != HOST_ADDRESS)
		return "this is no address";
	bits = addr.family == 4 ? 32 : 128;
	if (slash && !text_number(slash + 1, strlen(slash + 1), bits, &bits)) {
		snprintf(hint, HINT_SIZE, "0 to 32 behind an IPv4 address, 0 to 128 behind IPv6");
		return "the length of the prefix is wrong";
	}
	found = (struct source_range){.family = addr.family, .bits = (uint8_t)bits};
	memcpy(found.ip, addr.ip, sizeof(found.ip));
	masked = found;
	mask(&masked);
	if (memcmp(masked.ip, found.ip, sizeof(found.ip)) != 0) {
		text_show_range(&masked, show);
		snprintf(hint, HINT_SIZE, "the range is %s", show);
		return "bits behind the prefix are set";
	}
	*range = found;
	return NULL;
}

static bool
is_ascii(const char *text)
{
	while (*text && (unsigned char)*text < 0x80)
		text++;
	return *text == '\0';
}

const char *
text_name(const char *text, char name[IPC_HOST], char hint[HINT_SIZE])
{
	char found[IPC_HOST] = "";
	struct ipc_addr addr;
	char *label = NULL;

	snprintf(hint, HINT_SIZE, "a name has letters, digits and hyphens between dots");
	if (strlen(text) >= IPC_HOST)
		return "this name is too long";
	if (is_ascii(text)) {
		for (size_t i = 0; text[i]; i++) {
			bool upper = text[i] >= 'A' && text[i] <= 'Z';

			found[i] = (char)(upper ? text[i] - 'A' + 'a' : text[i]);
		}
	} else {
		int error = idn2_to_ascii_8z(text, &label, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

		if (error != IDN2_OK) {
			snprintf(hint, HINT_SIZE, "%s", idn2_strerror(error));
			return "this name has no form in the DNS";
		}
		snprintf(found, sizeof(found), "%s", label);
		idn2_free(label);
	}
	if (policy_host(found, name, &addr) != HOST_NAME)
		return "this is no name";
	return NULL;
}

const char *
text_host(const char *text, int *kind, char name[IPC_HOST], struct ipc_addr *addr,
	  char hint[HINT_SIZE])
{
	const char *wrong;

	if (strlen(text) < IPC_HOST && policy_host(text, name, addr) == HOST_ADDRESS) {
		*kind = HOST_ADDRESS;
		return NULL;
	}
	wrong = text_name(text, name, hint);
	if (wrong) {
		if (strspn(text, "0123456789abcdefxABCDEFX.") == strlen(text))
			snprintf(hint, HINT_SIZE,
				 "an IPv4 address is four numbers without leading "
				 "zeros, as 127.0.0.1");
		return "this is neither a name nor an address";
	}
	*kind = HOST_NAME;
	return NULL;
}
