/* SPDX-License-Identifier: ISC */
/*
 * The request target: which dialect, which destination, which parameters.
 * Paths are compared byte by byte, before any decoding and without any
 * normalising: "/./health", "//health" and "/%68ealth" are other paths.
 */
#ifndef SOCKWARD_WORKER_TARGET_H
#define SOCKWARD_WORKER_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET_HOST 1024 /* a decoded host, UTF-8, with its NUL */

enum target_route {
	TARGET_BAD,      /* malformed escapes: answer 400 */
	TARGET_NONE,     /* no such path: answer 404 */
	TARGET_HEALTH,   /* /health */
	TARGET_RAW,      /* /raw/HOST/PORT */
	TARGET_NETPROXY, /* /netproxy, with or without one slash behind it */
};

struct target {
	enum target_route route;
	/*
	 * For TARGET_RAW. The host is decoded but not judged: name_canonical()
	 * does that, and the client learns a refusal after the 101 (name-invalid).
	 * port is 0 when its segment is no port: the same refusal.
	 */
	char host[TARGET_HOST];
	size_t host_length;
	uint16_t port;
};

enum target_parameter {
	TARGET_ABSENT,
	TARGET_FOUND,
	TARGET_MALFORMED, /* twice the same name, bad escapes, or too long */
};

/**
 * target_read() - find the route of a path.
 * @path: as in the request line, from the first slash, without the query.
 * @length: its bytes.
 * @out: always set; host is NUL-terminated and has no byte below 0x20, nor 0x7f.
 */
void target_read(const char *path, size_t length, struct target *out);

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
