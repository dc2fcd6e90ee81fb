/* SPDX-License-Identifier: ISC */
/*
 * What this session was told as addresses of names. A guest that resolves a name first
 * and connects to the number falls under the name's rules: the number then goes to the
 * broker together with the name, which looks the name up again and dials that address
 * if it is still one of the name's. So what is remembered here grants nothing.
 */
#ifndef SOCKWARD_WORKER_NAMES_H
#define SOCKWARD_WORKER_NAMES_H

#include <stdint.h>

#include "ipc/messages.h"

#define NAMES_MOST 64 /* addresses; beyond it the one that was told longest ago makes room */

struct names {
	uint64_t told; /* how many were */
	struct {
		struct ipc_addr addr;
		uint64_t told; /* the number of it; 0: free */
		uint64_t until_ms;
		char host[IPC_HOST];
	} known[NAMES_MOST];
};

/**
 * names_keep() - remember the addresses of a name.
 * @host: canonical. @said: its addresses and for how long. @now_ms: a monotonic clock.
 *
 * An address that several names have counts as that one's which was told last, until its
 * time is over: then as the one's before.
 */
void names_keep(struct names *names, const char *host, const struct ipc_resolved *said,
		uint64_t now_ms);

/**
 * names_of() - the name that gave an address, or NULL when none did, or its time is over.
 * @addr: the port does not count.
 */
const char *names_of(const struct names *names, const struct ipc_addr *addr, uint64_t now_ms);

#endif
