/* SPDX-License-Identifier: ISC */
#include "helpers/resolver/cache.h"

#include <string.h>

/* The place of that grant, or CACHE_MOST. */
static uint32_t
owner_of(const struct cache *cache, const char *grant)
{
	uint32_t i = 0;

	while (i < CACHE_MOST &&
	       (cache->owners[i].entries == 0 || strcmp(cache->owners[i].grant, grant) != 0))
		i++;
	return i;
}

static const struct cache_entry *
find(const struct cache *cache, const char *grant, const char *name)
{
	uint32_t owner = owner_of(cache, grant);
	const struct cache_entry *entry = cache->entries, *end = entry + CACHE_MOST;

	while (entry < end &&
	       (!entry->until || entry->owner != owner || strcmp(entry->name, name) != 0))
		entry++;
	return entry < end ? entry : NULL;
}

bool
cache_get(const struct cache *cache, const char *grant, const char *name, uint64_t now,
	  struct ipc_addresses *answer)
{
	const struct cache_entry *entry = find(cache, grant, name);

	if (!entry || entry->until + CACHE_SLACK_MS <= now)
		return false;
	answer->ttl_s = entry->until >= now + 1000 ? (uint32_t)((entry->until - now) / 1000) : 1;
	answer->count = entry->count;
	memcpy(answer->addrs, entry->addrs, sizeof(answer->addrs));
	return true;
}

static void
drop(struct cache *cache, struct cache_entry *entry)
{
	cache->owners[entry->owner].entries--;
	entry->until = 0;
}

/* Of the grant that has the most; what is over has been dropped, and none is free. */
static struct cache_entry *
ends_first(struct cache *cache)
{
	struct cache_entry *first = NULL;
	uint32_t owner = 0;

	for (uint32_t i = 1; i < CACHE_MOST; i++) {
		if (cache->owners[i].entries > cache->owners[owner].entries)
			owner = i;
	}
	for (uint32_t i = 0; i < CACHE_MOST; i++) {
		struct cache_entry *entry = &cache->entries[i];

		if (entry->owner == owner && (!first || entry->until < first->until))
			first = entry;
	}
	return first;
}

/* A free place. */
static struct cache_entry *
room(struct cache *cache, uint64_t now)
{
	struct cache_entry *free = NULL;

	for (uint32_t i = 0; i < CACHE_MOST; i++) {
		struct cache_entry *entry = &cache->entries[i];

		if (entry->until && entry->until + CACHE_SLACK_MS <= now)
			drop(cache, entry);
		if (!entry->until)
			free = entry;
	}
	if (!free) {
		free = ends_first(cache);
		drop(cache, free);
	}
	return free;
}

void
cache_put(struct cache *cache, const char *grant, const char *name, uint64_t now,
	  struct ipc_addresses *answer)
{
	const struct cache_entry *old = find(cache, grant, name);
	struct cache_entry *entry;
	uint32_t owner;

	if (old)
		drop(cache, &cache->entries[old - cache->entries]);
	entry = room(cache, now);
	owner = owner_of(cache, grant);
	/* With a free entry there is a free owner: each has one entry at least. */
	if (owner == CACHE_MOST) {
		for (owner = 0; cache->owners[owner].entries;)
			owner++;
		memcpy(cache->owners[owner].grant, grant, strlen(grant) + 1);
	}
	if (answer->ttl_s < CACHE_TTL_LEAST)
		answer->ttl_s = CACHE_TTL_LEAST;
	if (answer->ttl_s > CACHE_TTL_MOST)
		answer->ttl_s = CACHE_TTL_MOST;
	*entry = (struct cache_entry){
		now + answer->ttl_s * 1000ULL, owner, answer->count, {{0}}, ""};
	memcpy(entry->addrs, answer->addrs, sizeof(entry->addrs));
	memcpy(entry->name, name, strlen(name) + 1);
	cache->owners[owner].entries++;
}
