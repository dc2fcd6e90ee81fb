/* SPDX-License-Identifier: ISC */
/*
 * The resolver's cache: what is kept, for how long, and who gives up what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "helpers/resolver/cache.h"

#define NOW 1000000ULL

static struct cache cache;

static int
start(void **state)
{
	(void)state;
	memset(&cache, 0, sizeof(cache));
	return 0;
}

static void
put(const char *grant, unsigned int n, uint64_t now, uint32_t ttl_s)
{
	struct ipc_addresses answer = {.count = 1, .ttl_s = ttl_s};
	char name[IPC_HOST];

	(void)snprintf(name, sizeof(name), "n%u.test", n);
	answer.addrs[0] = (struct ipc_addr){4, 0, 0, {10, 0, (uint8_t)(n >> 8), (uint8_t)n}};
	cache_put(&cache, grant, name, now, &answer);
}

/* The time that is told, 0: not there. */
static uint32_t
get(const char *grant, unsigned int n, uint64_t now)
{
	struct ipc_addresses answer = {.count = 77};
	char name[IPC_HOST];

	(void)snprintf(name, sizeof(name), "n%u.test", n);
	if (!cache_get(&cache, grant, name, now, &answer)) {
		assert_int_equal(answer.count, 77);
		return 0;
	}
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.addrs[0].ip[2] << 8 | answer.addrs[0].ip[3], n);
	assert_int_equal(answer.addrs[1].family, 0);
	return answer.ttl_s;
}

static unsigned int
kept(const char *grant, unsigned int names, uint64_t now)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < names; i++)
		n += get(grant, i, now) > 0;
	return n;
}

/* What is counted is what is there. */
static void
expect_sound(void)
{
	uint32_t counted[CACHE_MOST] = {0};

	for (unsigned int i = 0; i < CACHE_MOST; i++) {
		if (cache.entries[i].until)
			counted[cache.entries[i].owner]++;
	}
	for (unsigned int i = 0; i < CACHE_MOST; i++)
		assert_int_equal(counted[i], cache.owners[i].entries);
}

static void
what_is_left_is_told(void **state)
{
	(void)state;
	put("one", 1, NOW, 10);
	assert_int_equal(get("one", 1, NOW), 10);
	assert_int_equal(get("one", 1, NOW + 1), 9);
	assert_int_equal(get("one", 1, NOW + 9000), 1);
	/* Never 0, and a second longer than told. */
	assert_int_equal(get("one", 1, NOW + 9999), 1);
	assert_int_equal(get("one", 1, NOW + 10000 + CACHE_SLACK_MS - 1), 1);
	assert_int_equal(get("one", 1, NOW + 10000 + CACHE_SLACK_MS), 0);
}

/*
 * Whoever was told an address before an answer's time was over finds it there until the
 * time that was told to him is over.
 */
static void
what_was_told_holds(void **state)
{
	(void)state;
	put("one", 1, NOW, 10);
	for (uint64_t at = NOW; at < NOW + 10000; at += 7) {
		uint32_t told = get("one", 1, at);

		assert_in_range(told, 1, 10);
		assert_int_not_equal(get("one", 1, at + told * 1000ULL - 1), 0);
	}
}

static void
each_grant_has_its_own(void **state)
{
	(void)state;
	put("one", 1, NOW, 10);
	assert_int_equal(get("two", 1, NOW), 0);
	assert_int_equal(get("on", 1, NOW), 0);
	assert_int_equal(get("", 1, NOW), 0);
	put("two", 1, NOW, 20);
	assert_int_equal(get("one", 1, NOW), 10);
	assert_int_equal(get("two", 1, NOW), 20);
	expect_sound();
}

static void
a_name_is_kept_once(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2 * CACHE_MOST; i++)
		put("one", 1, NOW, 10 + i);
	assert_int_equal(get("one", 1, NOW), 10 + 2 * CACHE_MOST - 1);
	assert_int_equal(cache.owners[0].entries, 1);
	expect_sound();
}

static void
who_has_most_gives_one_up(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CACHE_MOST; i++)
		put("many", i, NOW, 1000 + i);
	assert_int_equal(kept("many", CACHE_MOST, NOW), CACHE_MOST);
	/* Its own that ends first. */
	put("many", CACHE_MOST, NOW, 3000);
	assert_int_equal(get("many", 0, NOW), 0);
	assert_int_equal(kept("many", CACHE_MOST + 1, NOW), CACHE_MOST);
	/* Another one gets half of the room, and not more, however much it asks for. */
	for (unsigned int i = 0; i < 3 * CACHE_MOST; i++) {
		put("few", i, NOW, 3600);
		if (i < CACHE_MOST / 2)
			assert_int_equal(kept("few", i + 1, NOW), i + 1);
	}
	assert_in_range(kept("few", 3 * CACHE_MOST, NOW), CACHE_MOST / 2 - 1, CACHE_MOST / 2 + 1);
	assert_in_range(kept("many", CACHE_MOST + 1, NOW), CACHE_MOST / 2 - 1, CACHE_MOST / 2 + 1);
	/* It was those that end first. */
	assert_int_equal(get("many", CACHE_MOST / 2 - 2, NOW), 0);
	assert_int_not_equal(get("many", CACHE_MOST, NOW), 0);
	expect_sound();
}

static void
what_is_over_makes_room(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CACHE_MOST; i++)
		put(i % 2 ? "odd" : "even", i, NOW, i < 10 ? 5 : 100);
	put("odd", CACHE_MOST + 1, NOW + 5000 + CACHE_SLACK_MS, 100);
	assert_int_equal(kept("odd", CACHE_MOST + 2, NOW), CACHE_MOST / 2 - 5 + 1);
	assert_int_equal(kept("even", CACHE_MOST, NOW), CACHE_MOST / 2 - 5);
	expect_sound();
}

static void
as_many_grants_as_names(void **state)
{
	char grant[IPC_GRANT];

	(void)state;
	for (unsigned int i = 0; i < 2 * CACHE_MOST; i++) {
		(void)snprintf(grant, sizeof(grant), "%.*u", IPC_GRANT - 1, i);
		put(grant, i, NOW, 100 + i);
		assert_int_not_equal(get(grant, i, NOW), 0);
	}
	expect_sound();
	/* All of them end, and their places serve others. */
	put("one", 1, NOW + 10000000, 10);
	assert_int_equal(get("one", 1, NOW + 10000000), 10);
	assert_int_equal(cache.owners[0].entries, 1);
	expect_sound();
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_left_is_told),      TEST(what_was_told_holds),
		TEST(each_grant_has_its_own),    TEST(a_name_is_kept_once),
		TEST(who_has_most_gives_one_up), TEST(what_is_over_makes_room),
		TEST(as_many_grants_as_names),
	};

	return cmocka_run_group_tests_name("resolver's cache", tests, NULL, NULL);
}
