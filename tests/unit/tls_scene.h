/* SPDX-License-Identifier: ISC */
/*
 * A session in this process, as of play_inside.h, with a trust store, and one TLS stream
 * "a", number 1, to a far end.
 */
#ifndef SOCKWARD_TESTS_UNIT_TLS_SCENE_H
#define SOCKWARD_TESTS_UNIT_TLS_SCENE_H

#include "tests/unit/play_inside.h"
#include "tests/unit/tls_far.h"

/**
 * tls_scene_setup(), tls_scene_teardown() - both for cmocka; the state is a struct inside.
 */
int tls_scene_setup(void **state);
int tls_scene_teardown(void **state);

/**
 * tls_scene_ask() - a stream that was asked for, with 6 bytes pushed, "early "; and the
 * broker's socket came. @fd: receives its far end.
 */
struct stream *tls_scene_ask(struct inside *in, const char *host, int *fd);

/**
 * tls_scene_begin() - the same to FAR_HOST, with a far end at it.
 */
struct stream *tls_scene_begin(struct inside *in, struct far *far, enum far_fault fault);

/**
 * tls_scene_shake() - both go on as long as anything can happen.
 */
void tls_scene_shake(struct inside *in, struct far *far);

/**
 * tls_scene_open() - a stream that is open; the far end has read what was pushed.
 */
struct stream *tls_scene_open(struct inside *in, struct far *far);

/**
 * tls_scene_expect_end() - the next message is its END.
 * @sent: whether its socket took bytes, by its count.
 */
void tls_scene_expect_end(struct inside *in, uint32_t reason, bool sent);

#endif
