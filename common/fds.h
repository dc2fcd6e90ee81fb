/* SPDX-License-Identifier: ISC */
/*
 * Descriptors that a program is started with: the systemd protocol of
 * sd_listen_fds_with_names(3) and sd_notify(3), which is a few environment
 * variables. Written here once, since libsystemd would triple what a program
 * maps, and the broker links next to nothing.
 */
#ifndef SOCKWARD_COMMON_FDS_H
#define SOCKWARD_COMMON_FDS_H

#include <stdbool.h>
#include <stddef.h>

#define FDS_FIRST 3 /* SD_LISTEN_FDS_START */

struct passed_fd {
	int fd;
	char name[64]; /* FileDescriptorName=, "unknown" where none was given */
};

/**
 * fds_passed() - take the descriptors that systemd, or sockward run, passed.
 * @out: receives them; each is set close-on-exec.
 * @most: room in @out.
 *
 * Reads and removes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. Returns their
 * number, 0 when there are none; ends the program (fail_start) when the
 * variables are malformed, are for another process, or there are too many.
 */
size_t fds_passed(struct passed_fd *out, size_t most);

/**
 * fds_is_socket() - is this a socket of that kind?
 * @family: AF_UNIX and so on, or 0 for any. @type: SOCK_STREAM and so on.
 * @listening: whether it must be listening (true) or must not (false).
 */
bool fds_is_socket(int fd, int family, int type, bool listening);

/**
 * fds_close_all_but() - close every descriptor from 3 up that is not listed.
 * @keep: ascending; descriptors below 3 are always kept. @n: how many.
 *
 * Ends the program when the kernel refuses (close_range(2), Linux 5.9).
 */
void fds_close_all_but(const int *keep, size_t n);

/**
 * fds_notify() - tell the service manager, as sd_notify(3) would.
 * @state: such as "READY=1". Does nothing without NOTIFY_SOCKET. Never blocks.
 */
void fds_notify(const char *state);

/**
 * fds_connect() - connect to a socket by path.
 * @type: SOCK_SEQPACKET or SOCK_DGRAM.
 *
 * Returns a non-blocking, close-on-exec descriptor, or -1 with errno (not set for a path
 * that is too long). Connecting
 * a local socket does not wait but for a full backlog, which is EAGAIN here.
 */
int fds_connect(const char *path, int type);

#endif
