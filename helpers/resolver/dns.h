/* SPDX-License-Identifier: ISC */
/*
 * A name's addresses, and for how long they hold: /etc/hosts and DNS, by c-ares.
 */
#ifndef SOCKWARD_HELPERS_RESOLVER_DNS_H
#define SOCKWARD_HELPERS_RESOLVER_DNS_H

#include <stdint.h>

#include "ipc/messages.h"

#define DNS_FILE_TTL_S 60 /* of what a file says, which tells none */
#define DNS_HOPS_MOST  8  /* CNAMEs from a name to its addresses */

/* What the child of a lookup writes, once, into its pipe. */
struct lookup_result {
	uint32_t reason; /* NONE, NAME_UNKNOWN, NAME_FAILED */
	uint32_t count;
	uint32_t ttl_s; /* as the DNS has it: the least of all records on the way */
	struct ipc_addr addrs[IPC_ADDRESSES];
};

/**
 * dns_look_up() - the addresses of a name, of both families.
 * @name: canonical, as policy_host() gives it.
 * @result: set.
 *
 * Blocks. The order of /etc/hosts and DNS is that of nsswitch.conf(5), the servers are
 * those of resolv.conf(5); search domains are not used, and names below localhost are
 * looked for in /etc/hosts alone (RFC 6761, 6.3). Addresses come in the order of RFC
 * 6724; duplicates are removed; those beyond IPC_ADDRESSES are left out. An answer with
 * more than DNS_HOPS_MOST CNAMEs, or whose CNAMEs are no chain from @name, has failed.
 */
void dns_look_up(const char *name, struct lookup_result *result);

#endif
