/* SPDX-License-Identifier: ISC */
#include "tests/unit/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

int
wire_stop(void **state)
{
	struct wire *wire = *state;

	stream_free(&wire->s);
	assert_int_equal(wire->s.state, STREAM_FREE);
	if (wire->peer >= 0)
		close(wire->peer);
	free(wire);
	return 0;
}

int
wire_asked(void **state)
{
	struct wire *wire = calloc(1, sizeof(*wire));

	signal(SIGPIPE, SIG_IGN);
	assert_non_null(wire);
	wire->peer = -1;
	stream_ask(&wire->s, 5, WIRE_MOST);
	*state = wire;
	return 0;
}

void
wire_connect(struct wire *wire)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	wire->peer = fds[1];
	stream_connect(&wire->s, fds[0], 9, 1000);
	assert_int_equal(wire->s.state, STREAM_OPEN);
}

int
wire_start(void **state)
{
	wire_asked(state);
	wire_connect(*state);
	return 0;
}

size_t
wire_reads(struct wire *wire, void *bytes, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size && (n = read(wire->peer, (uint8_t *)bytes + done, size - done)) > 0)
		done += (size_t)n;
	return done;
}
