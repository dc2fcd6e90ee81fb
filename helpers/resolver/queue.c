/* SPDX-License-Identifier: ISC */
#include "helpers/resolver/queue.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "ipc/words.h"
#include "policy/host.h"

void
queue_start(struct resolver *resolver)
{
	TAILQ_INIT(&resolver->free);
	TAILQ_INIT(&resolver->waiting);
	TAILQ_INIT(&resolver->answered);
	for (size_t i = 0; i < QUERIES_MOST; i++)
		TAILQ_INSERT_TAIL(&resolver->free, &resolver->queries[i], next);
	for (size_t i = 0; i < LOOKUPS_MOST; i++) {
		resolver->lookups[i].watch.fd = -1;
		resolver->lookups[i].resolver = resolver;
	}
}

static void
answered(struct resolver *resolver, struct query *query, const struct ipc_addresses *found)
{
	query->answer.reason = found->reason;
	query->answer.count = found->count;
	query->answer.ttl_s = found->ttl_s;
	memcpy(query->answer.addrs, found->addrs, sizeof(found->addrs));
	TAILQ_INSERT_TAIL(&resolver->answered, query, next);
}

static void
failed(struct resolver *resolver, struct query *query)
{
	const struct ipc_addresses nothing = {.reason = REASON_NAME_FAILED};

	answered(resolver, query, &nothing);
}

static void
lookup_end(struct lookup *lookup)
{
	(void)close(lookup->watch.fd);
	lookup->watch.fd = -1;
	lookup->query = NULL;
}

/* A session that asks for many names does not fill the log. */
static void
complain(struct resolver *resolver, const char *what, uint64_t now)
{
	if (resolver->failed_ms && now - resolver->failed_ms < FAILURE_EVERY_MS)
		return;
	(void)fail("%s", what);
	resolver->failed_ms = now;
}

static bool
same(const struct query *a, const struct query *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->grant, b->grant) == 0;
}

/* The answer is for all that wait for it. */
static void
settle(struct resolver *resolver, struct lookup *lookup, const struct ipc_addresses *found)
{
	struct query *first = lookup->query, *next;

	for (struct query *query = TAILQ_FIRST(&resolver->waiting); query; query = next) {
		next = TAILQ_NEXT(query, next);
		if (!same(query, first))
			continue;
		TAILQ_REMOVE(&resolver->waiting, query, next);
		answered(resolver, query, found);
	}
	answered(resolver, first, found);
	lookup->query = NULL;
}

/*
 * The process may say anything: what it says is judged, and copied field by field. Its
 * time is brought between bounds by cache_put().
 */
static uint32_t
read_result(const struct lookup_result *result, ssize_t n, struct ipc_addresses *answer)
{
	if (n != (ssize_t)sizeof(*result))
		return REASON_NAME_FAILED;
	if (result->reason != REASON_NONE)
		return result->reason == REASON_NAME_UNKNOWN ? REASON_NAME_UNKNOWN
							     : REASON_NAME_FAILED;
	if (result->count == 0 || result->count > IPC_ADDRESSES)
		return REASON_NAME_FAILED;
	for (uint32_t i = 0; i < result->count; i++) {
		const struct ipc_addr *from = &result->addrs[i];
		struct ipc_addr *to = &answer->addrs[i];

		if (from->family != 4 && from->family != 6)
			return REASON_NAME_FAILED;
		to->family = from->family;
		memcpy(to->ip, from->ip, from->family == 4 ? 4 : 16);
	}
	answer->count = result->count;
	answer->ttl_s = result->ttl_s;
	return REASON_NONE;
}

static void
lookup_ready(struct serve_watch *watch)
{
	struct lookup *lookup =
		(struct lookup *)(void *)((char *)watch - offsetof(struct lookup, watch));
	struct ipc_addresses found = {0};
	struct lookup_result result;
	const struct query *query = lookup->query;
	ssize_t n = read(watch->fd, &result, sizeof(result));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (query) {
		uint32_t reason = read_result(&result, n, &found);
		uint64_t now = serve_now_ms();

		if (n != (ssize_t)sizeof(result) && now < query->deadline) {
			errno = 0;
			complain(lookup->resolver, "a lookup ended without an answer", now);
		}
		if (reason == REASON_NONE)
			cache_put(&lookup->resolver->cache, query->grant, query->name, now, &found);
		else
			found = (struct ipc_addresses){.reason = reason};
		settle(lookup->resolver, lookup, &found);
	}
	lookup_end(lookup);
}

static struct lookup *
idle(struct resolver *resolver)
{
	for (size_t i = 0; i < LOOKUPS_MOST; i++) {
		if (resolver->lookups[i].watch.fd < 0)
			return &resolver->lookups[i];
	}
	return NULL;
}

static void
start(struct resolver *resolver, struct lookup *lookup, struct query *query, uint64_t now)
{
	lookup->watch.ready = lookup_ready;
	lookup->watch.fd = lookup_start(query->name, (unsigned int)(query->deadline - now));
	if (lookup->watch.fd >= 0 && serve_watch(&resolver->serve, &lookup->watch) == 0) {
		lookup->query = query;
		return;
	}
	complain(resolver, "cannot start a lookup", now);
	if (lookup->watch.fd >= 0)
		lookup_end(lookup);
	failed(resolver, query);
}

/* For the lookup of the same, or for one of its session's or its grant's. */
static bool
must_wait(const struct resolver *resolver, const struct query *query)
{
	unsigned int of_session = 0, of_grant = 0;

	for (size_t i = 0; i < LOOKUPS_MOST; i++) {
		const struct query *other = resolver->lookups[i].query;

		if (!other)
			continue;
		if (same(other, query))
			return true;
		of_session += other->client == query->client &&
			      other->answer.session == query->answer.session;
		of_grant += strcmp(other->grant, query->grant) == 0;
	}
	return of_session >= SESSION_MOST || of_grant >= GRANT_MOST;
}

static void
start_waiting(struct resolver *resolver, uint64_t now)
{
	struct lookup *lookup;
	struct query *next;

	for (struct query *query = TAILQ_FIRST(&resolver->waiting);
	     query && (lookup = idle(resolver)); query = next) {
		next = TAILQ_NEXT(query, next);
		if (query->client && must_wait(resolver, query))
			continue;
		TAILQ_REMOVE(&resolver->waiting, query, next);
		if (!query->client)
			TAILQ_INSERT_TAIL(&resolver->free, query, next);
		else
			start(resolver, lookup, query, now);
	}
}

static void
expire(struct resolver *resolver, uint64_t now)
{
	const struct ipc_addresses nothing = {.reason = REASON_NAME_FAILED};
	struct query *query;

	while ((query = TAILQ_FIRST(&resolver->waiting)) && query->deadline <= now) {
		TAILQ_REMOVE(&resolver->waiting, query, next);
		failed(resolver, query);
	}
	for (size_t i = 0; i < LOOKUPS_MOST; i++) {
		struct lookup *lookup = &resolver->lookups[i];

		/* Its process has the same deadline from the kernel, and frees its place. */
		if (lookup->query && lookup->query->deadline <= now)
			settle(resolver, lookup, &nothing);
	}
}

static void
hand_out(struct resolver *resolver)
{
	struct query *next;

	for (struct query *query = TAILQ_FIRST(&resolver->answered); query; query = next) {
		next = TAILQ_NEXT(query, next);
		if (query->client &&
		    serve_answer(query->client, &query->answer, sizeof(query->answer)) < 0)
			continue;
		TAILQ_REMOVE(&resolver->answered, query, next);
		TAILQ_INSERT_TAIL(&resolver->free, query, next);
	}
}

void
queue_turn(struct resolver *resolver)
{
	uint64_t now = serve_now_ms();

	expire(resolver, now);
	start_waiting(resolver, now);
	hand_out(resolver);
}

static int
answer_now(struct serve_client *client, struct ipc_addresses *answer, uint32_t reason)
{
	answer->reason = reason;
	return serve_answer(client, answer, sizeof(*answer));
}

/* Neither a session nor a grant with many of them takes the whole queue. */
static bool
may_wait(const struct resolver *resolver, const struct ipc_lookup *asked)
{
	const struct query *query;
	unsigned int of_session = 0, of_grant = 0;

	TAILQ_FOREACH(query, &resolver->waiting, next)
	{
		of_session += query->answer.session == asked->session;
		of_grant += strcmp(query->grant, asked->grant) == 0;
	}
	return of_session < WAITING_MOST && of_grant < GRANT_WAITING;
}

int
queue_message(struct resolver *resolver, struct serve_client *client, const union ipc_any *any)
{
	const struct ipc_lookup *asked = &any->LOOKUP_body;
	struct ipc_addresses answer = {.head = {MSG_ADDRESSES}, .tag = asked->tag};
	struct query *query = TAILQ_FIRST(&resolver->free);
	struct ipc_addr number;
	char name[IPC_HOST];

	answer.session = asked->session;
	if (!ipc_text_ok(asked->grant, sizeof(asked->grant)))
		return -1;
	if (!ipc_text_ok(asked->host, sizeof(asked->host)) ||
	    policy_host(asked->host, name, &number) != HOST_NAME)
		return answer_now(client, &answer, REASON_NAME_INVALID);
	if (cache_get(&resolver->cache, asked->grant, name, serve_now_ms(), &answer))
		return answer_now(client, &answer, REASON_NONE);
	if (!query || !may_wait(resolver, asked))
		return answer_now(client, &answer, REASON_NAME_FAILED);
	TAILQ_REMOVE(&resolver->free, query, next);
	query->client = client;
	query->deadline = serve_now_ms() + DEADLINE_MS;
	query->answer = answer;
	memcpy(query->grant, asked->grant, sizeof(query->grant));
	memcpy(query->name, name, sizeof(name));
	TAILQ_INSERT_TAIL(&resolver->waiting, query, next);
	return 0;
}

void
queue_gone(struct resolver *resolver, const struct serve_client *client)
{
	for (size_t i = 0; i < QUERIES_MOST; i++) {
		if (resolver->queries[i].client == client)
			resolver->queries[i].client = NULL;
	}
}

int
queue_wait_ms(const struct resolver *resolver)
{
	const struct query *first = TAILQ_FIRST(&resolver->waiting);
	uint64_t due = first ? first->deadline : UINT64_MAX;
	uint64_t now = serve_now_ms();

	for (size_t i = 0; i < LOOKUPS_MOST; i++) {
		const struct query *query = resolver->lookups[i].query;

		if (query && query->deadline < due)
			due = query->deadline;
	}
	if (due == UINT64_MAX)
		return -1;
	return due > now ? (int)(due - now) : 0;
}
