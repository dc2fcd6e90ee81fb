/* SPDX-License-Identifier: ISC */
/*
 * Frames for the guard's tests: made, fed in every way of cutting them, and the
 * outcomes compared.
 */
#ifndef SOCKWARD_TESTS_UNIT_FRAMES_H
#define SOCKWARD_TESTS_UNIT_FRAMES_H

#include "worker/guard.h"

#define FRAMES_MESSAGE 100000U
#define FRAMES_MOST    (128U * 1024)

/* 1,000 fragments; four pings at once, two a second. */
extern const struct guard_limits frames_limits;

/* What became of a sequence of frames. */
struct outcome {
	uint8_t out[FRAMES_MOST];
	size_t made;
	size_t taken; /* of the input, when it stopped */
	enum guard_event event;
	unsigned int code;
	unsigned int pings;
	uint8_t ping[GUARD_CONTROL];
	uint8_t ping_length;
};

/**
 * frames_feed() - feed one piece to its end or a verdict.
 * @room: most bytes of output at once.
 */
void frames_feed(struct guard *g, struct outcome *o, const uint8_t *in, size_t n, size_t room);

/**
 * frames_whole() - what becomes of these bytes in one piece. Freed by the caller.
 */
struct outcome *frames_whole(const uint8_t *in, size_t n);

/**
 * frames_any_cut() - the same must become of them however they are cut (case 26).
 */
void frames_any_cut(const uint8_t *in, size_t n, const struct outcome *wanted);

/**
 * frames_verdict() - the verdict on these bytes, however they are cut.
 * @made: bytes that went through.
 */
void frames_verdict(const void *bytes, size_t n, enum guard_event event, unsigned int code,
		    size_t made);

/**
 * frames_bad() - a violation with that close code, and nothing went through.
 */
void frames_bad(const void *bytes, size_t n, unsigned int code);

/**
 * frames_add() - make a frame, masked with zeros so that the payload stands as it is.
 * @payload: NULL for letters.
 *
 * Returns its length.
 */
size_t frames_add(uint8_t *out, unsigned int first, const void *payload, size_t n);

#endif
