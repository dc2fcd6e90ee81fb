/* SPDX-License-Identifier: ISC */
#include "tests/unit/resolver_scene.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct resolver_scene test;

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

int
ask_for(const char *grant, const char *name, uint64_t session)
{
	union ipc_any any = {.LOOKUP_body = {.head = {MSG_LOOKUP}, .session = session}};

	strcpy(any.LOOKUP_body.grant, grant);
	strcpy(any.LOOKUP_body.host, name);
	return queue_message(&test.resolver, &test.client, &any);
}

void
ask(uint64_t session, unsigned int n)
{
	char name[IPC_HOST];

	for (unsigned int i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "n%u.test", test.names++);
		assert_int_equal(ask_for("grant", name, session), 0);
	}
}

void
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

unsigned int
count(const struct queries *list)
{
	const struct query *query;
	unsigned int n = 0;

	TAILQ_FOREACH(query, list, next)
	assert_true(++n <= QUERIES_MOST);
	return n;
}

int
start(void **state)
{
	(void)state;
	memset(&test, 0, sizeof(test));
	test.now = 1000000;
	queue_start(&test.resolver);
	return 0;
}

int
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
