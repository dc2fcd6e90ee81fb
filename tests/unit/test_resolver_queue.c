/* SPDX-License-Identifier: ISC */
/*
 * The resolver's queue, with the test as its loop, its client and its lookups.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "helpers/resolver/queue.h"
#include "ipc/words.h"

static struct {
	struct resolver resolver;
	struct serve_client client;
	uint64_t now;
	int error;      /* of lookup_start(), or 0 */
	bool unwatched; /* serve_watch() fails */
	unsigned int lookups;
	int ends[QUERIES_MOST]; /* the writing ends */
	char looked_up[IPC_HOST];
	unsigned int names; /* made by ask() */
	unsigned int answers;
	unsigned int logged;
	struct ipc_addresses last;
} test;

/* Of common/log.h, whose words are not cmocka's. */
int log_put(const char *priority, int error, const char *format, ...);

int
log_put(const char *priority, int error, const char *format, ...)
{
	(void)priority;
	(void)error;
	assert_string_equal(format, "%s");
	test.logged++;
	return -1;
}

int
lookup_start(const char *name, unsigned int deadline_ms)
{
	int ends[2];

	strcpy(test.looked_up, name);
	assert_true(deadline_ms > 0 && deadline_ms <= DEADLINE_MS);
	errno = test.error;
	if (test.error)
		return -1;
	assert_int_equal(pipe(ends), 0);
	test.ends[test.lookups++] = ends[1];
	return ends[0];
}

int
serve_watch(struct serve *serve, struct serve_watch *watch)
{
	assert_ptr_equal(serve, &test.resolver.serve);
	assert_non_null(watch->ready);
	return test.unwatched ? -1 : 0;
}

int
serve_answer(struct serve_client *client, const void *message, size_t length)
{
	assert_ptr_equal(client, &test.client);
	assert_int_equal(length, sizeof(test.last));
	memcpy(&test.last, message, length);
	test.answers++;
	return 0;
}

uint64_t
serve_now_ms(void)
{
	return test.now;
}

static int
ask_for(const char *grant, const char *name, uint64_t session)
{
	union ipc_any any = {.LOOKUP_body = {.head = {MSG_LOOKUP}, .session = session}};

	strcpy(any.LOOKUP_body.grant, grant);
	strcpy(any.LOOKUP_body.host, name);
	return queue_message(&test.resolver, &test.client, &any);
}

/* Each for a name of its own. */
static void
ask(uint64_t session, unsigned int n)
{
	char name[IPC_HOST];

	for (unsigned int i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "n%u.test", test.names++);
		assert_int_equal(ask_for("grant", name, session), 0);
	}
}

/* What the @nth process says, which has that @place, and its end. */
static void
say(unsigned int nth, unsigned int place, const struct lookup_result *result, size_t n)
{
	struct serve_watch *watch = &test.resolver.lookups[place].watch;

	if (n)
		assert_int_equal(write(test.ends[nth], result, n), n);
	close(test.ends[nth]);
	test.ends[nth] = -1;
	watch->ready(watch);
	queue_turn(&test.resolver);
}

/* Each query is in one list at most, and none is lost. */
static unsigned int
count(const struct queries *list)
{
	const struct query *query;
	unsigned int n = 0;

	TAILQ_FOREACH(query, list, next)
	assert_true(++n <= QUERIES_MOST);
	return n;
}

static int
start(void **state)
{
	(void)state;
	memset(&test, 0, sizeof(test));
	test.now = 1000000;
	queue_start(&test.resolver);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < test.lookups; i++)
		close(test.ends[i]);
	for (size_t i = 0; i < LOOKUPS_MOST; i++) {
		if (test.resolver.lookups[i].watch.fd >= 0)
			close(test.resolver.lookups[i].watch.fd);
	}
	return 0;
}

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
		TEST(an_answer_holds_for_its_time),
		TEST(one_lookup_answers_all_of_a_grant),
		TEST(what_a_process_says_is_judged),
		TEST(times_are_brought_between_bounds),
		TEST(a_grant_without_an_end_is_no_message),
	};

	return cmocka_run_group_tests_name("resolver's queue", tests, NULL, NULL);
}
