/* SPDX-License-Identifier: ISC */
/* Frame headers: each verdict, at every way of cutting the bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/frames.h"

static void
test_good_frames(void **state)
{
	static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, FRAMES_MESSAGE};
	uint8_t *in = malloc(FRAMES_MOST);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned int op = 1; op <= 2; op++) {
			size_t n = frames_add(in, 0x80 | op, NULL, sizes[i]);
			struct outcome *o = frames_whole(in, n);

			assert_int_equal(o->event, GUARD_MORE);
			assert_int_equal(o->made, n);
			assert_memory_equal(o->out, in, n);
			frames_any_cut(in, n, o);
			free(o);
		}
	}
	free(in);
}

static void
test_fragments(void **state)
{
	uint8_t in[256];
	size_t n = 0;

	(void)state;
	n += frames_add(in + n, 0x01, "ab", 2);
	n += frames_add(in + n, 0x89, "ping", 4); /* between fragments, and not passed on */
	n += frames_add(in + n, 0x00, "", 0);
	n += frames_add(in + n, 0x8a, "pong", 4);
	n += frames_add(in + n, 0x80, "cd", 2);
	n += frames_add(in + n, 0x82, "e", 1);
	frames_verdict(in, n, GUARD_MORE, 0, n - 20);
}

/* Case 21. */
static void
test_not_masked(void **state)
{
	(void)state;
	frames_bad("\x82\x01x", 3, 1002);
	frames_bad("\x81\x00", 2, 1002);
	frames_bad("\x89\x00", 2, 1002);
	frames_bad("\x88\x00", 2, 1002);
	frames_bad("\x82\x7e\x00\x80", 4, 1002);
}

/* Cases 22 and 23. */
static void
test_reserved(void **state)
{
	(void)state;
	for (unsigned int first = 0; first < 256; first++) {
		uint8_t in[8] = {(uint8_t)first, 0x80};
		unsigned int op = first & 0x0f;
		bool fine = !(first & 0x70) &&
			    (op == 1 || op == 2 || (first & 0x80 && (op >= 8 && op <= 10)));

		if (!fine)
			frames_bad(in, 6, 1002);
	}
}

/* Case 24: from the header alone. */
static void
test_lengths_too_long(void **state)
{
	(void)state;
	frames_bad("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10, 1009);
	frames_bad("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00", 10, 1002);
	frames_bad("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10, 1002);
	frames_bad("\x82\xff\x00\x00\x00\x00\x00\x01\x86\xa1", 10, 1009); /* FRAMES_MESSAGE + 1 */
}

/* Case 25. */
static void
test_lengths_not_minimal(void **state)
{
	(void)state;
	frames_bad("\x82\xfe\x00\x05", 4, 1002);
	frames_bad("\x82\xfe\x00\x7d", 4, 1002);
	frames_bad("\x82\xff\x00\x00\x00\x00\x00\x00\x00\xc8", 10, 1002);
	frames_bad("\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", 10, 1002);
}

/* Case 28. */
static void
test_control_frames(void **state)
{
	(void)state;
	frames_bad("\x89\xfe", 2, 1002);
	frames_bad("\x89\xff", 2, 1002);
	frames_bad("\x88\xfe", 2, 1002);
	frames_bad("\x8a\xfe", 2, 1002);
	frames_bad("\x09", 1, 1002);
	frames_bad("\x0a", 1, 1002);
	frames_bad("\x08", 1, 1002);
}

/* Case 30. */
static void
test_order(void **state)
{
	uint8_t in[64];
	size_t n;

	(void)state;
	frames_bad("\x80", 1, 1002);
	frames_bad("\x00", 1, 1002);
	n = frames_add(in, 0x02, "a", 1);
	in[n] = 0x81;
	frames_verdict(in, n + 1, GUARD_BAD, 1002, n);
	in[n] = 0x02;
	frames_verdict(in, n + 1, GUARD_BAD, 1002, n);
	n = frames_add(in, 0x82, "a", 1);
	in[n] = 0x80;
	frames_verdict(in, n + 1, GUARD_BAD, 1002, n);
}

static void
close_verdict(const void *payload, size_t length, enum guard_event event, unsigned int code)
{
	uint8_t in[256];
	size_t n = frames_add(in, 0x88, payload, length);

	frames_verdict(in, n, event, code, 0);
}

/* Case 32. */
static void
test_close(void **state)
{
	(void)state;
	close_verdict("", 0, GUARD_CLOSE, 1005);
	frames_bad("\x88\x81", 2, 1002);
	for (unsigned int code = 0; code <= 6000; code++) {
		uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
		bool fine = (code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006)) ||
			    (code >= 3000 && code <= 4999);

		assert_int_equal(guard_close_code_ok(code), fine);
		if (code % 97 == 0 || (code > 998 && code < 1018) || code == 3000 || code == 4999)
			close_verdict(payload, 2, fine ? GUARD_CLOSE : GUARD_BAD,
				      fine ? code : 1002);
	}
	close_verdict("\x03\xe8gr\xc3\xbc\xc3\x9f", 8, GUARD_CLOSE, 1000);
	close_verdict("\x03\xe8\xc3\x28", 4, GUARD_BAD, 1007);
	close_verdict("\x03\xe8\xc3", 3, GUARD_BAD, 1007);
	close_verdict("\x03\xe8\xed\xa0\x80", 5, GUARD_BAD, 1007);
}

static void
test_close_reason(void **state)
{
	uint8_t in[256];
	struct guard g;
	struct outcome *o = calloc(1, sizeof(*o));
	size_t n = frames_add(in, 0x88, "\x0f\xa0reason", 8);

	(void)state;
	in[2] = 0x5a; /* masked after all */
	in[4] = 0xa5;
	for (size_t i = 0; i < 8; i++)
		in[6 + i] ^= in[2 + i % 4];
	guard_start(&g, &frames_limits);
	frames_feed(&g, o, in, n, FRAMES_MOST);
	assert_int_equal(o->event, GUARD_CLOSE);
	assert_int_equal(o->code, 4000);
	assert_int_equal(g.control_length, 6);
	assert_memory_equal(g.control, "reason", 6);
	/* Case 33: what follows is swallowed */
	o->event = GUARD_MORE;
	frames_feed(&g, o, in, n, FRAMES_MOST);
	frames_feed(&g, o, (const uint8_t *)"\xff\xff\xff", 3, FRAMES_MOST);
	assert_int_equal(o->event, GUARD_MORE);
	assert_int_equal(o->made, 0);
	free(o);
}

/* The limit is over all frames of a message. */
static void
test_message_total(void **state)
{
	uint8_t *in = malloc(2 * FRAMES_MOST);
	size_t n = frames_add(in, 0x02, NULL, FRAMES_MESSAGE - 10);
	size_t last = n;

	(void)state;
	n += frames_add(in + n, 0x00, NULL, 10);
	last = n;
	n += frames_add(in + n, 0x80, NULL, 0);
	frames_verdict(in, n, GUARD_MORE, 0, n);
	n = last + frames_add(in + last, 0x80, NULL, 1);
	frames_verdict(in, n, GUARD_BAD, 1009, last);
	free(in);
}

/* Case 27, with a limit of 1,000. */
static void
test_fragment_flood(void **state)
{
	uint8_t *in = malloc(FRAMES_MOST);
	size_t n = frames_add(in, 0x02, NULL, 0);
	struct outcome *o;

	(void)state;
	for (int i = 0; i < 1000; i++)
		n += frames_add(in + n, 0x00, NULL, 0);
	o = frames_whole(in, n);
	assert_int_equal(o->event, GUARD_BAD);
	assert_int_equal(o->code, 1008);
	assert_int_equal(o->made, 1000 * 6);
	free(o);
	free(in);
}

/* Case 29: four at once, two a second. */
static void
test_ping_budget(void **state)
{
	static const struct {
		uint64_t ms;
		unsigned int pings;
		bool fine;
	} steps[] = {{1000, 4, true}, {1499, 0, true}, {1500, 1, true},
		     {2500, 2, true}, {9999, 4, true}, {10000, 1, false}};
	uint8_t in[16];
	size_t n = frames_add(in, 0x89, "p", 1);
	struct guard g;

	(void)state;
	guard_start(&g, &frames_limits);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		for (unsigned int k = 0; k < steps[i].pings; k++) {
			uint8_t out[16];
			enum guard_event event;
			size_t made;

			in[0] = k % 2 ? 0x8a : 0x89; /* pongs count as well */
			guard_feed(&g, in, n, out, sizeof(out), &made, steps[i].ms, &event);
			assert_int_equal(event, !steps[i].fine  ? GUARD_BAD
						: in[0] == 0x89 ? GUARD_PING
								: GUARD_MORE);
		}
	}
	assert_int_equal(g.code, 1008);
}

static void
test_ping_payload(void **state)
{
	uint8_t in[512];
	uint8_t payload[125];
	size_t n;
	struct outcome *o;

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7);
	n = frames_add(in, 0x89, payload, sizeof(payload));
	n += frames_add(in + n, 0x89, "", 0);
	n += frames_add(in + n, 0x89, payload, 125);
	o = frames_whole(in, n);
	assert_int_equal(o->event, GUARD_MORE);
	assert_int_equal(o->pings, 3);
	assert_int_equal(o->ping_length, 125);
	assert_memory_equal(o->ping, payload, 125);
	frames_any_cut(in, n, o);
	free(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_frames),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_not_masked),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_lengths_too_long),
		cmocka_unit_test(test_lengths_not_minimal),
		cmocka_unit_test(test_control_frames),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_close_reason),
		cmocka_unit_test(test_message_total),
		cmocka_unit_test(test_fragment_flood),
		cmocka_unit_test(test_ping_budget),
		cmocka_unit_test(test_ping_payload),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
