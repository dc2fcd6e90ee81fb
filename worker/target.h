/* SPDX-License-Identifier: ISC */
/*
 * The request target: a path's segments, and parameters. The first segment chooses
 * the dialect (worker/dialect.h), which reads the others itself. Paths are compared
 * byte by byte, before any decoding and without any normalising: "/./health",
 * "//health" and "/%68ealth" are other paths.
 */
#ifndef SOCKWARD_WORKER_TARGET_H
#define SOCKWARD_WORKER_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET_WORD     32   /* room for the first segment, with its NUL */
#define TARGET_SEGMENTS 4    /* that are kept of what follows it */
#define TARGET_HOST     1024 /* room for one of them decoded, UTF-8, with its NUL */

/* A part of the path between slashes. */
struct target_segment {
	const char *raw; /* as it was sent, in the request's head */
	size_t raw_length;
	char text[TARGET_HOST]; /* decoded; empty when it does not fit */
	size_t length;
};

struct target {
	bool bad;               /* malformed escapes: answer 400 */
	char word[TARGET_WORD]; /* the first segment as it was sent; empty when it does not fit */
	/*
	 * What follows it: none for "/word", one that is empty for "/word/". Of more
	 * than TARGET_SEGMENTS only so many are kept, but all are counted.
	 */
	size_t segments;
	struct target_segment segment[TARGET_SEGMENTS];
};

enum target_parameter {
	TARGET_ABSENT,
	TARGET_FOUND,
	TARGET_MALFORMED, /* twice the same name, bad escapes, or too long */
};

/**
 * target_read() - take a path apart.
 * @path: as in the request line, from the first slash, without the query.
 * @length: its bytes.
 * @out: always set; points into @path. Texts are NUL-terminated and have no byte
 *       below 0x20, nor 0x7f. No host is judged: name_canonical() does that, and the
 *       client learns a refusal after the 101 (name-invalid).
 */
void target_read(const char *path, size_t length, struct target *out);

/**
 * target_is() - is the path "/word" alone?
 */
bool target_is(const struct target *target, const char *word);

/**
 * target_port() - a port: decimal, 1 to 65535, no sign, no leading zero, no blank.
 *
 * Returns the port, or 0.
 */
uint16_t target_port(const char *text, size_t length);

/**
 * target_decode() - undo percent-encoding (RFC 3986, 2.1).
 * @text: @length bytes of a path segment or of a query's name or value.
 * @out: receives the bytes and a NUL; @size bytes of room.
 * @out_length: receives the bytes without the NUL.
 *
 * Strict: an escape is '%' and two hexadecimal digits, and no byte of the
 * result is below 0x20 or 0x7f. A '+' stays a '+'. Returns false, with @out
 * undefined and @out_length untouched, when it is malformed or does not fit.
 */
bool target_decode(const char *text, size_t length, char *out, size_t size, size_t *out_length);

/**
 * target_query() - a parameter of a query by its name.
 * @query: behind the '?', pairs NAME=VALUE with '&' between them. @length: its bytes.
 * @name: NUL-terminated, compared with the names as they are in the query.
 * @out: receives the decoded value and a NUL. @size: room. @out_length: its bytes.
 *
 * A name without '=' has an empty value. The outputs are untouched but when
 * TARGET_FOUND.
 */
enum target_parameter target_query(const char *query, size_t length, const char *name, char *out,
				   size_t size, size_t *out_length);

#endif
