/* SPDX-License-Identifier: ISC */
/*
 * Which workers the listener puts behind the others. Their CPU clocks, the number of CPUs
 * and sched_setscheduler(2) are the test's (ld --wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/listener_scene.h"

#define FIRST_PID 70000
#define WORKERS   200

static struct {
	uint64_t used_us[WORKERS]; /* by pid */
	unsigned int looks;        /* at clocks */
	unsigned int moved[WORKERS];
	int cpus;
	int refused; /* errno of sched_setscheduler(2), or 0 */
} kernel;

int __real_clock_gettime(clockid_t id, struct timespec *to);
int __wrap_clock_gettime(clockid_t id, struct timespec *to);
int __wrap_sched_setscheduler(pid_t pid, int policy, const struct sched_param *param);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);

/* A negative one is a process's; the lower bits say that the whole of it is meant. */
int
__wrap_clock_gettime(clockid_t id, struct timespec *to)
{
	int pid = ~(id >> 3);

	if (id >= 0)
		return __real_clock_gettime(id, to);
	assert_int_equal(id & 7, 2);
	assert_in_range(pid, FIRST_PID, FIRST_PID + WORKERS - 1);
	kernel.looks++;
	to->tv_sec = (time_t)(kernel.used_us[pid - FIRST_PID] / 1000000);
	to->tv_nsec = (long)(kernel.used_us[pid - FIRST_PID] % 1000000 * 1000);
	return 0;
}

int
__wrap_sched_setscheduler(pid_t pid, int policy, const struct sched_param *param)
{
	assert_int_equal(policy, SCHED_IDLE);
	assert_int_equal(param->sched_priority, 0);
	assert_in_range(pid, FIRST_PID, FIRST_PID + WORKERS - 1);
	kernel.moved[pid - FIRST_PID]++;
	errno = kernel.refused;
	return kernel.refused ? -1 : 0;
}

int
__wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	assert_int_equal(pid, 0);
	CPU_ZERO_S(size, set);
	for (int i = 0; i < kernel.cpus; i++)
		CPU_SET_S((size_t)i, size, set);
	return 0;
}

static int
start_two_cpus(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.cpus = 2;
	return start(state);
}

/* The first @count of them are granted now. */
static void
granted(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct session *session = &listener.sessions[i];

		session->state = WORKER_RUNNING;
		session->pid = (uint32_t)(FIRST_PID + i);
		session->looked_ms = listener.now;
		session_move(session, &listener.running);
	}
}

/* A second in which each of @count workers takes so much of a CPU, in thousandths. */
static void
second(size_t first, size_t count, unsigned int thousandths)
{
	for (size_t i = first; i < first + count; i++)
		kernel.used_us[i] += thousandths * 1000;
}

static int
look(void)
{
	listener.now += BUSY_LOOK_MS;
	return busy_due();
}

static void
means(void **state)
{
	uint32_t mean = 0;

	(void)state;
	assert_int_equal(busy_mean(0, 0, 1000), 0);
	assert_int_equal(busy_mean(0, 1000000, 1000), BUSY_CPU / 4);
	assert_int_equal(busy_mean(0, 500000, 1000), BUSY_CPU / 8);
	assert_int_equal(busy_mean(0, 1000000, 4000), BUSY_CPU / 16);
	assert_int_equal(busy_mean(BUSY_CPU, 1000000, 1000), BUSY_CPU);
	assert_int_equal(busy_mean(BUSY_CPU, 5000000, 1000), BUSY_CPU);
	assert_int_equal(busy_mean(BUSY_CPU, UINT64_MAX / BUSY_CPU, 1), BUSY_CPU);
	assert_int_equal(busy_mean(BUSY_CPU, 0, 1000), BUSY_CPU * 3 / 4);
	assert_int_equal(busy_mean(BUSY_CPU, 1000000, 0), BUSY_CPU * 3 / 4);
	for (int i = 0; i < 100; i++)
		mean = busy_mean(mean, 500000, 1000);
	assert_in_range(mean, BUSY_CPU / 2 - 4, BUSY_CPU / 2);
}

static void
limits(void **state)
{
	(void)state;
	assert_int_equal(busy_limit(&(struct busy_round){0, 0, 0}), BUSY_CPU / 2);
	assert_int_equal(busy_limit(&(struct busy_round){BUSY_CPU, 40, 2}), BUSY_CPU / 2);
	assert_int_equal(busy_limit(&(struct busy_round){BUSY_CPU + 1, 100, 2}), 50);
	assert_int_equal(busy_limit(&(struct busy_round){BUSY_CPU + 1, BUSY_CPU, 2}), BUSY_CPU / 2);
	assert_int_equal(busy_limit(&(struct busy_round){BUSY_CPU + 1, 40, 2}), 20);
	assert_int_equal(busy_limit(&(struct busy_round){BUSY_CPU + 1, 32, 2}), BUSY_CPU / 64);
	assert_int_equal(busy_limit(&(struct busy_round){BUSY_CPU + 1, 1, 2}), BUSY_CPU / 64);
	assert_int_equal(busy_limit(&(struct busy_round){BUSY_CPU / 2 + 1, 200, 1}), 100);
	assert_int_equal(busy_limit(&(struct busy_round){8192 * BUSY_CPU, BUSY_CPU, 8192}),
			 BUSY_CPU / 2);
}

static void
the_third_look_finds_one_that_spins(void **state)
{
	(void)state;
	granted(2);
	for (int i = 1; i <= 6; i++) {
		second(0, 1, 1000);
		second(1, 1, 200);
		assert_int_equal(look(), BUSY_LOOK_MS);
		assert_int_equal(kernel.moved[0], i >= 3);
		assert_int_equal(listener.sessions[0].behind, i >= 3);
	}
	assert_int_equal(kernel.moved[1], 0);
	assert_false(listener.sessions[1].behind);
	/* One that is behind is not looked at any more. */
	assert_int_equal(kernel.looks, 3 + 6);
}

/* Every other second is busy, too; each third is not, while there is a CPU for it. */
static void
pauses(void **state)
{
	(void)state;
	granted(2);
	for (int i = 0; i < 60; i++) {
		second(0, 1, i % 2 ? 0 : 1000);
		second(1, 1, i % 3 ? 0 : 1000);
		(void)look();
	}
	assert_int_equal(kernel.moved[0], 1);
	assert_int_equal(kernel.moved[1], 0);
}

/* They share two CPUs; the last is one that has little to do. */
static void
many_are_busy_with_a_small_share_each(void **state)
{
	(void)state;
	granted(41);
	for (int i = 0; i < 8; i++) {
		second(0, 40, 49);
		second(40, 1, 15);
		(void)look();
	}
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(kernel.moved[i], 1);
	assert_int_equal(kernel.moved[40], 0);
}

static void
the_same_share_is_not_busy_where_cpus_are_free(void **state)
{
	(void)state;
	kernel.cpus = 4;
	granted(4);
	for (int i = 0; i < 100; i++) {
		second(0, 4, 490);
		(void)look();
	}
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(kernel.moved[i], 0);
	assert_int_equal(listener.busy.last.cpus, 4);
}

/* They take half of the CPU, as they may, as soon as one of them is gone. */
static void
the_busiest_go_first(void **state)
{
	(void)state;
	kernel.cpus = 1;
	granted(3);
	for (int i = 0; i < 100; i++) {
		second(0, 1, 450);
		second(1, 2, 180);
		(void)look();
	}
	assert_int_equal(kernel.moved[0], 1);
	assert_int_equal(kernel.moved[1], 0);
	assert_int_equal(kernel.moved[2], 0);
}

static void
nobody_is_touched_before_and_after_its_time(void **state)
{
	(void)state;
	granted(4);
	/* Granted, while the template did not tell its pid yet. */
	listener.sessions[0].state = WORKER_ASKED;
	listener.sessions[0].pid = 0;
	listener.sessions[1].reason = REASON_KILLED;
	listener.sessions[2].state = WORKER_ENDED;
	session_move(&listener.sessions[2], &listener.ended);
	session_move(&listener.sessions[3], &listener.leaving);
	for (int i = 0; i < 6; i++) {
		second(0, 4, 1000);
		(void)look();
	}
	assert_int_equal(kernel.looks, 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(kernel.moved[i], 0);
}

static void
a_new_session_starts_anew(void **state)
{
	struct session *session = begin();

	(void)state;
	session->share = BUSY_CPU;
	session->used_us = 1000000;
	session->looked_ms = 1;
	session->behind = true;
	TAILQ_REMOVE(&listener.templates[0].asked, session, asked);
	session->state = WORKER_FREE;
	session_move(session, &listener.free);
	while (TAILQ_FIRST(&listener.free) != session)
		session_move(TAILQ_FIRST(&listener.free), &listener.free);
	assert_ptr_equal(begin(), session);
	assert_false(session->behind);
	assert_int_equal(session->share, 0);
	assert_int_equal(session->used_us, 0);
	assert_int_equal(session->looked_ms, listener.now);
}

static void
without_a_granted_session_nothing_is_due(void **state)
{
	(void)state;
	assert_int_equal(busy_due(), -1);
	(void)begin();
	assert_int_equal(look(), -1);
	assert_int_equal(kernel.looks, 0);
}

static void
a_turn_is_bounded_and_all_have_theirs(void **state)
{
	(void)state;
	granted(WORKERS);
	assert_int_equal(busy_due(), BUSY_LOOK_MS);
	assert_int_equal(kernel.looks, 0);
	listener.now += BUSY_LOOK_MS - 1;
	assert_int_equal(busy_due(), 1);
	assert_int_equal(kernel.looks, 0);
	listener.now++;
	for (unsigned int turns = 1; turns <= 3; turns++) {
		assert_int_equal(busy_due(), BUSY_TURN_MS);
		/* Other events do not bring the next turn closer. */
		listener.now += BUSY_TURN_MS - 1;
		assert_int_equal(busy_due(), 1);
		assert_int_equal(kernel.looks, turns * BUSY_LOOKS);
		listener.now++;
	}
	/* The first of them is due again a second after its look. */
	assert_int_equal(busy_due(), BUSY_TURN_MS);
	assert_int_equal(kernel.looks, WORKERS);
	for (size_t i = 0; i < WORKERS; i++)
		assert_true(listener.sessions[i].looked_ms >= listener.now - 3 * BUSY_TURN_MS);
}

/* As by ~@resources of a unit; the others go on. */
static void
what_is_refused_is_logged_once(void **state)
{
	char said[4096];
	ssize_t length;
	int end[2];
	int stderr_was = dup(2);

	(void)state;
	assert_int_equal(pipe2(end, O_NONBLOCK), 0);
	assert_int_equal(dup2(end[1], 2), 2);
	kernel.refused = EPERM;
	granted(2);
	for (int i = 0; i < 10; i++) {
		second(0, 2, 1000);
		(void)look();
	}
	assert_int_equal(dup2(stderr_was, 2), 2);
	length = read(end[0], said, sizeof(said));
	assert_true(length > 0);
	assert_ptr_equal(memchr(said, '\n', (size_t)length), said + length - 1);
	assert_true(kernel.moved[0] > 1);
	assert_false(listener.sessions[0].behind);
	close(end[0]);
	close(end[1]);
	close(stderr_was);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_two_cpus, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(means),
		cmocka_unit_test(limits),
		TEST(the_third_look_finds_one_that_spins),
		TEST(pauses),
		TEST(many_are_busy_with_a_small_share_each),
		TEST(the_same_share_is_not_busy_where_cpus_are_free),
		TEST(the_busiest_go_first),
		TEST(nobody_is_touched_before_and_after_its_time),
		TEST(a_new_session_starts_anew),
		TEST(without_a_granted_session_nothing_is_due),
		TEST(a_turn_is_bounded_and_all_have_theirs),
		TEST(what_is_refused_is_logged_once),
	};

	alarm(30);
	return cmocka_run_group_tests_name("busy workers", tests, NULL, NULL);
}
