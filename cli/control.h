/* SPDX-License-Identifier: ISC */
/*
 * The client's side of the control socket: one question, one answer.
 */
#ifndef SOCKWARD_CLI_CONTROL_H
#define SOCKWARD_CLI_CONTROL_H

#include <stddef.h>

#include "ipc/messages.h"

#define CONTROL_DIR 108

/**
 * control_open() - connect to the control socket of a suite.
 * @dir: its runtime directory.
 *
 * Returns a non-blocking descriptor, or -1 with errno.
 */
int control_open(const char *dir);

/**
 * control_connect() - the same for another socket of a suite.
 * @name: as a descriptor of that name, such as "status".
 */
int control_connect(const char *dir, const char *name);

/**
 * control_ask() - one question, one answer.
 * @fd: of control_open() or control_connect().
 * @msg: a message of that channel. @length: its size.
 * @pass: a descriptor to attach, or -1.
 * @answer: receives the answer. @type: the type that it must have, of the table.
 * @timeout_ms: for the whole of it.
 *
 * Returns 0, or -1 with errno: ETIMEDOUT, EPROTO (an answer that no row of the
 * table allows), EPIPE (the listener hung up).
 */
int control_ask(int fd, const void *msg, size_t length, int pass, struct ipc_buffer *answer,
		uint32_t type, uint32_t timeout_ms);

/**
 * control_maker() - the `sockward run` that made the control socket.
 * @fd: of control_open().
 *
 * The kernel keeps the pid of the process that called listen(2). Returns a
 * pidfd, or -1 when that was another program, such as systemd.
 */
int control_maker(int fd);

#endif
