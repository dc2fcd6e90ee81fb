/* SPDX-License-Identifier: ISC */
/* A message of the client, put together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/gather.h"
#include "worker/session.h"

struct part {
	struct session *s;
	struct gather g;
};

static int
start(void **state)
{
	struct part *part = calloc(1, sizeof(*part));

	assert_non_null(part);
	part->s = calloc(1, sizeof(*part->s));
	assert_non_null(part->s);
	part->s->granted.message_bytes = 10000;
	part->s->exit_status = -1;
	*state = part;
	return 0;
}

static int
stop(void **state)
{
	struct part *part = *state;

	gather_free(&part->g);
	free(part->s);
	free(part);
	return 0;
}

static bool
add(struct part *part, const char *text)
{
	return gather_chunk(part->s, &part->g, (const uint8_t *)text, strlen(text));
}

static void
test_pieces(void **state)
{
	struct part *part = *state;

	assert_non_null(gather_bytes(&part->g));
	gather_begin(part->s, &part->g, true);
	assert_true(part->g.text);
	assert_non_null(gather_bytes(&part->g));
	assert_true(add(part, "one"));
	assert_true(add(part, ""));
	assert_true(add(part, "two"));
	assert_int_equal(part->g.bytes.length, 6);
	assert_memory_equal(gather_bytes(&part->g), "onetwo", 6);
	gather_free(&part->g);
	assert_int_equal(part->g.bytes.length, 0);
	assert_null(part->g.bytes.bytes);
}

/* One that was broken off leaves nothing to the next. */
static void
test_begun_again(void **state)
{
	struct part *part = *state;

	gather_begin(part->s, &part->g, true);
	assert_true(add(part, "left"));
	gather_begin(part->s, &part->g, false);
	assert_false(part->g.text);
	assert_int_equal(part->g.bytes.length, 0);
	assert_true(add(part, "new"));
	assert_memory_equal(gather_bytes(&part->g), "new", 3);
}

static void
test_no_more_than_the_grant_has(void **state)
{
	struct part *part = *state;
	uint8_t bytes[10000] = {1};

	gather_begin(part->s, &part->g, false);
	assert_true(gather_chunk(part->s, &part->g, bytes, sizeof(bytes)));
	assert_false(part->s->over);
	assert_false(gather_chunk(part->s, &part->g, bytes, 1));
	assert_int_equal(part->g.bytes.length, 10000);
	assert_true(part->s->over);
	assert_int_equal(part->s->exit_status, WORKER_NO_MEMORY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pieces),
		TEST(begun_again),
		TEST(no_more_than_the_grant_has),
	};

	return cmocka_run_group_tests_name("gather", tests, NULL, NULL);
}
