/* SPDX-License-Identifier: ISC */
/*
 * A message of the client that is needed whole: put together from its pieces. For
 * dialects, which call these from their functions of the same names.
 */
#ifndef SOCKWARD_WORKER_GATHER_H
#define SOCKWARD_WORKER_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/buffer.h"

struct session;

/* Zeroed: no message. */
struct gather {
	struct buffer bytes;
	bool text; /* what the message is; else binary */
};

/**
 * gather_begin() - a message begins; what there was of another is forgotten.
 * @s: granted: its message_bytes are the most that is taken.
 */
void gather_begin(const struct session *s, struct gather *g, bool text);

/**
 * gather_chunk() - a piece of it, @n bytes.
 *
 * Returns whether it was taken. If not, memory was short and the session ends
 * (session_no_memory()); longer than message_bytes none gets through the WebSocket's guard.
 */
bool gather_chunk(struct session *s, struct gather *g, const uint8_t *bytes, size_t n);

/**
 * gather_bytes() - what came so far: g->bytes.length bytes; never NULL.
 */
const uint8_t *gather_bytes(const struct gather *g);

/**
 * gather_free() - forget it, and free its memory.
 */
void gather_free(struct gather *g);

#endif
