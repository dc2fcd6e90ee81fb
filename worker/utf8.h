/* SPDX-License-Identifier: ISC */
/*
 * UTF-8 (RFC 3629) checked as it streams: no overlong forms, no surrogates,
 * nothing above U+10FFFF; wrong at the first byte that cannot be right.
 */
#ifndef SOCKWARD_WORKER_UTF8_H
#define SOCKWARD_WORKER_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: at the start of a text. */
struct utf8 {
	uint8_t need; /* continuation bytes that must follow */
	uint8_t low;  /* range of the next one; 0 for the ordinary one */
	uint8_t high;
	bool bad;
};

/**
 * utf8_feed() - the next bytes of a text, cut anywhere.
 *
 * Returns false when the text is wrong, from then on always.
 */
bool utf8_feed(struct utf8 *state, const void *bytes, size_t length);

/**
 * utf8_ended() - may the text end here?
 *
 * Returns false inside a character or when the text was wrong.
 */
bool utf8_ended(const struct utf8 *state);

/**
 * utf8_valid() - is this whole text right? The empty one is.
 */
bool utf8_valid(const void *bytes, size_t length);

#endif
