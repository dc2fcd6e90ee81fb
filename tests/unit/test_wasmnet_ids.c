/* SPDX-License-Identifier: ISC */
/* The ids of what a wasmnet listener accepts, after more of them than it has. Case 48. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/play_inside.h"
#include "worker/dialect/wasmnet.h"
#include "worker/streams.h"

#define LISTENER_MOST (UINT64_MAX / WASMNET_ACCEPTS - 1)

static struct wasmnet_end *
new_end(uint64_t id, enum wasmnet_kind kind)
{
	struct wasmnet_end *end = calloc(1, sizeof(*end));

	assert_non_null(end);
	end->id = id;
	end->kind = kind;
	return end;
}

/* The id that the next connection gets. @last: the one before. */
static uint64_t
next(struct inside *in, uint64_t listener_id, uint64_t last, uint64_t taken)
{
	struct stream *listener = streams_new(in->s);
	struct stream *stream = streams_new(in->s);
	struct stream *other = streams_new(in->s);
	struct wasmnet_end *end = new_end(listener_id, WASMNET_LISTENER);
	uint64_t id;

	end->accepted = last;
	listener->owner = end;
	other->owner = new_end(taken, WASMNET_TCP);
	dialect_wasmnet.accepted(in->s, listener, stream);
	id = ((struct wasmnet_end *)stream->owner)->id;
	assert_int_equal(end->accepted, id);
	free(stream->owner);
	free(other->owner);
	free(end);
	stream_free(listener);
	stream_free(stream);
	stream_free(other);
	return id;
}

static void
test_ids(void **state)
{
	const uint64_t most = LISTENER_MOST * WASMNET_ACCEPTS;
	struct inside *in = *state;
	struct wasmnet wn = {.json = true};

	in->s->mine = &wn;
	assert_int_equal(next(in, 7, 0, 0), 7000001);
	assert_int_equal(next(in, 7, 7000001, 0), 7000002);
	assert_int_equal(next(in, 7, 7000001, 7000002), 7000003);
	assert_int_equal(next(in, 0, 0, 0), 1);
	/* no neighbour's, and none beyond 64 bits */
	assert_int_equal(next(in, 7, 7999998, 0), 7999999);
	assert_int_equal(next(in, 7, 7999999, 0), 7000001);
	assert_int_equal(next(in, 7, 7999999, 7000001), 7000002);
	assert_int_equal(next(in, 7, 7999998, 7999999), 7000001);
	assert_int_equal(next(in, LISTENER_MOST, 0, 0), most + 1);
	assert_int_equal(next(in, LISTENER_MOST, most + 999999, 0), most + 1);
	in->s->mine = in;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ids, inside_setup, inside_teardown),
	};

	return cmocka_run_group_tests_name("wasmnet_ids", tests, NULL, NULL);
}
