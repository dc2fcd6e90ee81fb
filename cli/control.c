/* SPDX-License-Identifier: ISC */
#include "cli/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/fds.h"
#include "ipc/channel.h"

int
control_connect(const char *dir, const char *name)
{
	char path[CONTROL_DIR + 16];

	snprintf(path, sizeof(path), "%s/%s.sock", dir, name);
	return fds_connect(path, SOCK_SEQPACKET);
}

int
control_open(const char *dir)
{
	return control_connect(dir, "control");
}

static int64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for readiness; the callers find out by trying again. */
static int
wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd polled = {fd, events, 0};
	int64_t left = deadline - clock_ms();
	int n = poll(&polled, 1, left < 0 ? 0 : (int)left);

	if (n > 0 || (n < 0 && errno == EINTR))
		return 0;
	if (n == 0)
		errno = ETIMEDOUT;
	return -1;
}

static int
question(int fd, const void *msg, size_t length, int pass, int64_t deadline)
{
	for (;;) {
		int done = pass < 0 ? ipc_post(fd, msg, length) : ipc_pass(fd, msg, length, pass);

		if (done == 0 || errno != EAGAIN)
			return done;
		if (wait_for(fd, POLLOUT, deadline) < 0)
			return -1;
	}
}

static int
reply(int fd, struct ipc_buffer *answer, uint32_t type, int64_t deadline)
{
	struct ipc_got got;

	while (ipc_take(fd, answer, &got, false) < 0) {
		if (errno != EAGAIN)
			return -1;
		if (wait_for(fd, POLLIN, deadline) < 0)
			return -1;
	}
	errno = EPROTO;
	if (got.length == 0)
		errno = EPIPE;
	else if (ipc_legal(ipc_row(type)->channel, IPC_TELL, IPC_OPEN, &answer->any, &got) &&
		 answer->any.head.type == type)
		return 0;
	return -1;
}

int
control_ask(int fd, const void *msg, size_t length, int pass, struct ipc_buffer *answer,
	    uint32_t type, uint32_t timeout_ms)
{
	int64_t deadline = clock_ms() + timeout_ms;

	if (question(fd, msg, length, pass, deadline) < 0)
		return -1;
	return reply(fd, answer, type, deadline);
}

int
control_maker(int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);
	char path[64];
	char name[32] = "";
	FILE *file;
	int pidfd;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return -1;
	/* Opened first, so that what is read then is about the same process. */
	pidfd = pidfd_open(who.pid, 0);
	if (pidfd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%ld/comm", (long)who.pid);
	file = fopen(path, "re");
	if (file) {
		(void)!fgets(name, sizeof(name), file);
		fclose(file);
	}
	if (strcmp(name, "sockward\n") == 0)
		return pidfd;
	close(pidfd);
	return -1;
}
