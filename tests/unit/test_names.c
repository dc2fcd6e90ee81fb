/* SPDX-License-Identifier: ISC */
/* What a session remembers of names: for how long, how much, and which name counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/names.h"

static struct names names;

static struct ipc_addr
v4(unsigned int last)
{
	return (struct ipc_addr){4, 0, 0, {203, 0, 113, (uint8_t)last}};
}

static struct ipc_resolved
said(unsigned int first, uint32_t count, uint32_t ttl_s)
{
	struct ipc_resolved answer = {.ttl_s = ttl_s, .count = count};

	for (uint32_t i = 0; i < count; i++)
		answer.addrs[i] = v4(first + i);
	return answer;
}

static int
start(void **state)
{
	(void)state;
	memset(&names, 0, sizeof(names));
	return 0;
}

static void
test_until_its_time_is_over(void **state)
{
	struct ipc_resolved answer = said(1, 2, 60);
	struct ipc_addr one = v4(1), two = v4(2), other = v4(3);

	(void)state;
	names_keep(&names, "a.example", &answer, 1000);
	one.port = 443; /* does not count */
	assert_string_equal(names_of(&names, &one, 1000), "a.example");
	assert_string_equal(names_of(&names, &two, 60999), "a.example");
	assert_null(names_of(&names, &two, 61000));
	assert_null(names_of(&names, &other, 1000));
	other.family = 0;
	assert_null(names_of(&names, &other, 1000));
}

static void
test_the_newest_name_counts(void **state)
{
	struct ipc_resolved answer = said(1, 1, 60);
	struct ipc_addr one = v4(1);

	(void)state;
	names_keep(&names, "a.example", &answer, 1000);
	names_keep(&names, "b.example", &answer, 2000);
	assert_string_equal(names_of(&names, &one, 2000), "b.example");
	assert_null(names_of(&names, &one, 62000));
}

static void
test_no_more_than_there_is_room_for(void **state)
{
	struct ipc_addr first = v4(0), last = v4(NAMES_MOST);

	(void)state;
	for (unsigned int i = 0; i <= NAMES_MOST; i++) {
		struct ipc_resolved answer = said(i, 1, 60 + i);

		names_keep(&names, "a.example", &answer, 1000);
	}
	assert_null(names_of(&names, &first, 1000)); /* it would have ended first */
	assert_string_equal(names_of(&names, &last, 1000), "a.example");
}

/* What is told last is what a guest connects to next, however soon it ends. */
static void
test_what_lasts_does_not_crowd_out(void **state)
{
	struct ipc_resolved many = said(0, IPC_ADDRESSES, 3600), few = said(200, 3, 5);
	struct ipc_addr one = v4(200), three = v4(202);

	(void)state;
	for (unsigned int i = 0; i < NAMES_MOST / IPC_ADDRESSES; i++) {
		many = said(i * IPC_ADDRESSES, IPC_ADDRESSES, 3600);
		names_keep(&names, "long.example", &many, 1000);
	}
	names_keep(&names, "short.example", &few, 2000);
	assert_string_equal(names_of(&names, &one, 2000), "short.example");
	assert_string_equal(names_of(&names, &three, 2000), "short.example");
	assert_null(names_of(&names, &one, 7000));
}

/* Another name's servers may answer with any address, and for a shorter time. */
static void
test_another_name_takes_no_time_away(void **state)
{
	struct ipc_resolved mine = said(1, 1, 60), theirs = said(1, 1, 5);
	struct ipc_addr one = v4(1);

	(void)state;
	names_keep(&names, "a.example", &mine, 1000);
	names_keep(&names, "b.example", &theirs, 2000);
	assert_string_equal(names_of(&names, &one, 2000), "b.example");
	assert_string_equal(names_of(&names, &one, 7000), "a.example");
	assert_null(names_of(&names, &one, 61000));
	/* Told again, it is the newest, and is kept once. */
	names_keep(&names, "b.example", &theirs, 8000);
	for (unsigned int i = 0; i < 2 * NAMES_MOST; i++)
		names_keep(&names, "a.example", &mine, 9000 + i);
	assert_string_equal(names_of(&names, &one, 10000), "a.example");
	names_keep(&names, "b.example", &theirs, 10000);
	assert_string_equal(names_of(&names, &one, 10000), "b.example");
}

static void
test_a_count_that_lies(void **state)
{
	struct ipc_resolved answer = said(1, IPC_ADDRESSES, 60);
	struct ipc_addr one = v4(8);

	(void)state;
	answer.count = UINT32_MAX;
	names_keep(&names, "a.example", &answer, 1000);
	assert_string_equal(names_of(&names, &one, 1000), "a.example");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_until_its_time_is_over, start),
		cmocka_unit_test_setup(test_the_newest_name_counts, start),
		cmocka_unit_test_setup(test_no_more_than_there_is_room_for, start),
		cmocka_unit_test_setup(test_what_lasts_does_not_crowd_out, start),
		cmocka_unit_test_setup(test_another_name_takes_no_time_away, start),
		cmocka_unit_test_setup(test_a_count_that_lies, start),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
