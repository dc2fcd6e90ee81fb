/* SPDX-License-Identifier: ISC */
/*
 * What the worker answers in HTTP. Fixed texts: nothing of a request comes back
 * but the subprotocol that was chosen. Every answer but the 101 says
 * "Connection: close", and the caller must close.
 */
#ifndef SOCKWARD_WORKER_ACCEPT_H
#define SOCKWARD_WORKER_ACCEPT_H

#include <stddef.h>

#include "worker/http.h"

#define ACCEPT_VALUE_LENGTH  28  /* Sec-WebSocket-Accept: 20 bytes in base64 */
#define ACCEPT_PROTOCOL_MOST 128 /* bytes of a subprotocol that may be chosen */
#define ACCEPT_SIZE          320 /* room that any 101 fits in */

/**
 * accept_value() - the answer to a key (RFC 6455, 4.2.2).
 * @key: HTTP_KEY_LENGTH bytes, not NUL-terminated.
 * @out: receives ACCEPT_VALUE_LENGTH bytes and a NUL.
 */
void accept_value(const char *key, char out[ACCEPT_VALUE_LENGTH + 1]);

/**
 * accept_upgrade() - compose the 101.
 * @key: HTTP_KEY_LENGTH bytes, as offered.
 * @protocol: the chosen subprotocol; NULL for none.
 * @protocol_length: its bytes; at most ACCEPT_PROTOCOL_MOST, and a token: else
 *                   it is a bug of the caller, and abort().
 * @out: receives the answer, not NUL-terminated.
 *
 * Returns its length in bytes.
 */
size_t accept_upgrade(const char *key, const char *protocol, size_t protocol_length,
		      char out[ACCEPT_SIZE]);

/**
 * accept_refusal() - the whole answer for a status.
 * @status: 400, 404, 405, 426, 431 or 503; anything else is a bug, and abort().
 * @length: receives its bytes.
 *
 * Returns a constant text. 405 has Allow; 426 has Upgrade and
 * Sec-WebSocket-Version: 13, and answers a plain GET of a WebSocket's path too.
 */
const char *accept_refusal(unsigned int status, size_t *length);

/**
 * accept_health() - the answer to GET /health: 200, "ok".
 */
const char *accept_health(size_t *length);

/**
 * accept_preflight() - the answer to OPTIONS /netproxy: 204 with CORS fields.
 */
const char *accept_preflight(size_t *length);

#endif
