/* SPDX-License-Identifier: ISC */
/* One stream (worker/stream.h) over a socket pair, and the test as its destination. */
#ifndef SOCKWARD_TESTS_UNIT_WIRE_H
#define SOCKWARD_TESTS_UNIT_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "worker/stream.h"

#define WIRE_MOST (1U << 20)

struct wire {
	struct stream s;
	int peer; /* the destination's end; -1 when it is closed */
	uint8_t piece[65536];
};

/**
 * wire_asked() - a stream that waits for the broker's answer. For cmocka.
 */
int wire_asked(void **state);

/**
 * wire_connect() - the answer comes: a socket, as stream 9, at 1,000 ms.
 */
void wire_connect(struct wire *wire);

/**
 * wire_start() - both. For cmocka.
 */
int wire_start(void **state);

/**
 * wire_stop() - its end. For cmocka.
 */
int wire_stop(void **state);

/**
 * wire_reads() - what the destination can read now. Returns how many bytes.
 */
size_t wire_reads(struct wire *wire, void *bytes, size_t size);

#endif
