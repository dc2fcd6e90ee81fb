/* SPDX-License-Identifier: ISC */
/*
 * The listener's sessions and their processes, where something fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/listener_scene.h"

static void
each_gets_its_pidfd(void **state)
{
	struct session *first = begin();
	struct session *second = begin();
	int pidfd[2];
	pid_t pid[2] = {child(&pidfd[0]), child(&pidfd[1])};

	(void)state;
	tell(pidfd[0]);
	tell(pidfd[1]);
	turn();
	turn();
	turn();
	assert_int_equal(first->state, WORKER_RUNNING);
	assert_int_equal(second->state, WORKER_RUNNING);
	session_kill(second, REASON_KILLED);
	assert_int_equal(waitpid(pid[1], NULL, 0), pid[1]);
	assert_int_equal(waitpid(pid[0], NULL, WNOHANG), 0);
	session_kill(first, REASON_KILLED);
	source_close(&first->source);
	source_close(&second->source);
}

/* The second's must not become the first's; nothing of that template lives on. */
static void
a_lost_pidfd_ends_the_template(void **state)
{
	struct session *first = begin();
	struct session *second = begin();
	int pidfd;
	pid_t pid = child(&pidfd);

	(void)state;
	tell(-1);
	tell(pidfd);
	turn();
	assert_int_equal(first->state, WORKER_ENDED);
	assert_int_equal(second->state, WORKER_ENDED);
	assert_int_equal(second->end.reason, REASON_RESOURCES);
	assert_int_equal(listener.templates[0].source.fd, -1);
	assert_int_equal(listener.templates[0].pidfd, -1);
	assert_true(is_reaped(pid));
}

/* As the kernel does it when no descriptor is left. */
static void
a_pidfd_that_finds_no_descriptor(void **state)
{
	struct session *session = begin();
	struct rlimit was, none;
	int pidfd;
	pid_t pid = child(&pidfd);

	(void)state;
	tell(pidfd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){0, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turn();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(session->state, WORKER_ENDED);
	assert_int_equal(listener.templates[0].source.fd, -1);
	/* Nothing names it any more, so it is not killed. */
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
}

/* Its end reports ECONNRESET first, as it left a SPAWN unread. */
static void
what_an_ended_template_told_counts(void **state)
{
	struct session *first = begin();
	struct session *second = begin();
	int pidfd;
	pid_t pid = child(&pidfd);

	(void)state;
	tell(pidfd);
	close(test.template);
	test.template = -1;
	turn();
	turn();
	assert_int_equal(first->state, WORKER_RUNNING);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	turn();
	assert_int_equal(second->state, WORKER_ENDED);
	session_kill(first, REASON_KILLED);
	source_close(&first->source);
}

static void
one_that_cannot_be_watched_is_killed(void **state)
{
	struct session *session = begin();
	int pidfd;
	pid_t pid = child(&pidfd);

	(void)state;
	tell(pidfd);
	test.no_room = true;
	turn();
	assert_int_equal(session->state, WORKER_ENDED);
	assert_int_equal(session->source.fd, -1);
	assert_true(is_reaped(pid));
}

static void
an_executed_one_takes_the_reserve(void **state)
{
	struct rlimit was, none;
	struct session *session = TAILQ_FIRST(&listener.free);
	int lowest = dup(0);
	int reserve = listener.reserve;
	int pidfd;

	(void)state;
	close(lowest);
	listener.by_exec = true;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	/* Only the reserve's number is below the limit and can be had. */
	none = (struct rlimit){(rlim_t)lowest, was.rlim_max};
	assert_true(reserve < lowest);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(spawn_worker(session, test.broker), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	pidfd = session->source.fd;
	assert_int_equal(pidfd, reserve);
	assert_int_equal(listener.reserve, -1);
	reserve_restore();
	assert_true(listener.reserve >= 0);
	session_kill(session, REASON_KILLED);
	assert_int_equal(waitpid((pid_t)session->pid, NULL, 0), session->pid);
	source_close(&session->source);
}

static void
without_any_descriptor_there_is_no_child(void **state)
{
	struct rlimit was, none;

	(void)state;
	listener.by_exec = true;
	close(listener.reserve);
	listener.reserve = -1;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){0, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(spawn_worker(TAILQ_FIRST(&listener.free), test.broker), -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	/* The template alone. */
	(void)pidfd_send_signal(listener.templates[0].pidfd, SIGKILL, NULL, 0);
	assert_true(waitpid(-1, NULL, 0) > 0);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
}

static void
crashes_renew_once_a_second(void **state)
{
	(void)state;
	spawn_suspect();
	ask();
	assert_int_equal(listener.current, 0);
	listener.now += RENEW_MS;
	ask();
	assert_int_equal(listener.current, 1);
	/* The first still owes both: the second stays, however often one crashes. */
	spawn_suspect();
	listener.now += RENEW_MS;
	ask();
	assert_int_equal(listener.current, 1);
	assert_true(listener.templates[0].source.fd >= 0);
	listener.now += OWED_MS;
	ask();
	assert_int_equal(listener.current, 0);
	assert_false(listener.suspect);
}

static void
a_shorter_deadline_comes_first(void **state)
{
	struct session *longer = begin();
	struct session *shorter;
	struct session *middle;

	(void)state;
	listener.hello.limits.handshake_ms = 1000;
	shorter = begin();
	listener.hello.limits.handshake_ms = 5000;
	middle = begin();
	assert_int_equal(sessions_due(), 1000);
	listener.now += 1000;
	assert_int_equal(sessions_due(), 4000);
	assert_int_equal(shorter->reason, REASON_HANDSHAKE_TIMEOUT);
	assert_int_equal(middle->reason, REASON_NONE);
	listener.now += 4000;
	assert_int_equal(sessions_due(), 5000);
	assert_int_equal(middle->reason, REASON_HANDSHAKE_TIMEOUT);
	assert_int_equal(longer->reason, REASON_NONE);
}

static void
a_broker_that_does_not_read_is_told_again(void **state)
{
	const struct ipc_plain filling = {{MSG_CLIENT}};
	struct session *session = begin();

	(void)state;
	session_kill(session, REASON_KILLED);
	assert_int_equal(sessions_due(), -1);
	while (ipc_post(listener.broker.fd, &filling, sizeof(filling)) == 0)
		;
	TAILQ_REMOVE(&listener.templates[0].asked, session, asked);
	session_failed(session);
	sessions_report();
	assert_int_equal(session->state, WORKER_ENDED);
	assert_int_equal(sessions_due(), REPORT_MS);
	listener.broker_state = IPC_NEW;
}

static int
door(struct sockaddr_in *at)
{
	socklen_t size = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	*at = (struct sockaddr_in){.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)at, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &size), 0);
	return fd;
}

static int
option(int fd, int level, int name)
{
	socklen_t size = sizeof(int);
	int value = -1;

	assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

static void
a_client_is_watched_by_the_kernel(void **state)
{
	struct ipc_buffer buffer;
	struct ipc_got spawn, hand;
	struct sockaddr_in at;
	struct source source = {door(&at), door_ready};
	int client = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	door_ready(&source);
	assert_int_equal(listener.used, 1);
	assert_int_equal(ipc_take(test.template, &buffer, &spawn, true), 0);
	assert_int_equal(ipc_take(spawn.fd, &buffer, &hand, true), 0);
	assert_int_equal(buffer.any.head.type, MSG_CLIENT);
	assert_int_equal(option(hand.fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option(hand.fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
	assert_int_equal(option(hand.fd, IPPROTO_TCP, TCP_KEEPINTVL), 20);
	assert_int_equal(option(hand.fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
	assert_int_equal(option(hand.fd, IPPROTO_TCP, TCP_NODELAY), 1);
	close(hand.fd);
	close(spawn.fd);
	close(client);
	close(source.fd);
}

/* The policy's limit may be above what there are places for. */
static void
no_more_sessions_than_places(void **state)
{
	struct sockaddr_in at;
	struct source source = {door(&at), door_ready};
	int client[2] = {socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_STREAM, 0)};

	(void)state;
	listener.hello.limits.sessions = 100000;
	for (int i = 0; i < 2; i++)
		assert_int_equal(connect(client[i], (struct sockaddr *)&at, sizeof(at)), 0);
	while (listener.used < SESSIONS_MOST - 1) {
		session_move(TAILQ_FIRST(&listener.free), &listener.running);
		listener.used++;
	}
	door_ready(&source);
	assert_int_equal(listener.used, SESSIONS_MOST);
	assert_true(TAILQ_EMPTY(&listener.free));
	for (int i = 0; i < 2; i++)
		close(client[i]);
	close(source.fd);
}

/* Else it would wait in the queue, and wake the listener without end. */
static void
one_that_asks_is_let_go_without_descriptors(void **state)
{
	void (*const doors[])(struct source *) = {control_door_ready, status_door_ready};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct source source = {socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0), NULL};
	socklen_t size = sizeof(at);
	struct rlimit was, few;
	int filled[64];
	char none;

	(void)state;
	/* A name of the kernel's choice. */
	assert_int_equal(bind(source.fd, (struct sockaddr *)&at, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(source.fd, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(listen(source.fd, 4), 0);
	for (size_t i = 0; i < CONTROLS_MOST; i++)
		listener.controls[i].source.fd = -1;
	for (size_t i = 0; i < WATCHERS_MOST; i++)
		listener.watchers[i].source.fd = -1;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = (struct rlimit){64, was.rlim_max};
	for (size_t i = 0; i < 2; i++) {
		int client = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		size_t n = 0;

		assert_int_equal(connect(client, (struct sockaddr *)&at, size), 0);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		while ((filled[n] = dup(listener.null)) >= 0)
			n++;
		doors[i](&source);
		while (n)
			close(filled[--n]);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
		assert_int_equal(recv(client, &none, 1, MSG_DONTWAIT), 0);
		assert_true(listener.reserve >= 0);
		close(client);
	}
	close(source.fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_gets_its_pidfd),
		TEST(a_lost_pidfd_ends_the_template),
		TEST(a_pidfd_that_finds_no_descriptor),
		TEST(what_an_ended_template_told_counts),
		TEST(one_that_cannot_be_watched_is_killed),
		TEST(an_executed_one_takes_the_reserve),
		TEST(without_any_descriptor_there_is_no_child),
		TEST(crashes_renew_once_a_second),
		TEST(a_shorter_deadline_comes_first),
		TEST(a_broker_that_does_not_read_is_told_again),
		TEST(a_client_is_watched_by_the_kernel),
		TEST(no_more_sessions_than_places),
		TEST(one_that_asks_is_let_go_without_descriptors),
	};

	/* Sooner than a child ends by itself: who waits for one unkilled fails. */
	alarm(30);
	return cmocka_run_group_tests_name("listener's sessions", tests, NULL, NULL);
}
