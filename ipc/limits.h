/* SPDX-License-Identifier: ISC */
/*
 * What the policy in force says of the instance as a whole: of HELLO_OK, and of the
 * policy's image. A part of ipc/messages.h, which includes it.
 */
#ifndef SOCKWARD_IPC_LIMITS_H
#define SOCKWARD_IPC_LIMITS_H

#include <stdint.h>

#define IPC_PROXIES    16
#define IPC_RANGE_UNIX 1 /* a family: all who come by a Unix socket, and have no address */

/* Peers. With more bits than an address has, or another family than these: nobody. */
struct ipc_range {
	uint8_t family; /* 4, 6, IPC_RANGE_UNIX; or 0 */
	uint8_t bits;   /* length of the prefix */
	uint8_t ip[16];
};

struct ipc_limits {
	uint64_t fingerprint;         /* first 8 bytes of the SHA-256 of the policy's text */
	uint32_t sessions;            /* most at once in this instance */
	uint32_t sessions_per_source; /* most from one IPv4 address or IPv6 /64; not of proxies */
	uint32_t handshake_ms;        /* from accept to SESSION_GRANTED */
	uint32_t pad;
	struct ipc_range proxies[IPC_PROXIES]; /* who must send a PROXY header */
};

#endif
