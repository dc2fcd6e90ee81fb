/* SPDX-License-Identifier: ISC */
#include "worker/guard.h"

#include <string.h>

#include "worker/utf8.h"

#define FIN    0x80
#define RSV    0x70
#define OPCODE 0x0f
#define MASKED 0x80
#define LENGTH 0x7f

enum opcode {
	OP_CONTINUATION = 0x0,
	OP_TEXT = 0x1,
	OP_BINARY = 0x2,
	OP_CLOSE = 0x8,
	OP_PING = 0x9,
	OP_PONG = 0xa,
};

void
guard_start(struct guard *g, const struct guard_limits *limits)
{
	*g = (struct guard){.limits = *limits, .tokens = limits->control_burst};
}

bool
guard_close_code_ok(unsigned int code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

static enum guard_event
bad(struct guard *g, enum close_code code)
{
	g->step = GUARD_OVER;
	g->code = (uint16_t)code;
	return GUARD_BAD;
}

static unsigned int
opcode(const struct guard *g)
{
	return g->head[0] & OPCODE;
}

static bool
is_control(const struct guard *g)
{
	return opcode(g) & 0x8;
}

/* Does the token bucket hold one more control frame? */
static bool
spend(struct guard *g, uint64_t now_ms)
{
	uint64_t earned;

	if (!g->refilled_ms)
		g->refilled_ms = now_ms;
	earned = (now_ms - g->refilled_ms) * g->limits.control_per_second / 1000;
	if (earned) {
		uint64_t tokens = g->tokens + earned;

		g->refilled_ms = now_ms;
		g->tokens = tokens < g->limits.control_burst ? (uint32_t)tokens
							     : g->limits.control_burst;
	}
	if (!g->tokens)
		return false;
	g->tokens--;
	return true;
}

static enum guard_event
first_byte(struct guard *g, uint64_t now_ms)
{
	bool fin = g->head[0] & FIN;

	if (g->head[0] & RSV)
		return bad(g, CLOSE_PROTOCOL);
	switch (opcode(g)) {
	case OP_CONTINUATION:
		if (!g->in_message)
			return bad(g, CLOSE_PROTOCOL);
		break;
	case OP_TEXT:
	case OP_BINARY:
		if (g->in_message)
			return bad(g, CLOSE_PROTOCOL);
		break;
	case OP_CLOSE:
	case OP_PING:
	case OP_PONG:
		if (!fin)
			return bad(g, CLOSE_PROTOCOL);
		if (opcode(g) != OP_CLOSE && !spend(g, now_ms))
			return bad(g, CLOSE_POLICY);
		break;
	default:
		return bad(g, CLOSE_PROTOCOL);
	}
	g->step = GUARD_SECOND;
	return GUARD_MORE;
}

/* The frame's length is known: judged before its payload, or even its mask, came. */
static enum guard_event
length_known(struct guard *g)
{
	g->step = GUARD_MASK;
	if (is_control(g))
		return GUARD_MORE;
	if (opcode(g) != OP_CONTINUATION) {
		g->total = 0;
		g->fragments = 0;
	}
	if (g->left > g->limits.message_bytes - g->total)
		return bad(g, CLOSE_TOO_BIG);
	if (++g->fragments > g->limits.fragments)
		return bad(g, CLOSE_POLICY);
	g->total += g->left;
	return GUARD_MORE;
}

static enum guard_event
second_byte(struct guard *g)
{
	unsigned int length = g->head[1] & LENGTH;

	if (!(g->head[1] & MASKED))
		return bad(g, CLOSE_PROTOCOL);
	if (is_control(g) && length > GUARD_CONTROL)
		return bad(g, CLOSE_PROTOCOL);
	if (opcode(g) == OP_CLOSE && length == 1)
		return bad(g, CLOSE_PROTOCOL);
	g->left = length;
	if (length < 126)
		return length_known(g);
	g->step = GUARD_LENGTH;
	return GUARD_MORE;
}

static enum guard_event
length_byte(struct guard *g)
{
	bool wide = (g->head[1] & LENGTH) == 127;
	uint64_t length = 0;

	/* The top bit must be 0: that much the first byte tells. */
	if (wide && g->head[2] & 0x80)
		return bad(g, CLOSE_PROTOCOL);
	if (g->have < (wide ? 10 : 4))
		return GUARD_MORE;
	for (unsigned int i = 2; i < g->have; i++)
		length = length << 8 | g->head[i];
	if (length < (wide ? 65536 : 126))
		return bad(g, CLOSE_PROTOCOL);
	g->left = length;
	return length_known(g);
}

static void
frame_over(struct guard *g)
{
	g->step = GUARD_FIRST;
	g->have = 0;
	if (!is_control(g))
		g->in_message = !(g->head[0] & FIN);
}

static enum guard_event
close_over(struct guard *g)
{
	unsigned int code = CLOSE_NO_STATUS;

	if (g->control_length >= 2) {
		code = (unsigned int)g->control[0] << 8 | g->control[1];
		if (!guard_close_code_ok(code))
			return bad(g, CLOSE_PROTOCOL);
		g->control_length = (uint8_t)(g->control_length - 2);
		memmove(g->control, g->control + 2, g->control_length);
	}
	if (!utf8_valid(g->control, g->control_length))
		return bad(g, CLOSE_BAD_TEXT);
	g->step = GUARD_OVER;
	g->code = (uint16_t)code;
	return GUARD_CLOSE;
}

static enum guard_event
control_over(struct guard *g)
{
	unsigned int op = opcode(g);

	if (op == OP_CLOSE)
		return close_over(g);
	frame_over(g);
	return op == OP_PING ? GUARD_PING : GUARD_MORE;
}

static enum guard_event
mask_byte(struct guard *g)
{
	unsigned int length = g->head[1] & LENGTH;
	unsigned int whole = length == 127 ? 14U : length == 126 ? 8U : 6U;

	if (g->have < whole)
		return GUARD_MORE;
	g->emitted = 0;
	g->control_length = 0;
	if (!is_control(g)) {
		g->step = GUARD_EMIT;
		return GUARD_MORE;
	}
	g->step = GUARD_COLLECT;
	return g->left ? GUARD_MORE : control_over(g);
}

static enum guard_event
head_byte(struct guard *g, uint8_t byte, uint64_t now_ms)
{
	g->head[g->have++] = byte;
	switch (g->step) {
	case GUARD_FIRST:
		return first_byte(g, now_ms);
	case GUARD_SECOND:
		return second_byte(g);
	case GUARD_LENGTH:
		return length_byte(g);
	default:
		return mask_byte(g);
	}
}

static enum guard_event
control_byte(struct guard *g, uint8_t byte)
{
	const uint8_t *mask = g->head + 2;

	g->control[g->control_length] = (uint8_t)(byte ^ mask[g->control_length % 4]);
	g->control_length++;
	return --g->left ? GUARD_MORE : control_over(g);
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Returns how many bytes of the header went out. */
static size_t
emit_head(struct guard *g, uint8_t *out, size_t room)
{
	size_t n = least((size_t)(g->have - g->emitted), room);

	memcpy(out, g->head + g->emitted, n);
	g->emitted = (uint8_t)(g->emitted + n);
	if (g->emitted == g->have) {
		g->step = GUARD_DATA;
		if (!g->left)
			frame_over(g);
	}
	return n;
}

/* Returns how many bytes of payload went through. */
static size_t
pass_data(struct guard *g, const uint8_t *in, size_t n, uint8_t *out, size_t room)
{
	size_t some = least(n, room);

	if (some > g->left)
		some = (size_t)g->left;
	memcpy(out, in, some);
	g->left -= some;
	if (!g->left)
		frame_over(g);
	return some;
}

size_t
guard_feed(struct guard *g, const uint8_t *in, size_t n, uint8_t *out, size_t room, size_t *made,
	   uint64_t now_ms, enum guard_event *event)
{
	size_t used = 0;
	size_t done = 0;
	size_t some;

	*event = GUARD_MORE;
	while (*event == GUARD_MORE && !(done && g->step == GUARD_FIRST)) {
		if (g->step == GUARD_EMIT) {
			if (done == room)
				break;
			done += emit_head(g, out + done, room - done);
		} else if (used == n) {
			break;
		} else if (g->step == GUARD_DATA) {
			if (done == room)
				break;
			some = pass_data(g, in + used, n - used, out + done, room - done);
			used += some;
			done += some;
		} else if (g->step == GUARD_COLLECT) {
			*event = control_byte(g, in[used++]);
		} else if (g->step == GUARD_OVER) {
			used = n;
		} else {
			*event = head_byte(g, in[used++], now_ms);
		}
	}
	*made = done;
	return used;
}
