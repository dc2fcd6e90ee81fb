/* SPDX-License-Identifier: ISC */
/* Which peers the listener takes for listed proxies, and what follows from it. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/listener_scene.h"

#define V4(a, b, c, d) ((struct ipc_addr){.family = 4, .ip = {a, b, c, d}})
#define V6(...)        ((struct ipc_addr){.family = 6, .ip = {__VA_ARGS__}})

static void
list(size_t i, struct ipc_range range)
{
	listener.hello.limits.proxies[i] = range;
}

static bool
is_listed(struct ipc_addr client)
{
	return is_listed_proxy(&client);
}

static void
ranges(void **state)
{
	(void)state;
	assert_false(is_listed(V4(0, 0, 0, 0)));
	assert_false(is_listed(V6(0)));
	assert_false(is_listed((struct ipc_addr){0}));
	list(0, (struct ipc_range){4, 32, {192, 0, 2, 10}});
	list(1, (struct ipc_range){4, 20, {10, 1, 16}});
	list(14, (struct ipc_range){6, 65, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0x80}});
	list(15, (struct ipc_range){6, 128, {[15] = 1}});
	assert_true(is_listed(V4(192, 0, 2, 10)));
	assert_false(is_listed(V4(192, 0, 2, 11)));
	assert_false(is_listed(V4(193, 0, 2, 10)));
	assert_true(is_listed(V4(10, 1, 16, 0)));
	assert_true(is_listed(V4(10, 1, 31, 255)));
	assert_false(is_listed(V4(10, 1, 15, 255)));
	assert_false(is_listed(V4(10, 1, 32, 0)));
	assert_true(is_listed(V6(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0x80)));
	assert_true(is_listed(V6(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0xff, [15] = 0xff)));
	assert_false(is_listed(V6(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0x7f, [15] = 0xff)));
	assert_false(is_listed(V6(0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0x80)));
	assert_true(is_listed(V6([15] = 1)));
	assert_false(is_listed(V6([15] = 2)));
	/* The same bytes of the other family. */
	assert_false(is_listed(V6(192, 0, 2, 10)));
	assert_false(is_listed(V4(0x20, 1, 0xd, 0xb8)));
	assert_false(is_listed((struct ipc_addr){0}));
}

static void
what_is_no_range_is_nobody(void **state)
{
	(void)state;
	list(0, (struct ipc_range){4, 33, {192, 0, 2, 10}});
	list(1, (struct ipc_range){6, 129, {0x20, 1}});
	list(2, (struct ipc_range){4, 255, {192, 0, 2, 10}});
	list(3, (struct ipc_range){7, 0, {0}});
	list(4, (struct ipc_range){0, 8, {0}});
	assert_false(is_listed(V4(192, 0, 2, 10)));
	assert_false(is_listed(V6(0x20, 1)));
	assert_false(is_listed((struct ipc_addr){0}));
}

static void
unix_sockets(void **state)
{
	(void)state;
	list(0, (struct ipc_range){.family = IPC_RANGE_UNIX});
	assert_true(is_listed((struct ipc_addr){0}));
	assert_false(is_listed(V4(0, 0, 0, 0)));
	assert_false(is_listed(V6(0)));
}

/* A listening socket, and one that connected to it. */
static void
connect_to(int fds[2], int family)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_un local;
		struct sockaddr_storage room;
	} at = {.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(at.v4);

	if (family == AF_UNIX) {
		at.local = (struct sockaddr_un){.sun_family = AF_UNIX};
		size = sizeof(sa_family_t); /* the kernel finds a name */
	}
	fds[0] = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	fds[1] = socket(family, SOCK_STREAM, 0);
	assert_int_equal(bind(fds[0], &at.any, size), 0);
	assert_int_equal(listen(fds[0], 8), 0);
	size = sizeof(at);
	assert_int_equal(getsockname(fds[0], &at.any, &size), 0);
	assert_int_equal(connect(fds[1], &at.any, size), 0);
}

/* What the broker and the worker are told of who comes. */
static void
comes(int family, bool proxy)
{
	struct ipc_buffer buffer;
	struct ipc_got spawn, hand, open;
	int fds[2];
	struct source source = {.ready = door_ready};

	connect_to(fds, family);
	source.fd = fds[0];
	door_ready(&source);
	assert_int_equal(ipc_take(test.broker, &buffer, &open, true), 0);
	assert_int_equal(buffer.any.head.type, MSG_SESSION_OPEN);
	assert_int_equal(buffer.any.SESSION_OPEN_body.client.proxy, proxy);
	assert_int_equal(ipc_take(test.template, &buffer, &spawn, true), 0);
	assert_int_equal(ipc_take(spawn.fd, &buffer, &hand, true), 0);
	assert_int_equal(buffer.any.head.type, MSG_CLIENT);
	assert_int_equal(buffer.any.CLIENT_body.proxy, proxy);
	close(hand.fd);
	close(spawn.fd);
	close(open.fd);
	close(fds[0]);
	close(fds[1]);
}

static void
both_are_told(void **state)
{
	(void)state;
	comes(AF_INET, false);
	comes(AF_UNIX, false);
	list(0, (struct ipc_range){4, 8, {127}});
	comes(AF_INET, true);
	comes(AF_UNIX, false);
	list(1, (struct ipc_range){.family = IPC_RANGE_UNIX});
	comes(AF_UNIX, true);
	list(0, (struct ipc_range){0});
	comes(AF_INET, false);
}

/* Also when the policy changes while there are sessions: each is counted down as it was up. */
static void
the_limit_of_a_source_is_not_the_proxys(void **state)
{
	(void)state;
	listener.hello.limits.sessions_per_source = 1;
	list(0, (struct ipc_range){4, 8, {127}});
	comes(AF_INET, true);
	comes(AF_INET, true);
	list(0, (struct ipc_range){0});
	comes(AF_INET, false);
	assert_int_equal(listener.used, 3);
	for (size_t i = 0; i < 3; i++)
		session_failed(&listener.sessions[i]);
	listener.broker_state = IPC_NEW; /* one that is gone needs no report */
	sessions_report();
	assert_int_equal(listener.used, 0);
	for (size_t i = 0; i < SOURCES_MOST; i++)
		assert_int_equal(listener.sources[i].key, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ranges),
		TEST(what_is_no_range_is_nobody),
		TEST(unix_sockets),
		TEST(both_are_told),
		TEST(the_limit_of_a_source_is_not_the_proxys),
	};

	alarm(30);
	return cmocka_run_group_tests_name("listener's proxies", tests, NULL, NULL);
}
