/* SPDX-License-Identifier: ISC */
#include "listener/listener.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"

/* In the child: only async-signal-safe calls. */
static void
become_worker(int channel, const char *mode)
{
	static char name[] = "sockward-worker";
	static char trust[] = "--trust";
	char *const argv[] = {name, (char *)(uintptr_t)mode, trust,
			      (char *)(uintptr_t)listener.trust, NULL};
	char *const environment[] = {NULL};

	if (dup2(listener.null, 0) == 0 && dup2(listener.null, 1) == 1 &&
	    dup2(listener.null, 2) == 2 && dup2(channel, 3) == 3 &&
	    sigprocmask(SIG_SETMASK, &listener.inherited, NULL) == 0)
		(void)fexecve(listener.worker, argv, environment);
	_exit(WORKER_CONFINE_FAILED);
}

/*
 * fork(2), with the pidfd at the same time: there is no child that cannot be
 * watched, and so none that would have to be ended by its number. Not by clone3(2), into
 * whose flags no filter can look, and which RestrictNamespaces= of a unit takes away.
 */
static long
fork_watched(int *pidfd)
{
	return syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, pidfd, NULL, NULL);
}

/* Returns the pidfd, or -1 (logged). */
static int
execute(int channel, const char *mode, pid_t *pid)
{
	int pidfd = -1;
	long child = fork_watched(&pidfd);

	if (child < 0 && (errno == EMFILE || errno == ENFILE) && listener.reserve >= 0) {
		close(listener.reserve);
		listener.reserve = -1;
		child = fork_watched(&pidfd);
	}
	if (child == 0)
		become_worker(channel, mode);
	if (child < 0)
		return fail("cannot start a worker");
	*pid = (pid_t)child;
	return pidfd;
}

static void
put_down(int pidfd)
{
	siginfo_t info;

	(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	(void)waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
	close(pidfd);
}

/* Workers that it told of, whose sessions are given up: only what a pidfd names is killed. */
static void
put_down_told(struct template *template)
{
	struct ipc_buffer buffer;
	struct ipc_got got;

	while (ipc_take(template->source.fd, &buffer, &got, true) == 0 && (got.length || got.fds)) {
		if (got.fd >= 0)
			put_down(got.fd);
	}
}

static void
template_close(struct template *template)
{
	struct session *session;

	if (template->source.fd >= 0 && !TAILQ_EMPTY(&template->asked))
		put_down_told(template);
	source_close(&template->source);
	while (template->pidfd >= 0 && (session = TAILQ_FIRST(&template->asked))) {
		TAILQ_REMOVE(&template->asked, session, asked);
		session_failed(session);
	}
	/* Its channel is closed, so it ends; it is killed to make sure of it. */
	if (template->pidfd >= 0)
		put_down(template->pidfd);
	template->pidfd = -1;
}

static void
template_ready(struct source *source)
{
	struct template *template = container_of(source, struct template, source);
	struct session *session = TAILQ_FIRST(&template->asked);
	struct ipc_buffer buffer = {0};
	struct ipc_got got = {0, 0, -1};

	/* After ECONNRESET what it told before its end is still to come. */
	if (ipc_take(source->fd, &buffer, &got, true) < 0 &&
	    (errno == EAGAIN || errno == ECONNRESET))
		return;
	/*
	 * One that came without its pidfd leaves no telling whose the next is: no
	 * session gets one of this template any more.
	 */
	if (!session || !ipc_legal(IPC_SPAWN, IPC_TELL, IPC_OPEN, &buffer.any, &got)) {
		if (got.fd >= 0)
			close(got.fd);
		errno = 0;
		(void)fail("the worker template ended; it is executed anew");
		template_close(template);
		return;
	}
	TAILQ_REMOVE(&template->asked, session, asked);
	session_watch(session, got.fd, buffer.any.SPAWNED_body.pid);
	if (template != &listener.templates[listener.current] && TAILQ_EMPTY(&template->asked))
		template_close(template);
}

static int
template_start(struct template *template)
{
	int pair[2];
	pid_t pid;

	*template = (struct template){.source.fd = -1, .pidfd = -1, .since_ms = listener.now};
	TAILQ_INIT(&template->asked);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return fail("cannot make a channel for the worker template");
	template->pidfd = execute(pair[1], "--template", &pid);
	close(pair[1]);
	if (template->pidfd < 0) {
		close(pair[0]);
		return -1;
	}
	return source_open(&template->source, pair[0], template_ready);
}

void
spawn_renew(void)
{
	struct template *old = &listener.templates[listener.current];
	struct template *next = &listener.templates[!listener.current];

	listener.suspect = false;
	if (old->source.fd < 0) {
		template_close(old);
		(void)template_start(old);
		return;
	}
	template_close(next);
	listener.current = !listener.current;
	(void)template_start(next);
	/* One that still owes pidfds delivers them first. */
	if (old->source.fd >= 0 && TAILQ_EMPTY(&old->asked))
		template_close(old);
}

bool
spawn_owed(void)
{
	return !TAILQ_EMPTY(&listener.templates[0].asked) ||
	       !TAILQ_EMPTY(&listener.templates[1].asked);
}

void
spawn_suspect(void)
{
	listener.suspect = true;
}

static bool
renewal_due(void)
{
	const struct template *template = &listener.templates[listener.current];
	const struct template *before = &listener.templates[!listener.current];
	uint64_t age = listener.now - template->since_ms;

	if (template->source.fd < 0)
		return true;
	/* Both places are taken. */
	if (!TAILQ_EMPTY(&before->asked) && age < OWED_MS)
		return false;
	return template->spawned >= TEMPLATE_SESSIONS || age >= TEMPLATE_MS ||
	       (listener.suspect && age >= RENEW_MS);
}

int
spawn_worker(struct session *session, int channel)
{
	struct template *template;
	struct ipc_plain spawn = {{MSG_SPAWN}};
	pid_t pid;
	int pidfd;

	if (listener.by_exec) {
		pidfd = execute(channel, "--session", &pid);
		if (pidfd < 0)
			return -1;
		session_watch(session, pidfd, (uint32_t)pid);
		return 0;
	}
	if (renewal_due())
		spawn_renew();
	template = &listener.templates[listener.current];
	if (template->source.fd < 0 ||
	    ipc_pass(template->source.fd, &spawn, sizeof(spawn), channel) < 0)
		return -1;
	template->spawned++;
	TAILQ_INSERT_TAIL(&template->asked, session, asked);
	return 0;
}
