/* SPDX-License-Identifier: ISC */
/*
 * `sockward connect` against a server that sends without end. recv() and send()
 * are this file's own: what they are called for is all that is looked at.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/handshake.h"
#include "cli/tunnel.h"

#define FLOOD (8U << 20) /* so much in one go means that nothing bounds it */
#define MIB   (1U << 20)
#define SENDS 50

static struct {
	int fd;
	uint8_t frame[127];
	size_t frame_length;
	size_t received;
	size_t sends;
	bool takes; /* the server reads what it is sent */
	bool over;  /* the server goes */
} server;

ssize_t
recv(int fd, void *bytes, size_t n, int flags)
{
	uint8_t *to = bytes;

	(void)flags;
	assert_int_equal(fd, server.fd);
	if (server.over || server.received >= FLOOD)
		return 0;
	for (size_t i = 0; i < n; i++)
		to[i] = server.frame[server.received++ % server.frame_length];
	return (ssize_t)n;
}

ssize_t
send(int fd, const void *bytes, size_t n, int flags)
{
	(void)bytes;
	(void)flags;
	assert_int_equal(fd, server.fd);
	server.sends++;
	server.over = server.takes || server.sends >= SENDS;
	if (server.takes)
		return (ssize_t)n;
	errno = server.over ? EPIPE : EAGAIN;
	return -1;
}

/* One session with a server that sends this frame only; "hi" is on standard input. */
static void
run(const void *head, size_t n, bool input)
{
	struct ws_start *begin = calloc(1, sizeof(*begin));
	int kept = dup(STDIN_FILENO);
	char why[200];
	int ends[2];
	int in[2];

	memcpy(server.frame, head, 2);
	server.frame_length = n;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1); /* there is always something to read */
	assert_int_equal(pipe(in), 0);
	if (input)
		assert_int_equal(write(in[1], "hi", 2), 2);
	assert_int_equal(dup2(in[0], STDIN_FILENO), STDIN_FILENO);
	server.fd = begin->fd = ends[0];
	alarm(30);
	assert_int_equal(tunnel_run(begin, why, sizeof(why)), -1);
	alarm(0);
	assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
	close(kept);
	close(in[0]);
	close(in[1]);
	close(ends[0]);
	close(ends[1]);
	free(begin);
}

/* Pings, and it reads nothing: pongs must not pile up. Its end is still seen. */
static void
test_pings_are_bounded(void **state)
{
	(void)state;
	memset(&server, 0, sizeof(server));
	run("\x89\x7d", 127, false);
	assert_int_equal(server.sends, SENDS);
	assert_true(server.received < 65536);
}

/* Pongs, which ask for nothing: what is typed must still be sent. */
static void
test_others_have_a_turn(void **state)
{
	(void)state;
	memset(&server, 0, sizeof(server));
	server.takes = true;
	run("\x8a\x00", 2, true);
	assert_true(server.sends > 0);
	assert_true(server.received <= MIB);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pings_are_bounded),
		cmocka_unit_test(test_others_have_a_turn),
	};

	return cmocka_run_group_tests_name("tunnel", tests, NULL, NULL);
}
