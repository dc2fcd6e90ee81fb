/* SPDX-License-Identifier: ISC */
/*
 * A strict HTTP/1.1 request head (RFC 9110, RFC 9112), for one request a
 * connection. No input or output, no allocation; the bytes stay in the caller's
 * buffer, and the results are places in it.
 *
 * Stricter than the RFCs where they allow to be: no line before the request
 * line, origin-form targets only, no body, no bare LF, no folded line. What is
 * not understood is refused, and every refusal closes the connection, so that
 * nothing is ever read behind a refused request.
 */
#ifndef SOCKWARD_WORKER_HTTP_H
#define SOCKWARD_WORKER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MOST      8192 /* bytes, with the empty line at the end */
#define HTTP_FIELDS_MOST    64   /* header lines, known and unknown */
#define HTTP_PROTOCOLS_MOST 16   /* subprotocols that a client may offer */
#define HTTP_KEY_LENGTH     24   /* Sec-WebSocket-Key: 16 bytes in base64 */
#define HTTP_HOST_MOST      255  /* bytes of Host and of Origin: they fit struct ipc_auth */

/* A place in the buffer that was parsed. */
struct http_span {
	uint16_t at;
	uint16_t length;
};

enum http_result {
	HTTP_MORE,   /* the head is not complete yet */
	HTTP_DONE,   /* head->length bytes of the buffer are the head */
	HTTP_REFUSE, /* answer head->status, then close */
};

enum http_method {
	HTTP_GET = 1,
	HTTP_OPTIONS, /* for a CORS preflight; never an upgrade */
};

/* The header fields that mean something here. */
enum http_name {
	HTTP_HOST = 1,     /* exactly one in a finished head */
	HTTP_ORIGIN,       /* at most one; may be empty; no blank or comma inside */
	HTTP_UPGRADE,      /* a list */
	HTTP_CONNECTION,   /* a list */
	HTTP_KEY,          /* at most one */
	HTTP_VERSION,      /* any number: http_upgrade() judges it */
	HTTP_PROTOCOL,     /* a list */
	HTTP_AUTHORIZATION /* at most one */
};

struct http_field {
	uint8_t name; /* enum http_name */
	struct http_span value;
};

/* Zero it before the first http_parse(); read-only for callers. */
struct http_head {
	uint16_t scanned; /* resume here */
	uint16_t line;    /* where the line that is being read begins */
	uint16_t lines;   /* complete header lines so far */
	uint16_t known;   /* used entries of fields */
	uint8_t result;   /* enum http_result so far */
	uint8_t method;   /* enum http_method; 0 before the request line was read */
	bool has_query;   /* a '?' was there, even if nothing followed */
	uint16_t status;  /* 400, 405 or 431, when refused */
	uint16_t length;  /* of the head, when done */
	struct http_span path;
	struct http_span query; /* behind the '?' */
	struct http_field fields[HTTP_FIELDS_MOST];
};

/* Where http_next() goes on. Zero it to begin. */
struct http_cursor {
	uint16_t field;
	uint16_t offset;
};

enum http_kind {
	HTTP_PLAIN,         /* no trace of an upgrade: an ordinary request */
	HTTP_WEBSOCKET,     /* a right upgrade; http_field(HTTP_KEY) has 24 bytes */
	HTTP_BAD_UPGRADE,   /* answer 400 */
	HTTP_OTHER_VERSION, /* answer 426, which names version 13 */
};

/**
 * http_parse() - go on with reading a request head.
 * @head: zeroed before the first call; keeps what was found so far.
 * @buffer: all bytes of the connection so far: what was passed before, and more behind it.
 * @length: how many they are; any number, also more than the head.
 *
 * Looks at each byte once over all calls, however they are cut. The outcome
 * does not depend on how the bytes are cut. Bytes behind the head
 * (@length - head->length) are not looked at: they belong to the WebSocket.
 *
 * Once done or refused, further calls answer the same. Refused are, with 431:
 * a head that is longer than HTTP_HEAD_MOST, more than HTTP_FIELDS_MOST lines;
 * with 405: another method than GET and OPTIONS; with 400: all else that is
 * wrong, among it Content-Length, Transfer-Encoding and Expect in any form.
 */
enum http_result http_parse(struct http_head *head, const char *buffer, size_t length);

/**
 * http_find() - the only or first field of that name.
 * @head: a head that is done.
 *
 * Returns the place of its value, without blanks around it, or NULL if absent.
 */
const struct http_span *http_find(const struct http_head *head, enum http_name name);

/**
 * http_next() - go through the elements of a list field (RFC 9110, 5.6.1).
 * @head: a head that is done. @buffer: its bytes.
 * @name: HTTP_UPGRADE, HTTP_CONNECTION or HTTP_PROTOCOL; several lines are one list.
 * @cursor: zeroed before the first call.
 * @item: receives the place of the next element, which is never empty.
 *
 * Returns false at the end of the list. Elements are not checked for their
 * grammar here, but those of HTTP_PROTOCOL are distinct tokens, at most
 * HTTP_PROTOCOLS_MOST, once http_upgrade() answered HTTP_WEBSOCKET.
 */
bool http_next(const struct http_head *head, const char *buffer, enum http_name name,
	       struct http_cursor *cursor, struct http_span *item);

/**
 * http_upgrade() - is it a WebSocket upgrade (RFC 6455, 4.2.1)?
 * @head: a head that is done. @buffer: its bytes.
 */
enum http_kind http_upgrade(const struct http_head *head, const char *buffer);

/**
 * http_copy_lower() - a value as NUL-terminated text, ASCII letters lower case.
 * @value: the place of Host or Origin in @buffer; NULL gives an empty text.
 * @out: HTTP_HOST_MOST + 1 bytes, zero-filled behind the text.
 */
void http_copy_lower(const char *buffer, const struct http_span *value,
		     char out[HTTP_HOST_MOST + 1]);

/**
 * http_is_token() - is it a token of RFC 9110, 5.6.2, of at least one byte?
 */
bool http_is_token(const char *text, size_t length);

#endif
