/* SPDX-License-Identifier: ISC */
/*
 * The client's opening handshake of a WebSocket (RFC 6455, section 4.1): TCP
 * connection, request, and a strict look at the answer.
 */
#ifndef SOCKWARD_CLI_HANDSHAKE_H
#define SOCKWARD_CLI_HANDSHAKE_H

#include <stddef.h>

#include "cli/parse.h"

#define ANSWER_MOST 16384 /* longest header of an answer */
#define KEY_TEXT    25    /* base64 of 16 bytes, and its NUL */
#define ACCEPT_TEXT 29    /* base64 of a SHA-1, and its NUL */

struct ws_request {
	struct ws_url url;
	const char *token;  /* or NULL; sent as a subprotocol entry auth.BASE64URL */
	const char *origin; /* or NULL */
};

/* An open connection, and what came behind the answer's header. */
struct ws_start {
	int fd; /* non-blocking, close-on-exec */
	char rest[ANSWER_MOST];
	size_t rest_length;
};

/**
 * handshake_accept() - the Sec-WebSocket-Accept value that belongs to a key.
 * @key: the key as sent, in base64.
 */
void handshake_accept(const char *key, char out[ACCEPT_TEXT]);

/**
 * handshake_judge() - is this answer the opening of a WebSocket?
 * @head: the answer up to and with its empty line, NUL-terminated; is changed.
 * @accept: the value that Sec-WebSocket-Accept must have.
 * @why: receives a sentence when it is not. @room: its size.
 *
 * Demands 101, Upgrade, Connection and the accept value, once each; no
 * extension, and no subprotocol but `binary`. Returns 0, or -1 with @why set.
 */
int handshake_judge(char *head, const char *accept, char *why, size_t room);

/**
 * handshake() - connect and open the WebSocket.
 * @request: what for. @start: set on success; the caller closes @start->fd.
 * @why: receives a sentence on failure. @room: its size.
 *
 * Takes at most 30 s. Returns 0, or -1 with @why set.
 */
int handshake(const struct ws_request *request, struct ws_start *start, char *why, size_t room);

#endif
