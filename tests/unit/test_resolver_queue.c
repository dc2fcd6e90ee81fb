/* SPDX-License-Identifier: ISC */
/*
 * The resolver's queue, with the test as its loop, its client and its lookups.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
	unsigned int answers;
	struct ipc_addresses last;
} test;

int
lookup_start(const char *name, unsigned int deadline_ms)
{
	int ends[2];

	assert_string_equal(name, "name.test");
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

static void
ask(uint64_t session, unsigned int n)
{
	union ipc_any any = {.LOOKUP_body = {.head = {MSG_LOOKUP}, .session = session}};

	strcpy(any.LOOKUP_body.host, "name.test");
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(queue_message(&test.resolver, &test.client, &any), 0);
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
	close(test.ends[0]);
	test.ends[0] = -1;
	test.resolver.lookups[0].watch.ready(&test.resolver.lookups[0].watch);
	queue_turn(&test.resolver);
	assert_int_equal(test.answers, 1);
	assert_int_equal(test.last.session, 1);
	assert_int_equal(test.lookups, SESSION_MOST + 1 + SESSION_MOST + 1);
	/* What is kept waiting is answered at its deadline. */
	test.now += DEADLINE_MS;
	queue_turn(&test.resolver);
	assert_int_equal(test.answers, WAITING_MOST + 11);
	assert_int_equal(count(&test.resolver.free), QUERIES_MOST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_process),
		TEST(without_a_watch),
		TEST(one_session_has_its_share),
	};

	return cmocka_run_group_tests_name("resolver's queue", tests, NULL, NULL);
}
