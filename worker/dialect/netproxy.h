/* SPDX-License-Identifier: ISC */
/*
 * netproxy: what WASMTerminal's net-proxy.js speaks. JSON text messages; a
 * client's {"t":"open"|"write"|"close","id",...}, answered by
 * {"t":"opened"|"data"|"closed"|"error","id",...}. Shared by its two files.
 */
#ifndef SOCKWARD_WORKER_DIALECT_NETPROXY_H
#define SOCKWARD_WORKER_DIALECT_NETPROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/messages.h"
#include "worker/base64.h"
#include "worker/gather.h"

#define NETPROXY_ID     64U    /* longest id that is a string, in bytes */
#define NETPROXY_PIECE  16383U /* bytes in one data message; a multiple of 3 */
#define NETPROXY_ERROR  512U   /* longest text of an error, with its NUL */
#define NETPROXY_ANSWER (BASE64_ENCODED(NETPROXY_PIECE) + 6 * NETPROXY_ID + 6 * NETPROXY_ERROR + 64)

struct session;

/* Comes back as it was sent: a whole number or a string. */
struct netproxy_id {
	bool is_text;
	uint8_t length;
	char text[NETPROXY_ID];
	uint64_t number;
};

struct netproxy {
	struct gather message; /* the one under way */
	char answer[NETPROXY_ANSWER];
};

/* One connection of the client; the owner of a stream. */
struct netproxy_connection {
	struct netproxy_id id;
	bool opened;
	uint32_t writes; /* that wait for opened */
	uint16_t port;
	char host[IPC_HOST];
};

/**
 * netproxy_say() - send an answer without a payload: "opened" or "closed".
 */
void netproxy_say(struct session *s, const char *type, const struct netproxy_id *id);

/**
 * netproxy_say_data() - send bytes of a destination, in as many messages as it takes.
 */
void netproxy_say_data(struct session *s, const struct netproxy_id *id, const uint8_t *bytes,
		       size_t n);

/**
 * netproxy_say_error() - send an error. @id: NULL when the message had none.
 * @format: as printf(3); cut at NETPROXY_ERROR - 1 bytes.
 */
void netproxy_say_error(struct session *s, const struct netproxy_id *id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * netproxy_say_refused() - why a connection was not made, or was cut, in the
 * dialect's own words where it has some.
 * @peer: the address that was refused; family 0 when it is not told.
 */
void netproxy_say_refused(struct session *s, const struct netproxy_connection *connection,
			  uint32_t reason, const struct ipc_addr *peer);

#endif
