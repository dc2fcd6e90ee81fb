/* SPDX-License-Identifier: ISC */
#include "worker/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 4096U

/* Room for n more bytes behind what waits. */
static int
make_room(struct buffer *b, size_t n)
{
	size_t size = b->size ? b->size : FIRST / 2;
	uint8_t *bytes;

	if (b->size - b->start - b->length >= n)
		return 0;
	/* Moving pays only when less is moved than was taken off since the last time. */
	if (b->start >= b->length && b->size - b->length >= n) {
		memmove(b->bytes, b->bytes + b->start, b->length);
		b->start = 0;
		return 0;
	}
	do {
		size *= 2;
	} while (size < b->length + n);
	bytes = malloc(size);
	if (!bytes)
		return -1;
	if (b->length)
		memcpy(bytes, b->bytes + b->start, b->length);
	free(b->bytes);
	b->bytes = bytes;
	b->size = size;
	b->start = 0;
	return 0;
}

int
buffer_add(struct buffer *b, const void *bytes, size_t n)
{
	if (n > b->most || b->length > b->most - n) {
		errno = ENOBUFS;
		return -1;
	}
	if (!n)
		return 0;
	if (make_room(b, n) < 0)
		return -1;
	memcpy(b->bytes + b->start + b->length, bytes, n);
	b->length += n;
	return 0;
}

const uint8_t *
buffer_head(const struct buffer *b)
{
	return b->bytes + b->start;
}

void
buffer_drop(struct buffer *b, size_t n)
{
	b->start += n;
	b->length -= n;
	if (!b->length)
		buffer_free(b);
}

void
buffer_free(struct buffer *b)
{
	free(b->bytes);
	*b = (struct buffer){.most = b->most};
}
