/* SPDX-License-Identifier: ISC */
/*
 * The resolver's queue: what waits in it, for whom, and what cannot be looked up.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/resolver_scene.h"

static void
expect_one_failure(void)
{
	ask(1, 1);
	queue_turn(&test.resolver);
	assert_int_equal(test.answers, 1);
	assert_int_equal(test.last.reason, REASON_NAME_FAILED);
	assert_int_equal(count(&test.resolver.free), QUERIES_MOST);
	assert_int_equal(queue_wait_ms(&test.resolver), -1);
	test.now += DEADLINE_MS;
	queue_turn(&test.resolver);
	assert_int_equal(test.answers, 1);
	assert_int_equal(count(&test.resolver.free), QUERIES_MOST);
	assert_int_equal(count(&test.resolver.answered), 0);
}

static void
without_a_process(void **state)
{
	(void)state;
	test.error = EAGAIN;
	expect_one_failure();
	test.error = 0;
	ask(1, 1);
	queue_turn(&test.resolver);
	assert_int_equal(test.lookups, 1);
}

/* A session that asks for many names then does not fill the log. */
static void
one_line_in_a_while(void **state)
{
	(void)state;
	test.error = EAGAIN;
	for (unsigned int i = 0; i < 100; i++) {
		test.now += 99;
		test.error = i % 2 ? 0 : EAGAIN; /* it comes and goes */
		ask(i, 1);
		queue_turn(&test.resolver);
	}
	assert_int_equal(test.logged, 1);
	test.now += FAILURE_EVERY_MS;
	test.error = EAGAIN;
	ask(1000, 1);
	queue_turn(&test.resolver);
	assert_int_equal(test.logged, 2);
}

/* A process that crashes is seen; one whose time is over is none of these. */
static void
an_end_without_a_word_is_logged(void **state)
{
	struct lookup_result half = {.reason = REASON_NAME_UNKNOWN};

	(void)state;
	ask(1, 1);
	queue_turn(&test.resolver);
	test.now += DEADLINE_MS;
	say(0, 0, NULL, 0);
	assert_int_equal(test.answers, 1);
	assert_int_equal(test.logged, 0);
	ask(1, 1);
	queue_turn(&test.resolver);
	say(1, 0, &half, sizeof(half));
	assert_int_equal(test.logged, 0);
	for (unsigned int i = 2; i < 100; i++) {
		ask(1, 1);
		queue_turn(&test.resolver);
		say(i, 0, &half, i % 2 ? 0 : sizeof(half) / 2);
		assert_int_equal(test.answers, i + 1);
		assert_int_equal(test.last.reason, REASON_NAME_FAILED);
	}
	assert_int_equal(test.logged, 1);
}

static void
without_a_watch(void **state)
{
	(void)state;
	test.unwatched = true;
	expect_one_failure();
}

static void
one_session_has_its_share(void **state)
{
	(void)state;
	ask(1, 200);
	/* Of what waits, too. */
	assert_int_equal(test.answers, 200 - WAITING_MOST);
	assert_int_equal(test.last.reason, REASON_NAME_FAILED);
	test.answers = 0;
	ask(2, 1);
	ask(3, 10);
	queue_turn(&test.resolver);
	assert_int_equal(test.lookups, SESSION_MOST + 1 + SESSION_MOST);
	/* One that ends without a word makes room for its session's next. */
	say(0, 0, NULL, 0);
	assert_int_equal(test.answers, 1);
	assert_int_equal(test.last.session, 1);
	assert_int_equal(test.lookups, SESSION_MOST + 1 + SESSION_MOST + 1);
	/* What is kept waiting is answered at its deadline. */
	test.now += DEADLINE_MS;
	queue_turn(&test.resolver);
	assert_int_equal(test.answers, WAITING_MOST + 11);
	assert_int_equal(count(&test.resolver.free), QUERIES_MOST);
}

/* However many sessions it has, others find half of all places free. */
static void
one_grant_has_its_share(void **state)
{
	char name[IPC_HOST];

	(void)state;
	for (unsigned int i = 0; i < QUERIES_MOST; i++) {
		(void)snprintf(name, sizeof(name), "n%u.test", i);
		assert_int_equal(ask_for("many", name, i), 0);
		if (i == LOOKUPS_MOST)
			queue_turn(&test.resolver);
	}
	assert_int_equal(test.lookups, GRANT_MOST);
	assert_int_equal(test.answers, QUERIES_MOST - GRANT_MOST - GRANT_WAITING);
	assert_int_equal(test.last.reason, REASON_NAME_FAILED);
	test.answers = 0;
	for (unsigned int i = 0; i < QUERIES_MOST / 2; i++) {
		(void)snprintf(name, sizeof(name), "n%u.test", i);
		assert_int_equal(ask_for("other", name, i), 0);
		if (i == LOOKUPS_MOST)
			queue_turn(&test.resolver);
	}
	assert_int_equal(test.lookups, LOOKUPS_MOST);
	assert_int_equal(test.answers, 0);
	/* What one of them gives back is not the other's. */
	say(0, 0, NULL, 0);
	assert_int_equal(test.lookups, LOOKUPS_MOST + 1);
	assert_int_equal(test.answers, 1);
	test.now += DEADLINE_MS;
	queue_turn(&test.resolver);
	assert_int_equal(count(&test.resolver.free), QUERIES_MOST);
}

static void
a_grant_without_an_end_is_no_message(void **state)
{
	union ipc_any any = {.LOOKUP_body = {.head = {MSG_LOOKUP}, .host = "a.test"}};

	(void)state;
	memset(any.LOOKUP_body.grant, 'g', IPC_GRANT);
	assert_int_equal(queue_message(&test.resolver, &test.client, &any), -1);
	assert_int_equal(count(&test.resolver.free), QUERIES_MOST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_process),
		TEST(one_line_in_a_while),
		TEST(an_end_without_a_word_is_logged),
		TEST(without_a_watch),
		TEST(one_session_has_its_share),
		TEST(one_grant_has_its_share),
		TEST(a_grant_without_an_end_is_no_message),
	};

	return cmocka_run_group_tests_name("resolver's queue", tests, NULL, NULL);
}
