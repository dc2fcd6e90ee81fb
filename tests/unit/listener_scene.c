/* SPDX-License-Identifier: ISC */
#include "tests/unit/listener_scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct listener listener;

struct listener_scene test;

int
source_add(struct source *source, int fd, void (*ready)(struct source *))
{
	*source = (struct source){test.no_room ? -1 : fd, ready};
	return test.no_room ? -1 : 0;
}

int
source_open(struct source *source, int fd, void (*ready)(struct source *))
{
	if (source_add(source, fd, ready) == 0)
		return 0;
	close(fd);
	return -1;
}

void
source_close(struct source *source)
{
	if (source->fd >= 0)
		close(source->fd);
	source->fd = -1;
}

pid_t
child(int *pidfd)
{
	int pair[2];
	char none;
	pid_t pid;

	assert_int_equal(pipe(pair), 0);
	pid = fork();
	if (pid == 0) {
		/* It holds no channel open; a test that fails leaves it behind. */
		(void)close_range(3, ~0U, 0);
		alarm(60);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	close(pair[1]);
	/* Its end of the pipe was the last that it closed. */
	assert_int_equal(read(pair[0], &none, 1), 0);
	close(pair[0]);
	*pidfd = pidfd_open(pid, 0);
	assert_true(*pidfd >= 0);
	return pid;
}

bool
is_reaped(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static int
channel(int *far)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	*far = pair[1];
	return pair[0];
}

int
start(void **state)
{
	(void)state;
	memset(&listener, 0, sizeof(listener));
	memset(&test, 0, sizeof(test));
	TAILQ_INIT(&listener.free);
	TAILQ_INIT(&listener.deadlines);
	TAILQ_INIT(&listener.running);
	TAILQ_INIT(&listener.leaving);
	TAILQ_INIT(&listener.ended);
	for (size_t i = 0; i < SESSIONS_MOST; i++) {
		listener.sessions[i].source.fd = -1;
		session_move(&listener.sessions[i], &listener.free);
	}
	listener.now = 1000000;
	listener.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	listener.worker = open("/bin/cat", O_RDONLY | O_CLOEXEC);
	listener.reserve = -1;
	reserve_restore();
	listener.broker.fd = channel(&test.broker);
	listener.broker_state = IPC_OPEN;
	listener.hello.limits.sessions = 1000;
	listener.hello.limits.sessions_per_source = 1000;
	listener.hello.limits.handshake_ms = 10000;
	/* An executed one puts its ready() there; then the test takes its place. */
	for (int i = 0; i < 2; i++)
		listener.templates[i] = (struct template){.source.fd = -1, .pidfd = -1};
	spawn_renew();
	assert_true(listener.templates[0].source.fd >= 0);
	close(listener.templates[0].source.fd);
	listener.templates[0].source.fd = channel(&test.template);
	return 0;
}

int
end(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		source_close(&listener.templates[i].source);
		if (listener.templates[i].pidfd < 0)
			continue;
		(void)pidfd_send_signal(listener.templates[i].pidfd, SIGKILL, NULL, 0);
		close(listener.templates[i].pidfd);
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(listener.broker.fd);
	close(test.broker);
	close(test.template);
	close(listener.reserve);
	close(listener.worker);
	close(listener.null);
	return 0;
}

void
ask(void)
{
	const struct ipc_addr from = {.family = 4, .ip = {192, 0, 2, 1}};

	session_begin(fcntl(listener.null, F_DUPFD_CLOEXEC, 3), &from);
}

struct session *
begin(void)
{
	struct session *session = TAILQ_FIRST(&listener.free);

	ask();
	assert_int_equal(session->state, WORKER_ASKED);
	return session;
}

void
tell(int pidfd)
{
	const struct ipc_spawned spawned = {.head = {MSG_SPAWNED}, .pid = 1};

	assert_int_equal(ipc_pass(test.template, &spawned, sizeof(spawned), pidfd), 0);
	if (pidfd >= 0)
		close(pidfd);
}

void
turn(void)
{
	struct source *source = &listener.templates[0].source;

	source->ready(source);
}
