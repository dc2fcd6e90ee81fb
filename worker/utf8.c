/* SPDX-License-Identifier: ISC */
#include "worker/utf8.h"

/* The first byte of a character says what may follow (RFC 3629, 4). */
static void
begin(struct utf8 *state, uint8_t byte)
{
	if (byte < 0x80)
		return;
	if (byte >= 0xc2 && byte <= 0xdf) {
		state->need = 1;
	} else if ((byte & 0xf0) == 0xe0) {
		state->need = 2;
		state->low = byte == 0xe0 ? 0xa0 : 0;
		state->high = byte == 0xed ? 0x9f : 0;
	} else if (byte >= 0xf0 && byte <= 0xf4) {
		state->need = 3;
		state->low = byte == 0xf0 ? 0x90 : 0;
		state->high = byte == 0xf4 ? 0x8f : 0;
	} else {
		state->bad = true;
	}
}

static void
go_on(struct utf8 *state, uint8_t byte)
{
	const uint8_t low = state->low ? state->low : 0x80;
	const uint8_t high = state->high ? state->high : 0xbf;

	if (byte < low || byte > high)
		state->bad = true;
	state->need--;
	state->low = 0;
	state->high = 0;
}

bool
utf8_feed(struct utf8 *state, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < length && !state->bad; i++) {
		if (state->need)
			go_on(state, at[i]);
		else
			begin(state, at[i]);
	}
	return !state->bad;
}

bool
utf8_ended(const struct utf8 *state)
{
	return !state->bad && !state->need;
}

bool
utf8_valid(const void *bytes, size_t length)
{
	struct utf8 state = {0};

	return utf8_feed(&state, bytes, length) && utf8_ended(&state);
}
