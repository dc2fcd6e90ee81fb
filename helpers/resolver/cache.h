/* SPDX-License-Identifier: ISC */
/*
 * Answers that hold still. What was told as the addresses of a name stays so until the
 * time that was told with it is over: a guest that resolves a name first and connects to
 * the number is asked for that name again, and a name whose addresses rotate would else
 * refuse its own numbers.
 *
 * Each grant has answers of its own, so that no grant learns from the clock what another
 * one looked up. Of names that are not there nothing is kept: the servers of the DNS do
 * that by the zone's own times, and a name that appears is there at once.
 */
#ifndef SOCKWARD_HELPERS_RESOLVER_CACHE_H
#define SOCKWARD_HELPERS_RESOLVER_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/messages.h"

#define CACHE_MOST      1024 /* names, of all grants */
#define CACHE_TTL_LEAST 5    /* s: less would end before a guest has connected */
#define CACHE_TTL_MOST  3600 /* s */
/*
 * A second more than was told: times are told in whole seconds, 1 at least, and a session's
 * clock starts when it hears of it. So what was told before an answer's time was over holds
 * until the told time is over; only who asks within that last second is told too much.
 */
#define CACHE_SLACK_MS 1000

struct cache_entry {
	uint64_t until; /* ms; 0: free */
	uint32_t owner; /* index */
	uint32_t count;
	struct ipc_addr addrs[IPC_ADDRESSES];
	char name[IPC_HOST];
};

/* A grant that has entries. */
struct cache_owner {
	uint32_t entries; /* 0: free */
	char grant[IPC_GRANT];
};

/* All zero: empty. */
struct cache {
	struct cache_entry entries[CACHE_MOST];
	struct cache_owner owners[CACHE_MOST];
};

/**
 * cache_get() - answer from what is kept.
 * @grant: well-formed text. @name: canonical. @now: ms of a monotonic clock.
 * @answer: receives count, addrs and ttl_s: the time that is left, in whole seconds, 1 at
 *          least.
 *
 * Returns whether there was an answer.
 */
bool cache_get(const struct cache *cache, const char *grant, const char *name, uint64_t now,
	       struct ipc_addresses *answer);

/**
 * cache_put() - keep an answer.
 * @answer: count, addrs and ttl_s, which is raised or lowered to between CACHE_TTL_LEAST
 *          and CACHE_TTL_MOST.
 *
 * Replaces what is kept of that name. Where there is no room, the grant with the most
 * names gives up that of its names which ends first.
 */
void cache_put(struct cache *cache, const char *grant, const char *name, uint64_t now,
	       struct ipc_addresses *answer);

#endif
