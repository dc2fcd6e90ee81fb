/* SPDX-License-Identifier: ISC */
/*
 * The resolver's queue: what a lookup says, for whom it is, and for how long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/resolver_scene.h"

/* 192.0.2.N, for so long. */
static struct lookup_result
good(uint8_t n, uint32_t ttl_s)
{
	return (struct lookup_result){REASON_NONE, 1, ttl_s, {{4, 0, 0, {192, 0, 2, n}}}};
}

static void
expect_answer(unsigned int answers, uint8_t n, uint32_t ttl_s)
{
	assert_int_equal(test.answers, answers);
	assert_int_equal(test.last.reason, REASON_NONE);
	assert_int_equal(test.last.count, 1);
	assert_int_equal(test.last.addrs[0].ip[3], n);
	assert_int_equal(test.last.ttl_s, ttl_s);
}

static void
an_answer_holds_for_its_time(void **state)
{
	const struct lookup_result one = good(1, 30), two = good(2, 30);

	(void)state;
	ask_for("grant", "a.test", 1);
	queue_turn(&test.resolver);
	say(0, 0, &one, sizeof(one));
	expect_answer(1, 1, 30);
	/* Another session of that grant; the time is what is left. */
	test.now += 10000;
	ask_for("grant", "a.test", 2);
	expect_answer(2, 1, 20);
	assert_int_equal(test.last.session, 2);
	assert_int_equal(count(&test.resolver.free), QUERIES_MOST);
	/* Another grant; then another name. */
	ask_for("other", "a.test", 3);
	ask_for("grant", "b.test", 1);
	queue_turn(&test.resolver);
	assert_int_equal(test.lookups, 3);
	assert_int_equal(test.answers, 2);
	/* Its time is over. */
	test.now += 20000 + CACHE_SLACK_MS;
	queue_turn(&test.resolver);
	assert_int_equal(test.answers, 4);
	ask_for("grant", "a.test", 2);
	queue_turn(&test.resolver);
	assert_int_equal(test.lookups, 4);
	assert_string_equal(test.looked_up, "a.test");
	say(3, 2, &two, sizeof(two));
	expect_answer(5, 2, 30);
}

static void
one_lookup_answers_all_of_a_grant(void **state)
{
	const struct lookup_result one = good(1, 30);

	(void)state;
	for (uint64_t session = 1; session <= 5; session++)
		ask_for("grant", "a.test", session);
	ask_for("other", "a.test", 6);
	queue_turn(&test.resolver);
	assert_int_equal(test.lookups, 2);
	say(0, 0, &one, sizeof(one));
	expect_answer(5, 1, 30);
	/* A failure is shared as well, and not kept. */
	ask_for("other", "a.test", 7);
	queue_turn(&test.resolver);
	say(1, 1, NULL, 0);
	assert_int_equal(test.answers, 7);
	assert_int_equal(test.last.reason, REASON_NAME_FAILED);
	assert_int_equal(count(&test.resolver.free), QUERIES_MOST);
	ask_for("other", "a.test", 7);
	queue_turn(&test.resolver);
	assert_int_equal(test.lookups, 3);
	/* So is the end of its time; what it says too late is for nobody. */
	test.now += DEADLINE_MS - 1;
	ask_for("other", "a.test", 8);
	test.now += 1;
	queue_turn(&test.resolver);
	assert_int_equal(test.answers, 9);
	assert_int_equal(test.last.reason, REASON_NAME_FAILED);
	say(2, 0, &one, sizeof(one));
	assert_int_equal(test.answers, 9);
	ask_for("other", "a.test", 8);
	assert_int_equal(test.answers, 9);
}

/* A process that was taken over may say anything. */
static void
what_a_process_says_is_judged(void **state)
{
	struct lookup_result wrong[] = {good(1, 30), good(1, 30), good(1, 30), good(1, 30)};

	(void)state;
	wrong[0].count = 0;
	wrong[1].count = IPC_ADDRESSES + 1;
	wrong[2].addrs[0].family = 5;
	wrong[3].reason = REASON_RULE_DENIES;
	for (unsigned int i = 0; i < 5; i++) {
		bool half = i == 4;

		ask_for("grant", "a.test", 1);
		queue_turn(&test.resolver);
		assert_int_equal(test.lookups, i + 1);
		say(i, 0, &wrong[half ? 0 : i], sizeof(wrong[0]) / (half ? 2 : 1));
		assert_int_equal(test.answers, i + 1);
		assert_int_equal(test.last.reason, REASON_NAME_FAILED);
		assert_int_equal(test.last.count, 0);
		assert_int_equal(test.last.addrs[0].family, 0);
	}
}

static void
times_are_brought_between_bounds(void **state)
{
	const uint32_t said[] = {0, 4, 6, 3601, UINT32_MAX};
	const uint32_t told[] = {CACHE_TTL_LEAST, CACHE_TTL_LEAST, 6, CACHE_TTL_MOST,
				 CACHE_TTL_MOST};

	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		const struct lookup_result one = good(1, said[i]);

		ask(1, 1);
		queue_turn(&test.resolver);
		say(i, 0, &one, sizeof(one));
		expect_answer(i + 1, 1, told[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_holds_for_its_time),
		TEST(one_lookup_answers_all_of_a_grant),
		TEST(what_a_process_says_is_judged),
		TEST(times_are_brought_between_bounds),
	};

	return cmocka_run_group_tests_name("resolver's answers", tests, NULL, NULL);
}
