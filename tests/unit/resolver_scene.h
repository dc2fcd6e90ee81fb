/* SPDX-License-Identifier: ISC */
/*
 * The resolver's queue: the test is its loop, its clock, its client and its
 * lookups.
 */
#ifndef SOCKWARD_TESTS_RESOLVER_SCENE_H
#define SOCKWARD_TESTS_RESOLVER_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "helpers/resolver/queue.h"

extern struct resolver_scene {
	struct resolver resolver;
	struct serve_client client;
	uint64_t now;
	int error;      /* of lookup_start(), or 0 */
	bool unwatched; /* serve_watch() fails */
	unsigned int lookups;
	int ends[QUERIES_MOST]; /* the writing ends */
	char looked_up[IPC_HOST];
	unsigned int names; /* made by ask() */
	unsigned int answers;
	unsigned int logged;
	struct ipc_addresses last;
} test;

/**
 * start() - an empty queue; for the set-up of a test.
 */
int start(void **state);

/**
 * end() - close what is open of the lookups; for the tear-down.
 */
int end(void **state);

/**
 * ask_for() - a client's question. Returns what queue_message() does.
 */
int ask_for(const char *grant, const char *name, uint64_t session);

/**
 * ask() - @n questions of one grant, each for a name of its own.
 */
void ask(uint64_t session, unsigned int n);

/**
 * say() - what the @nth process says, which has that @place, and its end.
 * @n: bytes of @result, or 0.
 */
void say(unsigned int nth, unsigned int place, const struct lookup_result *result, size_t n);

/**
 * count() - the queries of a list: each is in one at most, and none is lost.
 */
unsigned int count(const struct queries *list);

#endif
