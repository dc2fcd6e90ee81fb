/* SPDX-License-Identifier: ISC */
/* Parts of a play for sessions of the wasmnet dialect. */
#ifndef SOCKWARD_TESTS_UNIT_WASMNET_PLAY_H
#define SOCKWARD_TESTS_UNIT_WASMNET_PLAY_H

#include "tests/unit/play.h"

/* An IPv4 or IPv6 address for a message. */
#define V4(a, b, c, d, p) ((struct ipc_addr){.family = 4, .port = (p), .ip = {a, b, c, d}})
#define V6_LOOPBACK(p)    ((struct ipc_addr){.family = 6, .port = (p), .ip = {[15] = 1}})

/**
 * wn_begin() - a wasmnet session, granted, with message_bytes of 1 MiB.
 */
void wn_begin(struct play *p, uint32_t channels);

/**
 * wn_send() - the client sends a binary message. @hex: its bytes; blanks are skipped.
 */
void wn_send(struct play *p, const char *hex);

/**
 * wn_expect() - the next message is binary, and those bytes.
 */
void wn_expect(struct play *p, const char *hex);

/**
 * wn_expect_text() - the next message is binary: an event of that type and id, with a text.
 */
void wn_expect_text(struct play *p, unsigned int type, unsigned int id, const char *text);

/**
 * wn_take() - the next message to the broker is an OPEN of that protocol, kind and host.
 */
struct ipc_open wn_take(struct play *p, unsigned int protocol, unsigned int kind, const char *host);

/**
 * wn_opened() - the broker answers with a socket. @type: SOCK_STREAM or SOCK_DGRAM.
 * @said: bytes that it has received already, or NULL.
 *
 * Returns the far end.
 */
int wn_opened(struct play *p, int type, uint32_t tag, uint32_t stream, struct ipc_addr peer,
	      struct ipc_addr local, const char *said);

/**
 * wn_refused() - the broker refuses a request and tells which address it is about.
 */
void wn_refused(struct play *p, uint32_t tag, uint32_t reason, struct ipc_addr peer);

/**
 * wn_listening() - the broker listens for a request.
 */
void wn_listening(struct play *p, uint32_t tag, uint32_t stream, struct ipc_addr local);

/**
 * wn_expect_bytes() - a far end receives those bytes; of a datagram, all of it.
 */
void wn_expect_bytes(int fd, const char *bytes, size_t n);

/**
 * wn_expect_end() - the next message to the broker is the END of that stream.
 */
void wn_expect_end(struct play *p, uint32_t stream);

#endif
