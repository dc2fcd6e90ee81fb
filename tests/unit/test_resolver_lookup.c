/* SPDX-License-Identifier: ISC */
/*
 * What is taken from the resolver before it is confined, TCP to anything but name servers,
 * and from each lookup's process.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/confine.h"
#include "helpers/resolver/lookup.h"

/* What connect(2) to that port of this host says: 0 or errno. */
static int
dial(int type, uint16_t port)
{
	const struct sockaddr_in to = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
	int fd = socket(AF_INET, type, 0);
	int result = connect(fd, (const struct sockaddr *)(const void *)&to, sizeof(to));
	int error = result < 0 ? errno : 0;

	close(fd);
	return error;
}

static uint16_t
listening(void)
{
	struct sockaddr_in at = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)(void *)&at, size) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)(void *)&at, &size) < 0)
		_exit(100);
	return ntohs(at.sin_port);
}

/* In a process of its own, since there is no way back. Returns what it ended with. */
static int
prepared(int type, uint16_t port)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		lookup_prepare();
		_exit(dial(type, port));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
tcp_is_for_name_servers(void **state)
{
	uint16_t port = listening();
	int before = dial(SOCK_STREAM, 53);

	(void)state;
	if (confine_landlock_abi() < 4)
		skip();
	assert_int_equal(dial(SOCK_STREAM, port), 0);
	assert_int_equal(prepared(SOCK_STREAM, port), EACCES);
	assert_int_equal(prepared(SOCK_STREAM, 853), EACCES);
	assert_int_not_equal(before, EACCES);
	assert_int_equal(prepared(SOCK_STREAM, 53), before);
	/* Addresses are sorted by what the kernel says of them. */
	assert_int_equal(prepared(SOCK_DGRAM, port), 0);
}

/* As a lookup's process is when the first packet comes. */
static int
looking_up(void (*does)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		lookup_prepare();
		if (lookup_confine() < 0)
			_exit(100);
		does();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void
opens_files(void)
{
	static const char *const its[] = {"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf",
					  "/dev/urandom"};

	for (int i = 0; i < 4; i++) {
		if (open(its[i], O_RDONLY) < 0 && errno != ENOENT)
			_exit(1 + i);
	}
	_exit(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES ? 0 : 10);
}

static void
forks(void)
{
	(void)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	_exit(0);
}

static void
puts_its_end_off(void)
{
	const struct itimerval never = {{0}, {0}};

	(void)setitimer(ITIMER_REAL, &never, NULL);
	_exit(0);
}

static void
does_not_hear_of_its_end(void)
{
	sigset_t all;

	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	_exit(0);
}

/* Neither the policy nor a key of this host. */
static void
what_a_lookup_may_read(void **state)
{
	(void)state;
	if (confine_landlock_abi() < 1)
		skip();
	assert_int_equal(looking_up(opens_files), 0);
}

static void
what_a_lookup_may_not_do(void **state)
{
	(void)state;
	assert_int_equal(looking_up(forks), SIGSYS);
	assert_int_equal(looking_up(puts_its_end_off), SIGSYS);
	assert_int_equal(looking_up(does_not_hear_of_its_end), SIGSYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_is_for_name_servers),
		cmocka_unit_test(what_a_lookup_may_read),
		cmocka_unit_test(what_a_lookup_may_not_do),
	};

	return cmocka_run_group_tests_name("resolver's lookups", tests, NULL, NULL);
}
