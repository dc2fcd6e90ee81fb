/* SPDX-License-Identifier: ISC */
/* What is taken from the resolver before it is confined: TCP to anything but name servers. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_is_for_name_servers),
	};

	return cmocka_run_group_tests_name("resolver's lookups", tests, NULL, NULL);
}
