/* SPDX-License-Identifier: ISC */
#include "worker/template.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "seccomp/install.h"
#include "worker/session.h"

/* Longer holes are rare, and have whole pages. */
#define HOLE 16384U
#define STEP 16U /* of malloc(3)'s sizes */

void
template_seal(void)
{
	/* Longer than a hole: it is behind all of them, at the end of what is in use. */
	const uintptr_t end = (uintptr_t)malloc(4 * HOLE);

	for (size_t size = HOLE; end && size; size -= STEP) {
		void *hole = malloc(size);

		while (hole && (uintptr_t)hole < end)
			hole = malloc(size);
		free(hole);
	}
	free((void *)end);
}

int
template_session(int channel, struct session *s)
{
	if (filter_install(&filter_session) < 0)
		return WORKER_CONFINE_FAILED;
	return session_run(s, channel);
}

/*
 * A fork whose parent is the listener: its pidfd says how it ended, and to
 * nobody else. Raw, since libc's fork() knows neither. Returns 0 in the child.
 */
static long
fork_session(int *pidfd)
{
	return syscall(SYS_clone, CLONE_PARENT | CLONE_PIDFD, NULL, pidfd, NULL, NULL);
}

static int
wait_for(int fd, short events)
{
	struct pollfd one = {.fd = fd, .events = events};

	while (ppoll(&one, 1, NULL, NULL) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return 0;
}

/* Returns 0, or -1 when the listener is gone. */
static int
tell(int channel, int pidfd, long pid)
{
	const struct ipc_spawned spawned = {.head = {MSG_SPAWNED}, .pid = (uint32_t)pid};

	while (ipc_pass(channel, &spawned, sizeof(spawned), pidfd) < 0) {
		if (errno != EAGAIN || wait_for(channel, POLLOUT) < 0)
			return -1;
	}
	return 0;
}

/* Takes one SPAWN. Returns its descriptor, -1 at the end, -2 for nothing yet, -3 for nonsense. */
static int
take(int channel)
{
	struct ipc_buffer buffer = {0};
	struct ipc_got got;

	if (ipc_take(channel, &buffer, &got, true) < 0)
		return errno == EAGAIN ? -2 : -3;
	if (!got.length && !got.fds)
		return -1;
	if (ipc_legal(IPC_SPAWN, IPC_ASK, IPC_OPEN, &buffer.any, &got))
		return got.fd;
	if (got.fd >= 0)
		close(got.fd);
	return -3;
}

int
template_run(int channel, struct session *s)
{
	for (;;) {
		int session = take(channel);
		int pidfd = -1;
		long pid;

		if (session == -2 && wait_for(channel, POLLIN) == 0)
			continue;
		if (session < 0)
			return session == -1 ? 0 : WORKER_BROKER_LOST;
		pid = fork_session(&pidfd);
		if (pid == 0) {
			close(channel);
			return template_session(session, s);
		}
		close(session);
		if (pid < 0)
			return WORKER_NO_MEMORY;
		if (tell(channel, pidfd, pid) < 0)
			return 0;
		close(pidfd);
	}
}
