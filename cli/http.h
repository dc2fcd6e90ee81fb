/* SPDX-License-Identifier: ISC */
/*
 * Just enough HTTP/1.1 (RFC 9112) for one request of a metrics collector: strict,
 * bounded in bytes and in time, and the connection is closed after it.
 */
#ifndef SOCKWARD_CLI_HTTP_H
#define SOCKWARD_CLI_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HTTP_HEAD 8192 /* bytes of a request, at most */
#define HTTP_MS   5000 /* until the request is there */

/**
 * http_head() - how long is the head of a request?
 * @bytes: @n of anything.
 *
 * Returns its bytes with the empty line; 0: its end is not there yet; -1: it is no
 * HTTP, since a line does not end in CR LF.
 */
ssize_t http_head(const char *bytes, size_t n);

/**
 * http_judge() - what is to be answered?
 * @head: a whole head, as http_head() found it. @n: its bytes.
 * @near: it came to a loopback address. A page in a browser on this host can have a name of
 *        its own lead there, and read the answer: so Host must be a number or localhost.
 * @body: set to whether the answer has a body: not to HEAD.
 *
 * Returns 200, 400, 404, 405, 421 or 505.
 */
int http_judge(const char *head, size_t n, bool near, bool *body);

/**
 * http_serve() - serve one request.
 * @in: to read from. @out: to write to; both are made non-blocking.
 * @page: makes the page; its text is freed with free(3), or NULL.
 * @context: for @page.
 * @type: the page's media type.
 *
 * Returns the status that was answered, or 0 when nobody asked, or did not wait
 * for the answer.
 */
int http_serve(int in, int out, char *(*page)(void *context, size_t *length), void *context,
	       const char *type);

#endif
