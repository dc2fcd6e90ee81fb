/* SPDX-License-Identifier: ISC */
#include "policy/arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

struct arena_piece {
	struct arena_piece *next;
	max_align_t bytes[];
};

void *
arena_take(struct arena *arena, size_t n, size_t size)
{
	struct arena_piece *piece = NULL;

	if (size == 0 || n <= (SIZE_MAX / 2) / size)
		piece = calloc(1, sizeof(*piece) + n * size);
	if (!piece) {
		errno = ENOMEM;
		fail_start("cannot read the policy");
	}
	piece->next = arena->pieces;
	arena->pieces = piece;
	return piece->bytes;
}

char *
arena_text(struct arena *arena, const char *bytes, size_t n)
{
	char *text = arena_take(arena, n + 1, 1);

	memcpy(text, bytes, n);
	return text;
}

void
arena_free(struct arena *arena)
{
	while (arena->pieces) {
		struct arena_piece *piece = arena->pieces;

		arena->pieces = piece->next;
		free(piece);
	}
}
