/* SPDX-License-Identifier: ISC */
/*
 * Writing one flat JSON object into a buffer, in printable ASCII and without
 * loss: valid UTF-8 becomes \uXXXX (two of them above U+FFFF), control bytes
 * become \u00XX, and a byte 0xNN that is not part of valid UTF-8 becomes the lone
 * surrogate \udcNN, which valid UTF-8 cannot produce (Python's surrogateescape).
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_WRITER_H
#define SOCKWARD_HELPERS_AUDITOR_WRITER_H

#include <stddef.h>
#include <stdint.h>

struct writer {
	char *text;
	size_t size;
	size_t length;
};

/**
 * writer_start() - begin an object in a buffer of @size bytes.
 *
 * The buffer must hold whatever is written: too small a one is a bug() of ours.
 */
void writer_start(struct writer *writer, char *text, size_t size);

/**
 * writer_text() - add a string member. @value: @length bytes of anything.
 */
void writer_text(struct writer *writer, const char *name, const char *value, size_t length);

/**
 * writer_word() - add a string member from a NUL-terminated text.
 */
void writer_word(struct writer *writer, const char *name, const char *value);

/**
 * writer_number() - add a number.
 */
void writer_number(struct writer *writer, const char *name, uint64_t value);

/**
 * writer_signed() - add a number that may be negative.
 */
void writer_signed(struct writer *writer, const char *name, int64_t value);

/**
 * writer_hex() - add a string of 16 hex digits.
 */
void writer_hex(struct writer *writer, const char *name, uint64_t value);

/**
 * writer_time() - add a UTC time by RFC 3339 with nine decimals.
 * @ns: nanoseconds since the epoch.
 */
void writer_time(struct writer *writer, const char *name, uint64_t ns);

#endif
