/* SPDX-License-Identifier: ISC */
/*
 * Strict base64 (RFC 4648): one spelling for each sequence of bytes. No blanks,
 * no line breaks, exact padding, spare bits zero.
 */
#ifndef SOCKWARD_WORKER_BASE64_H
#define SOCKWARD_WORKER_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that @n bytes become, with padding. */
#define BASE64_ENCODED(n) (((n) + 2) / 3 * 4)
/* Bytes that @n characters can become at most, of either alphabet. */
#define BASE64_DECODED(n) ((n) / 4 * 3 + 2)

/**
 * base64_encode() - standard alphabet, padded.
 * @bytes: @length of them.
 * @out: receives BASE64_ENCODED(@length) characters, no NUL. Must not overlap @bytes.
 *
 * Returns the number of characters.
 */
size_t base64_encode(const uint8_t *bytes, size_t length, char *out);

/**
 * base64_decode() - standard alphabet, padded.
 * @text: @length characters.
 * @out: receives the bytes; may be @text itself, else must not overlap it.
 * @room: bytes that @out can take.
 * @out_length: receives how many were written; untouched on false.
 *
 * The empty text is right, and is no bytes. Returns false when the text is not
 * canonical base64 or does not fit; @out is then undefined up to @room bytes.
 */
bool base64_decode(const char *text, size_t length, uint8_t *out, size_t room, size_t *out_length);

/**
 * base64url_decode() - URL alphabet, without padding (RFC 4648, 5; RFC 7515, 2).
 *
 * Parameters and result as base64_decode().
 */
bool base64url_decode(const char *text, size_t length, uint8_t *out, size_t room,
		      size_t *out_length);

#endif
