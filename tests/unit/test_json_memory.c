/* SPDX-License-Identifier: ISC */
/*
 * json-c does not survive a failed allocation, so json_read() must not let one
 * happen inside it: with ever more memory to spare a message is either read
 * right or refused for want of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json_object.h>

#include "worker/json.h"

#define MOST (1 << 20)

/* In a child with @spare bytes of address space left: 0 for right, 1 for no memory. */
static int
read_with_little(const char *text, size_t length, struct json_object *wanted, size_t spare,
		 size_t shift)
{
	pid_t child = fork();
	int status = -1;

	if (!child) {
		struct json_object *object = NULL;
		struct rlimit limit;
		unsigned long pages = 0;
		FILE *statm = fopen("/proc/self/statm", "r");

		if (!statm || fscanf(statm, "%lu", &pages) != 1)
			_exit(5);
		fclose(statm);
		limit.rlim_cur = limit.rlim_max = pages * (rlim_t)getpagesize() + spare;
		/* The heap grows in steps: where one is due must differ too. */
		(void)memset(malloc(shift), 1, shift);
		if (setrlimit(RLIMIT_AS, &limit) < 0)
			_exit(4);
		switch (json_read(text, length, MOST, &object)) {
		case JSON_FINE:
			_exit(json_object_equal(object, wanted) ? 0 : 3);
		case JSON_NO_MEMORY:
			_exit(1);
		default:
			_exit(2);
		}
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void
little_memory(void **state)
{
	static char text[MOST];
	struct json_object *wanted = NULL;
	size_t length;
	int seen[2] = {0, 0};

	(void)state;
	length = (size_t)sprintf(text, "{\"s\":\"%020000d\"", 7);
	for (int i = 0; i < 3000; i++)
		length += (size_t)sprintf(text + length, ",\"name-%d\":%d", i, i);
	for (int i = 0; i < 200; i++)
		length += (size_t)sprintf(text + length, ",\"k%d\":{\"a\":[%d]}", i, i);
	text[length++] = '}';
	assert_int_equal(json_read(text, length, MOST, &wanted), JSON_FINE);
	for (size_t step = 0; step < 400; step++) {
		size_t spare = step % 80 * (64 << 10);
		int result = read_with_little(text, length, wanted, spare, 1 + step * 40);

		if (result != 0 && result != 1)
			fail_msg("with %zu bytes to spare: %d", spare, result);
		seen[result]++;
	}
	assert_true(seen[0] > 0 && seen[1] > 0);
	json_release(wanted);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(little_memory),
	};

	return cmocka_run_group_tests_name("json_memory", tests, NULL, NULL);
}
