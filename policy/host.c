/* SPDX-License-Identifier: ISC */
#include "policy/host.h"

#include <arpa/inet.h>
#include <string.h>

enum host_kind
policy_host(const char *text, char name[IPC_HOST], struct ipc_addr *addr)
{
	struct ipc_addr found = {.family = 4};
	const char *label = text, *end;
	size_t n;

	if (inet_pton(AF_INET, text, found.ip) != 1)
		found.family = inet_pton(AF_INET6, text, found.ip) == 1 ? 6 : 0;
	if (found.family != 0) {
		*addr = found;
		return HOST_ADDRESS;
	}
	for (;; label = end + 1) {
		n = strspn(label, "abcdefghijklmnopqrstuvwxyz-_0123456789");
		end = label + n;
		if (n == 0 || n > 63 || label[0] == '-' || end[-1] == '-')
			return HOST_INVALID;
		if (end[0] != '.' || end[1] == '\0')
			break;
	}
	/* What glibc would take for a number is no name. */
	if ((end[0] != '\0' && end[0] != '.') || end - text > 253 || strncmp(label, "0x", 2) == 0 ||
	    strspn(label, "0123456789") == n)
		return HOST_INVALID;
	memset(name, 0, IPC_HOST);
	memcpy(name, text, (size_t)(end - text));
	return HOST_NAME;
}
