/* SPDX-License-Identifier: ISC */
/*
 * Sending and receiving one message, and judging it by the table. Only these
 * functions touch a channel. All sockets are non-blocking SOCK_SEQPACKET.
 */
#ifndef SOCKWARD_IPC_CHANNEL_H
#define SOCKWARD_IPC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ipc/messages.h"

/* What was received: the message's length, and how many descriptors came along. */
struct ipc_got {
	size_t length; /* 0 when the peer is gone */
	int fds;       /* descriptors that came: 0, 1, or 2 and more, which no row has */
	int fd;        /* the first, close-on-exec, owned by the caller; or -1 */
};

/* A row of IPC_TABLE. */
struct ipc_row {
	enum ipc_channel channel;
	enum ipc_way way;
	int fds;
	unsigned int states;
	size_t length;
	const char *name;
};

/* The table: by type; the row of IPC_TYPE_NONE is of no channel. */
extern const struct ipc_row ipc_rows[];

/**
 * ipc_row() - the table's row of a message type.
 * @type: any number.
 *
 * Returns the row, or NULL when there is no such type.
 */
const struct ipc_row *ipc_row(uint32_t type);

/**
 * ipc_legal() - may this message arrive here, now?
 * @channel: the channel that it came on.
 * @way: the way that it went.
 * @state: the receiver's state, one bit of enum ipc_state.
 * @any: the message, @got->length bytes of it valid.
 * @got: its length and its number of descriptors.
 *
 * Returns true when a row of the table has all of it.
 */
bool ipc_legal(enum ipc_channel channel, enum ipc_way way, enum ipc_state state,
	       const union ipc_any *any, const struct ipc_got *got);

/**
 * ipc_post() - send a message without a descriptor, by write(2).
 * @fd: the channel.
 * @msg: the message; its head.type must be set.
 * @length: its size.
 *
 * A worker's filter has write(2) and no sendmsg(2), so this is all it sends with.
 * SIGPIPE must be ignored. Returns 0, or -1 with errno (EAGAIN when the peer
 * does not read; EPIPE or ECONNRESET when it is gone). Nothing is sent in part.
 */
int ipc_post(int fd, const void *msg, size_t length);

/**
 * ipc_pass() - send a message with one descriptor, by sendmsg(2).
 * @pass: the descriptor; the caller keeps it and closes its own copy. -1: none.
 *
 * Otherwise as ipc_post().
 */
int ipc_pass(int fd, const void *msg, size_t length, int pass);

/**
 * ipc_take() - receive a message.
 * @fd: the channel.
 * @buffer: receives it; untouched bytes stay as they were.
 * @got: always set, to zero and no descriptor on failure.
 * @descriptors: false where none may come: with no control buffer the kernel
 *       installs none, and @got->fds is 2 when some came. True: there is room for
 *       one, which goes to the caller in @got->fd; of more the kernel installs
 *       the first alone.
 *
 * The one place in sockward that receives descriptors: close-on-exec, exact control
 * length; a truncated message counts two too many, so that no row has it.
 * Returns 0, or -1 with errno (EAGAIN when there is none; ECONNRESET once, when the
 * peer closed without reading all: what it said is still there).
 */
int ipc_take(int fd, struct ipc_buffer *buffer, struct ipc_got *got, bool descriptors);

/**
 * ipc_text_ok() - is a text field well-formed?
 * @text: the field. @size: its size in bytes.
 *
 * Returns true when it holds a NUL and nothing but NUL behind the first one.
 */
bool ipc_text_ok(const char *text, size_t size);

/**
 * ipc_text_set() - fill a text field.
 * @text: the field. @size: its size. @from: what to copy.
 *
 * Zero-fills the rest. Returns 0, or -1 when @from does not fit (field untouched).
 */
int ipc_text_set(char *text, size_t size, const char *from);

#endif
