/* SPDX-License-Identifier: ISC */
/*
 * The sessions that the file shows as open: a set of numbers, so that each can
 * be closed on record when its broker is lost.
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_SESSIONS_H
#define SOCKWARD_HELPERS_AUDITOR_SESSIONS_H

#include <stddef.h>
#include <stdint.h>

#define SESSIONS_MOST (1U << 20) /* open at once; further ones are not remembered */

/* Zeroed: empty. */
struct sessions {
	uint64_t *slots; /* open addressing; 0: free */
	size_t size;     /* a power of two, or 0 */
	size_t n;
	size_t from; /* where sessions_any() found one last */
};

/**
 * sessions_add() - remember a session. @session: not 0.
 *
 * Returns 0, or -1 when there is no room: it is not remembered then.
 */
int sessions_add(struct sessions *sessions, uint64_t session);

/**
 * sessions_remove() - forget a session; one that is not there is nothing.
 */
void sessions_remove(struct sessions *sessions, uint64_t session);

/**
 * sessions_any() - some session of the set, or 0 when it is empty.
 */
uint64_t sessions_any(struct sessions *sessions);

/**
 * sessions_free() - give the memory back; the set is empty then.
 */
void sessions_free(struct sessions *sessions);

#endif
