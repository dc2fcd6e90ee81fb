/* SPDX-License-Identifier: ISC */
#include "helpers/auditor/sessions.h"

#include <stdlib.h>

#define FIRST 1024

/* Ids are random or counted up: a multiplication spreads both. */
static size_t
home(const struct sessions *sessions, uint64_t session)
{
	return (size_t)((session * 0x9e3779b97f4a7c15ULL) >> 32) & (sessions->size - 1);
}

/* Where it is, or the free slot where it belongs. */
static size_t
place(const struct sessions *sessions, uint64_t session)
{
	size_t at = home(sessions, session);

	while (sessions->slots[at] && sessions->slots[at] != session)
		at = (at + 1) & (sessions->size - 1);
	return at;
}

static int
grow(struct sessions *sessions)
{
	struct sessions more = {.size = sessions->size ? sessions->size * 2 : FIRST};

	if (sessions->n >= SESSIONS_MOST)
		return -1;
	more.slots = calloc(more.size, sizeof(*more.slots));
	if (!more.slots)
		return -1;
	for (size_t i = 0; i < sessions->size; i++) {
		if (sessions->slots[i])
			more.slots[place(&more, sessions->slots[i])] = sessions->slots[i];
	}
	more.n = sessions->n;
	free(sessions->slots);
	*sessions = more;
	return 0;
}

int
sessions_add(struct sessions *sessions, uint64_t session)
{
	size_t at;

	if (sessions->n >= sessions->size / 4 * 3 && grow(sessions) < 0)
		return -1;
	at = place(sessions, session);
	if (!sessions->slots[at])
		sessions->n++;
	sessions->slots[at] = session;
	return 0;
}

void
sessions_remove(struct sessions *sessions, uint64_t session)
{
	size_t hole;
	size_t at;

	if (!sessions->n)
		return;
	hole = place(sessions, session);
	if (!sessions->slots[hole])
		return;
	sessions->n--;
	/* Those behind that would be searched for across the hole move up into it. */
	for (at = (hole + 1) & (sessions->size - 1); sessions->slots[at];
	     at = (at + 1) & (sessions->size - 1)) {
		size_t want = home(sessions, sessions->slots[at]);

		if (((at - want) & (sessions->size - 1)) >= ((at - hole) & (sessions->size - 1))) {
			sessions->slots[hole] = sessions->slots[at];
			hole = at;
		}
	}
	sessions->slots[hole] = 0;
}

uint64_t
sessions_any(struct sessions *sessions)
{
	if (!sessions->n)
		return 0;
	/* Going on where the last one was: emptying the set by this is one walk. */
	while (!sessions->slots[sessions->from & (sessions->size - 1)])
		sessions->from++;
	return sessions->slots[sessions->from & (sessions->size - 1)];
}

void
sessions_free(struct sessions *sessions)
{
	free(sessions->slots);
	*sessions = (struct sessions){0};
}
