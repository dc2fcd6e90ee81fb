/* SPDX-License-Identifier: ISC */
/*
 * Bytes that wait: a queue in one piece of memory that grows up to a limit and
 * gives its memory back when it is empty.
 */
#ifndef SOCKWARD_WORKER_BUFFER_H
#define SOCKWARD_WORKER_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed: empty, holding nothing, with no room until @most is set. */
struct buffer {
	uint8_t *bytes;
	size_t start;  /* of what waits */
	size_t length; /* of what waits */
	size_t size;   /* of the memory */
	size_t most;   /* most that may wait, in bytes */
};

/**
 * buffer_add() - put bytes at the end.
 *
 * Returns 0, or -1 with ENOBUFS (it would be over most) or ENOMEM; nothing is
 * added then.
 */
int buffer_add(struct buffer *b, const void *bytes, size_t n);

/**
 * buffer_head() - the first of the waiting bytes; b->length of them.
 */
const uint8_t *buffer_head(const struct buffer *b);

/**
 * buffer_drop() - take bytes off the front. @n: at most b->length.
 */
void buffer_drop(struct buffer *b, size_t n);

/**
 * buffer_free() - forget everything and free the memory; most stays.
 */
void buffer_free(struct buffer *b);

#endif
