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

/* The place of that address, or else a free one, or else that which ends first. */
static size_t
place(const struct names *names, const struct ipc_addr *addr)
{
	size_t found = 0;

	for (size_t i = 0; i < NAMES_MOST; i++) {
		if (same(&names->known[i].addr, addr))
			return i;
		if (names->known[i].until_ms < names->known[found].until_ms)
			found = i;
	}
	return found;
}

void
names_keep(struct names *names, const char *host, const struct ipc_resolved *said, uint64_t now_ms)
{
	for (uint32_t i = 0; i < said->count && i < IPC_ADDRESSES; i++) {
		size_t at = place(names, &said->addrs[i]);

		names->known[at].addr = said->addrs[i];
		names->known[at].until_ms = now_ms + said->ttl_s * 1000ULL;
		(void)ipc_text_set(names->known[at].host, IPC_HOST, host);
	}
}

const char *
names_of(const struct names *names, const struct ipc_addr *addr, uint64_t now_ms)
{
	for (size_t i = 0; i < NAMES_MOST; i++) {
		if (names->known[i].until_ms > now_ms && same(&names->known[i].addr, addr))
			return names->known[i].host;
	}
	return NULL;
}
