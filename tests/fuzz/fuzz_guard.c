/* SPDX-License-Identifier: ISC */
/*
 * The verdict on frames does not depend on how the bytes are cut, and what comes
 * out is well-formed: read again, by other code, it is masked data frames in
 * order and within the limits.
 */
#include <stdbool.h>
#include <string.h>

#include "tests/fuzz/check.h"
#include "worker/guard.h"
#include "worker/utf8.h"

#define MOST     65536
#define MESSAGE  1000U
#define FRAMES   20U
#define CONTROLS 8U

struct outcome {
	uint8_t out[MOST];
	size_t made;
	enum guard_event event;
	unsigned int code;
	unsigned int pings;
};

static void
feed(struct guard *g, struct outcome *o, const uint8_t *data, size_t n, size_t room)
{
	for (size_t used = 0; o->event == GUARD_MORE;) {
		enum guard_event event;
		size_t made = SIZE_MAX;
		size_t some = guard_feed(g, data + used, n - used, o->out + o->made, room, &made, 1,
					 &event);

		CHECK(some <= n - used && made <= room);
		used += some;
		o->made += made;
		if (event == GUARD_PING)
			o->pings++;
		else
			o->event = event;
		if (event == GUARD_CLOSE || event == GUARD_BAD)
			o->code = g->code;
		if (event == GUARD_CLOSE)
			CHECK(utf8_valid(g->control, g->control_length) &&
			      (guard_close_code_ok(g->code) || g->code == CLOSE_NO_STATUS));
		if (event == GUARD_MORE && used == n && !made)
			return;
	}
}

/* Whole frames at the beginning of what came out; a last one may be cut off. */
static void
check_frames(const uint8_t *out, size_t n)
{
	bool inside = false;
	size_t total = 0;
	unsigned int frames = 0;

	for (size_t at = 0; n - at >= 6;) {
		size_t length = out[at + 1] & 0x7f;
		size_t head = 6;

		CHECK(out[at + 1] & 0x80 && !(out[at] & 0x70));
		CHECK((out[at] & 0x0f) == (inside ? 0 : out[at] & 0x03) &&
		      (inside || out[at] & 0x03));
		CHECK(length < 127); /* MESSAGE is below 65,536 */
		if (length == 126) {
			length = (size_t)out[at + 2] << 8 | out[at + 3];
			head = 8;
			CHECK(length >= 126);
		}
		total = inside ? total + length : length;
		frames = inside ? frames + 1 : 1;
		CHECK(total <= MESSAGE && frames <= FRAMES);
		inside = !(out[at] & 0x80);
		if (head + length > n - at)
			return;
		at += head + length;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct guard_limits limits = {MESSAGE, FRAMES, CONTROLS, 1};
	static struct outcome whole;
	static struct outcome cut;
	struct guard g;
	size_t first;

	if (size < 3 || size > MOST / 2)
		return 0;
	memset(&whole, 0, sizeof(whole));
	memset(&cut, 0, sizeof(cut));
	first = ((size_t)data[0] << 8 | data[1]) % (size - 2);
	guard_start(&g, &limits);
	feed(&g, &whole, data + 2, size - 2, MOST / 2);
	guard_start(&g, &limits);
	feed(&g, &cut, data + 2, first, 1 + data[0] % 20);
	for (size_t i = first; i < size - 2; i++)
		feed(&g, &cut, data + 2 + i, 1, 1 + data[1] % 20);
	CHECK(whole.event == cut.event && whole.code == cut.code && whole.pings == cut.pings);
	CHECK(whole.made == cut.made && memcmp(whole.out, cut.out, whole.made) == 0);
	CHECK(whole.pings <= CONTROLS);
	check_frames(whole.out, whole.made);
	return 0;
}
