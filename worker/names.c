/* SPDX-License-Identifier: ISC */
#include "worker/names.h"

#include <stdbool.h>
#include <string.h>

#include "ipc/channel.h"

static bool
same(const struct ipc_addr *a, const struct ipc_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* The place of that address and name, or else that which was told longest ago. */
static size_t
place(const struct names *names, const struct ipc_addr *addr, const char *host)
{
	size_t found = 0;

	for (size_t i = 0; i < NAMES_MOST; i++) {
		if (same(&names->known[i].addr, addr) && strcmp(names->known[i].host, host) == 0)
			return i;
		if (names->known[i].told < names->known[found].told)
			found = i;
	}
	return found;
}

void
names_keep(struct names *names, const char *host, const struct ipc_resolved *said, uint64_t now_ms)
{
	for (uint32_t i = 0; i < said->count && i < IPC_ADDRESSES; i++) {
		size_t at = place(names, &said->addrs[i], host);

		names->known[at].addr = said->addrs[i];
		names->known[at].told = ++names->told;
		names->known[at].until_ms = now_ms + said->ttl_s * 1000ULL;
		(void)ipc_text_set(names->known[at].host, IPC_HOST, host);
	}
}

const char *
names_of(const struct names *names, const struct ipc_addr *addr, uint64_t now_ms)
{
	const char *found = NULL;
	uint64_t told = 0;

	for (size_t i = 0; i < NAMES_MOST; i++) {
		if (names->known[i].until_ms > now_ms && names->known[i].told > told &&
		    same(&names->known[i].addr, addr)) {
			found = names->known[i].host;
			told = names->known[i].told;
		}
	}
	return found;
}
