/* SPDX-License-Identifier: ISC */
/*
 * What a client's upgrade request says of itself beside the target: its token,
 * and which of the subprotocols that it offers is answered.
 *
 * A page cannot set header fields, and a query stands in logs, so a page sends
 * its token as a subprotocol, "auth." and the token in base64url. A browser
 * fails a connection when it offered subprotocols and none was chosen; the
 * entry with the token is never sent back. So a page that uses it offers one
 * more: "binary" or "sockward".
 */
#ifndef SOCKWARD_WORKER_TOKEN_H
#define SOCKWARD_WORKER_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "ipc/messages.h"
#include "ipc/words.h"
#include "worker/http.h"

enum token_result {
	TOKEN_ABSENT, /* none, or an empty one */
	TOKEN_FOUND,
	/*
	 * There is one, but it is malformed. To have the refusal on record the
	 * caller sends AUTH with has_token set and an empty token, which no
	 * authenticator admits.
	 */
	TOKEN_MALFORMED,
};

/**
 * token_find() - the token of a request.
 * @head: a head for which http_upgrade() answered HTTP_WEBSOCKET. @buffer: its bytes.
 * @dialect: DIALECT_NETPROXY looks at ?token=, then Authorization: Bearer, then
 *           the subprotocol; any other at the subprotocol first, then at
 *           ?token=, then at Authorization.
 * @token: receives the token, NUL-terminated and zero-filled behind the NUL;
 *         no byte of it is below 0x20 or 0x7f. Untouched but when TOKEN_FOUND.
 *
 * The first place that holds one decides, also when it is malformed. An
 * Authorization of another scheme than Bearer is as if absent.
 */
enum token_result token_find(const struct http_head *head, const char *buffer, enum dialect dialect,
			     char token[IPC_TOKEN]);

/**
 * token_protocol() - the subprotocol to answer.
 * @head, @buffer: as token_find().
 * @any: take the first offered one; else "binary", or else "sockward".
 * @out: receives its place in @buffer; untouched on false.
 *
 * Never an entry that begins with "auth.", nor one over ACCEPT_PROTOCOL_MOST
 * bytes. Returns false when none is to be answered.
 */
bool token_protocol(const struct http_head *head, const char *buffer, bool any,
		    struct http_span *out);

#endif
