/* SPDX-License-Identifier: ISC */
/*
 * A client's connection (worker/ws.h) over a socket pair, with the test's own
 * clock, and the test in the part of the client.
 */
#ifndef SOCKWARD_TESTS_UNIT_SCENE_H
#define SOCKWARD_TESTS_UNIT_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/ws.h"

#define SCENE_MOST (1U << 20)

/* A connection, what the reader got, and what the client got. */
struct scene {
	struct ws ws;
	int client;
	bool full;
	unsigned int begun;
	unsigned int ended;
	bool text;
	size_t n;
	uint8_t got[SCENE_MOST];
	size_t out_n;
	uint8_t out[2 * SCENE_MOST];
	bool out_eof;
};

/**
 * scene_start() - an upgraded, open connection; the answer was "HI". For cmocka.
 */
int scene_start(void **state);

/**
 * scene_stop() - its end. For cmocka.
 */
int scene_stop(void **state);

/**
 * scene_read() - the client reads what there is, into out.
 */
void scene_read(struct scene *s);

/**
 * scene_turn() - the session's loop, until nothing moves any more.
 */
void scene_turn(struct scene *s);

/**
 * scene_send() - the client sends bytes as they are.
 */
void scene_send(struct scene *s, const void *bytes, size_t n);

/**
 * scene_frame() - the client sends a frame, masked with zeros. @n: below 65,536.
 */
void scene_frame(struct scene *s, unsigned int first, const void *payload, size_t n);

/**
 * scene_expect() - all that the client got, behind the answer, is exactly this.
 */
void scene_expect(struct scene *s, const void *bytes, size_t n);

/**
 * scene_fill() - send messages of 60,000 bytes until there is no room.
 *
 * Returns how many bytes of payload were accepted.
 */
size_t scene_fill(struct scene *s);

#endif
