/* SPDX-License-Identifier: ISC */
/*
 * A play for one worker session: the session in a child process, unconfined, and
 * the test in the parts of the client, the broker and the destinations. All of
 * it over socket pairs. What does not come within 10 seconds fails the test.
 */
#ifndef SOCKWARD_TESTS_UNIT_PLAY_H
#define SOCKWARD_TESTS_UNIT_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/channel.h"

#define PLAY_MOST (4U << 20) /* longest message that the client takes */

struct play {
	pid_t pid;
	int client;  /* the client's end; blocking, with time limits */
	int broker;  /* the broker's end; non-blocking */
	bool silent; /* the client's socket was not sent yet */
	int given;   /* the worker's end of the client's connection, until it is sent */
};

struct play_frame {
	bool fin;
	unsigned int op;
	unsigned int code; /* of a close frame; 0 for none */
	size_t n;
	uint8_t *bytes; /* of a close frame: its reason; NUL-terminated; freed by the next */
};

/**
 * play_begin() - start a session. @send_client: with its CLIENT message.
 */
void play_begin(struct play *p, bool send_client);

/**
 * play_end() - close what is open, reap the session, check its exit status.
 */
void play_end(struct play *p, int status);

/**
 * play_send() - the client sends bytes as they are.
 */
void play_send(struct play *p, const void *bytes, size_t n);

/**
 * play_upgrade() - the client asks for the upgrade; AUTH is taken; the 101 is read.
 * @fields: more header lines, each with CR LF. @auth: receives AUTH, unless NULL.
 */
void play_upgrade(struct play *p, const char *target, const char *fields, struct ipc_auth *auth);

/**
 * play_grant() - the broker grants the session.
 */
void play_grant(struct play *p, uint32_t channels, uint32_t message_bytes);

/**
 * play_frame() - the client sends a masked frame. @op: the opcode, with 0x80 for FIN.
 */
void play_frame(struct play *p, unsigned int op, const void *bytes, size_t n);

/**
 * play_text() - the client sends a text message.
 */
void play_text(struct play *p, const char *text);

/**
 * play_next() - the next frame that the client gets.
 */
const struct play_frame *play_next(struct play *p);

/**
 * play_expect_text() - the next frame is exactly this text.
 */
void play_expect_text(struct play *p, const char *text);

/**
 * play_expect_close() - the next frame closes. @reason: its beginning.
 */
void play_expect_close(struct play *p, unsigned int code, const char *reason);

/**
 * play_expect_eof() - nothing more comes to the client but the end; then it closes.
 */
void play_expect_eof(struct play *p);

/**
 * play_take() - the next message to the broker, which must have that type.
 */
void play_take(struct play *p, uint32_t type, struct ipc_buffer *buffer);

/**
 * play_quiet() - the broker gets nothing for a while.
 */
void play_quiet(struct play *p);

/**
 * play_opened() - the broker answers with a socket. Returns the destination's end.
 */
int play_opened(struct play *p, uint32_t tag, uint32_t stream);

/**
 * play_udp() - two UDP sockets on loopback that are connected with each other.
 * @fds: the far one, blocking, with time limits; and the near one, non-blocking.
 */
void play_udp(int fds[2]);

/**
 * play_opened_udp() - the broker answers with a UDP socket. Returns the far one.
 */
int play_opened_udp(struct play *p, uint32_t tag, uint32_t stream);

/**
 * play_refused() - the broker refuses a request, or with tag 0 the session.
 */
void play_refused(struct play *p, uint32_t tag, uint32_t reason);

/**
 * play_post() - the broker sends any bytes, with @n_fds descriptors.
 */
void play_post(struct play *p, const void *message, size_t n, int n_fds);

/**
 * play_read() - exactly @n bytes from a descriptor, or fewer up to its end.
 */
size_t play_read(int fd, void *bytes, size_t n);

/**
 * play_write() - exactly @n bytes.
 */
void play_write(int fd, const void *bytes, size_t n);

/**
 * play_random() - fill with bytes that a seed decides.
 */
void play_random(uint8_t *bytes, size_t n, uint64_t seed);

/**
 * play_raw() - a raw session to db.example:5432 up to its open stream, number 77.
 *
 * Returns the destination's end.
 */
int play_raw(struct play *p, const char *target);

/**
 * play_netproxy() - a netproxy session, granted, with message_bytes of 1 MiB.
 */
void play_netproxy(struct play *p, uint32_t channels);

/**
 * play_take_open() - the next message is an OPEN of that destination.
 *
 * Returns its tag.
 */
uint32_t play_take_open(struct play *p, const char *host, unsigned int port);

/**
 * play_expect_end() - the next message is the END of stream 77 with those counts.
 */
void play_expect_end(struct play *p, uint64_t up, uint64_t down);

/**
 * play_expect_counts() - the next message is COUNTS with those statuses.
 */
void play_expect_counts(struct play *p, unsigned int code, unsigned int status);

/**
 * play_lost() - the client goes without a word, and that is how the session ends.
 */
void play_lost(struct play *p);

#endif
