/* SPDX-License-Identifier: ISC */
/*
 * The lookups that are asked for: waiting, under way, answered. Bounded in all
 * three; each is answered once, at its deadline at the latest. What the cache knows is
 * answered at once; a name that one grant asks for several times is looked up once.
 */
#ifndef SOCKWARD_HELPERS_RESOLVER_QUEUE_H
#define SOCKWARD_HELPERS_RESOLVER_QUEUE_H

#include <stdint.h>
#include <sys/queue.h>

#include "helpers/resolver/cache.h"
#include "helpers/resolver/lookup.h"
#include "helpers/serve.h"

#define QUERIES_MOST 1024
#define LOOKUPS_MOST 64    /* processes at once */
#define SESSION_MOST 4     /* of these for one session */
#define GRANT_MOST   32    /* of these for one grant */
#define WAITING_MOST 64    /* questions of one session that wait */
#define DEADLINE_MS  10000 /* from question to answer */

#define GRANT_WAITING    (QUERIES_MOST / 2 - GRANT_MOST) /* questions of one grant that wait */
#define FAILURE_EVERY_MS 10000 /* between two lines of the log about processes */

struct query {
	TAILQ_ENTRY(query) next;
	struct serve_client *client; /* who asked; NULL when it is gone */
	uint64_t deadline;           /* ms */
	struct ipc_addresses answer; /* tag and session are set from the start */
	char grant[IPC_GRANT];
	char name[IPC_HOST];
};

TAILQ_HEAD(queries, query);

/* A process that looks up. */
struct lookup {
	struct serve_watch watch; /* its pipe */
	struct resolver *resolver;
	struct query *query; /* that it was started for; NULL: answered at its deadline */
};

struct resolver {
	struct serve serve;
	struct queries free;
	struct queries waiting;
	struct queries answered; /* but not taken by its client yet */
	uint64_t failed_ms;      /* when a failure of a process was logged; 0: never */
	struct cache cache;
	struct lookup lookups[LOOKUPS_MOST];
	struct query queries[QUERIES_MOST];
};

/**
 * queue_start() - empty, at the program's start.
 */
void queue_start(struct resolver *resolver);

/**
 * queue_message() - serve.message of the resolver.
 *
 * A LOOKUP with a malformed grant is refused.
 */
int queue_message(struct resolver *resolver, struct serve_client *client, const union ipc_any *any);

/**
 * queue_gone() - serve.gone of the resolver: nobody waits for its answers.
 */
void queue_gone(struct resolver *resolver, const struct serve_client *client);

/**
 * queue_turn() - start what waits, answer what is due.
 *
 * In the order of asking, but a session that has SESSION_MOST lookups under way, or whose
 * grant has GRANT_MOST, waits for one of these while others go on. A name that is being looked up
 * for the same grant waits for that lookup's answer, whichever it is.
 */
void queue_turn(struct resolver *resolver);

/**
 * queue_wait_ms() - until the next deadline; -1: none.
 */
int queue_wait_ms(const struct resolver *resolver);

#endif
