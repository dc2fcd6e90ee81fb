/* SPDX-License-Identifier: ISC */
/* Since when, how many and how long: the edges, with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "listener/listener.h"

struct listener listener;

static uint64_t clock_us;

int __wrap_clock_gettime(clockid_t which, struct timespec *now);

int
__wrap_clock_gettime(clockid_t which, struct timespec *now)
{
	(void)which;
	*now = (struct timespec){(time_t)(clock_us / 1000000), (long)(clock_us % 1000000) * 1000};
	return 0;
}

static void
at(uint64_t ms)
{
	listener.now = ms;
	clock_us = ms * 1000;
}

static int
set_up(void **state)
{
	(void)state;
	memset(&listener, 0, sizeof(listener));
	at(1000000);
	health_start();
	return 0;
}

static struct ipc_ctl_status
told(void)
{
	struct ipc_ctl_status status = {0};

	health_tell(&status);
	return status;
}

/* A handshake that took so long, in us. */
static void
took(uint64_t us)
{
	struct session session = {0};

	health_begun(&session);
	clock_us += us;
	health_granted(&session);
}

static void
edges_of_the_histogram(void **state)
{
	static const uint32_t bounds[] = {IPC_HANDSHAKE_MS};
	struct ipc_ctl_status status;
	uint64_t sum = 0;

	(void)state;
	took(0);
	for (size_t i = 0; i < IPC_BUCKETS - 1; i++) {
		took((uint64_t)bounds[i] * 1000);
		took((uint64_t)bounds[i] * 1000 + 1);
		sum += (uint64_t)bounds[i] * 2000 + 1;
	}
	status = told();
	/* An upper bound is in its bucket, what is above it in the next. */
	for (size_t i = 0; i < IPC_BUCKETS; i++)
		assert_int_equal(status.handshakes[i], i == IPC_BUCKETS - 1 ? 1 : 2);
	assert_int_equal(status.handshakes_us, sum);
	took(3600ULL * 1000000);
	assert_int_equal(told().handshakes[IPC_BUCKETS - 1], 2);
}

static void
sessions_of_the_last_minute(void **state)
{
	struct session session;

	(void)state;
	assert_int_equal(told().sessions_minute, 0);
	for (uint64_t i = 0; i < 120; i++) {
		at(1000000 + i * 1000);
		health_begun(&session);
		health_begun(&session);
		assert_int_equal(told().sessions_minute, i < 60 ? 2 * (i + 1) : 120);
	}
	/* They leave it one second after the other, also when nobody asks in between. */
	at(1000000 + 119 * 1000 + 999);
	assert_int_equal(told().sessions_minute, 120);
	at(1000000 + 120 * 1000);
	assert_int_equal(told().sessions_minute, 118);
	at(1000000 + 178 * 1000);
	assert_int_equal(told().sessions_minute, 2);
	at(1000000 + 179 * 1000);
	assert_int_equal(told().sessions_minute, 0);
	health_begun(&session);
	at(1000000 + 10000 * 1000);
	assert_int_equal(told().sessions_minute, 0);
}

static void
hello(bool resolver, bool auditor)
{
	listener.broker_state = IPC_OPEN;
	listener.hello.generation = 1;
	listener.hello.limits.fingerprint = 77;
	listener.hello.resolver_up = resolver;
	listener.hello.authenticator_up = 1;
	listener.hello.auditor_up = auditor;
	health_look();
}

static void
since_when_each_is_up_or_down(void **state)
{
	struct ipc_ctl_status status;

	(void)state;
	at(1000500);
	assert_int_equal(told().broker_for_ms, 500);
	hello(true, false);
	at(1000600);
	hello(true, true);
	at(1001000);
	hello(false, true);
	at(1001500);
	hello(false, true);
	at(1002000);
	status = told();
	assert_int_equal(status.broker_for_ms, 1500);
	assert_int_equal(status.resolver_for_ms, 1000);
	assert_int_equal(status.authenticator_for_ms, 1500);
	assert_int_equal(status.auditor_for_ms, 1400);
	/* With the broker goes all that it knew. */
	at(1003000);
	listener.broker_state = IPC_NEW;
	health_look();
	at(1003200);
	status = told();
	assert_int_equal(status.broker_for_ms, 200);
	assert_int_equal(status.resolver_for_ms, 2200);
	assert_int_equal(status.authenticator_for_ms, 200);
	assert_int_equal(status.auditor_for_ms, 200);
}

static void
since_when_a_policy_is_in_force(void **state)
{
	(void)state;
	at(1001000);
	hello(true, true);
	at(1002000);
	hello(false, true);
	assert_int_equal(told().policy_for_ms, 1000);
	listener.hello.generation = 2;
	health_look();
	assert_int_equal(told().policy_for_ms, 0);
	at(1003000);
	listener.broker_state = IPC_NEW;
	health_look();
	/* The same one again, from a broker that went away for a moment. */
	listener.broker_state = IPC_OPEN;
	health_look();
	assert_int_equal(told().policy_for_ms, 1000);
	listener.hello.limits.fingerprint = 78;
	health_look();
	assert_int_equal(told().policy_for_ms, 0);
}

static void
since_when_it_drains(void **state)
{
	(void)state;
	at(1005000);
	health_look();
	assert_int_equal(told().draining_for_ms, 0);
	listener.draining = true;
	health_look();
	at(1006000);
	health_look();
	assert_int_equal(told().draining_for_ms, 1000);
	assert_true(told().started_ns == 1000000000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(edges_of_the_histogram, set_up),
		cmocka_unit_test_setup(sessions_of_the_last_minute, set_up),
		cmocka_unit_test_setup(since_when_each_is_up_or_down, set_up),
		cmocka_unit_test_setup(since_when_a_policy_is_in_force, set_up),
		cmocka_unit_test_setup(since_when_it_drains, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
