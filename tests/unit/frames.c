/* SPDX-License-Identifier: ISC */
#include "tests/unit/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const struct guard_limits frames_limits = {FRAMES_MESSAGE, 1000, 4, 2};

void
frames_feed(struct guard *g, struct outcome *o, const uint8_t *in, size_t n, size_t room)
{
	for (size_t used = 0;;) {
		enum guard_event event;
		size_t made;
		size_t before = used;
		size_t space = sizeof(o->out) - o->made;

		used += guard_feed(g, in + used, n - used, o->out + o->made,
				   room < space ? room : space, &made, 1, &event);
		o->made += made;
		o->taken += used - before;
		if (event == GUARD_PING) {
			o->pings++;
			o->ping_length = g->control_length;
			memcpy(o->ping, g->control, g->control_length);
			continue;
		}
		if (event != GUARD_MORE) {
			o->event = event;
			o->code = g->code;
			return;
		}
		if (used == n && !made)
			return;
	}
}

struct outcome *
frames_whole(const uint8_t *in, size_t n)
{
	struct outcome *o = calloc(1, sizeof(*o));
	struct guard g;

	guard_start(&g, &frames_limits);
	frames_feed(&g, o, in, n, FRAMES_MOST);
	return o;
}

static void
same(const struct outcome *a, const struct outcome *b)
{
	assert_int_equal(a->event, b->event);
	assert_int_equal(a->code, b->code);
	assert_int_equal(a->taken, b->taken);
	assert_int_equal(a->made, b->made);
	assert_memory_equal(a->out, b->out, a->made);
	assert_int_equal(a->pings, b->pings);
	assert_int_equal(a->ping_length, b->ping_length);
	assert_memory_equal(a->ping, b->ping, a->ping_length);
}

void
frames_any_cut(const uint8_t *in, size_t n, const struct outcome *wanted)
{
	struct outcome *o = calloc(1, sizeof(*o));
	struct guard g;

	for (size_t cut = 0; cut <= n && cut < 300; cut++) {
		memset(o, 0, sizeof(*o));
		guard_start(&g, &frames_limits);
		frames_feed(&g, o, in, cut, FRAMES_MOST);
		if (o->event == GUARD_MORE)
			frames_feed(&g, o, in + cut, n - cut, FRAMES_MOST);
		same(o, wanted);
	}
	for (size_t room = 1; room < 20; room += 3) {
		memset(o, 0, sizeof(*o));
		guard_start(&g, &frames_limits);
		for (size_t i = 0; i < n && o->event == GUARD_MORE; i++)
			frames_feed(&g, o, in + i, 1, room);
		same(o, wanted);
	}
	free(o);
}

void
frames_verdict(const void *bytes, size_t n, enum guard_event event, unsigned int code, size_t made)
{
	struct outcome *o = frames_whole(bytes, n);

	assert_int_equal(o->event, event);
	assert_int_equal(o->code, code);
	assert_int_equal(o->made, made);
	frames_any_cut(bytes, n, o);
	free(o);
}

void
frames_bad(const void *bytes, size_t n, unsigned int code)
{
	frames_verdict(bytes, n, GUARD_BAD, code, 0);
}

size_t
frames_add(uint8_t *out, unsigned int first, const void *payload, size_t n)
{
	size_t at = 2;

	out[0] = (uint8_t)first;
	out[1] = (uint8_t)(0x80 | (n < 126 ? n : n < 65536 ? 126 : 127));
	if (n >= 65536) {
		memset(out + at, 0, 4);
		at += 4;
		out[at++] = (uint8_t)(n >> 24);
		out[at++] = (uint8_t)(n >> 16);
	}
	if (n >= 126) {
		out[at++] = (uint8_t)(n >> 8);
		out[at++] = (uint8_t)n;
	}
	memset(out + at, 0, 4);
	at += 4;
	if (payload)
		memcpy(out + at, payload, n);
	else
		memset(out + at, 'x', n);
	return at + n;
}
