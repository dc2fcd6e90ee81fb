/* SPDX-License-Identifier: ISC */
/* What the tests of the Wisp dialect share: its packets, and the way into a session. */
#ifndef SOCKWARD_TESTS_UNIT_WISP_PLAY_H
#define SOCKWARD_TESTS_UNIT_WISP_PLAY_H

#include <stdint.h>

#include "tests/unit/play.h"

/* The payload of a packet, from a string with NULs in it. */
#define BYTES(text) text, sizeof(text) - 1

/**
 * wisp_v1() - a granted session of version 1, its first CONTINUE taken.
 */
void wisp_v1(struct play *p, uint32_t channels);

/**
 * wisp_v2() - one of version 2 up to the server's INFO, which is taken.
 */
void wisp_v2(struct play *p);

/**
 * wisp_send() - the client sends a packet.
 */
void wisp_send(struct play *p, unsigned int type, uint32_t id, const void *payload, size_t n);

/**
 * wisp_connect() - the client sends CONNECT. @kind: 1 TCP, 2 UDP.
 */
void wisp_connect(struct play *p, uint32_t id, unsigned int kind, unsigned int port,
		  const char *host);

/**
 * wisp_expect() - the next frame is exactly that packet.
 */
void wisp_expect(struct play *p, unsigned int type, uint32_t id, const void *payload, size_t n);

/**
 * wisp_open() - a TCP stream with the broker's number @id as well.
 *
 * Returns the destination's end.
 */
int wisp_open(struct play *p, uint32_t id);

#endif
