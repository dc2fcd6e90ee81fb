/* SPDX-License-Identifier: ISC */
/*
 * Memory for a policy while it is read: taken piece by piece, given back at once.
 * What a policy can make us take is bounded by the size of its text.
 */
#ifndef SOCKWARD_POLICY_ARENA_H
#define SOCKWARD_POLICY_ARENA_H

#include <stddef.h>

struct arena_piece;

/* Zeroed by the owner at the start. */
struct arena {
	struct arena_piece *pieces;
};

/**
 * arena_take() - zeroed memory for @n elements of @size bytes each.
 *
 * Aligned for any type. Ends the program when there is none: a policy is read at
 * the start of a program or for one command, and never in the broker.
 */
void *arena_take(struct arena *arena, size_t n, size_t size);

/**
 * arena_text() - a copy of @n bytes, with a NUL behind it.
 */
char *arena_text(struct arena *arena, const char *bytes, size_t n);

/**
 * arena_free() - give everything back.
 */
void arena_free(struct arena *arena);

#endif
