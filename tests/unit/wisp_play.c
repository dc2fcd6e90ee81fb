/* SPDX-License-Identifier: ISC */
#include "tests/unit/wisp_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/words.h"

static size_t
make(uint8_t *out, unsigned int type, uint32_t id, const void *payload, size_t n)
{
	out[0] = (uint8_t)type;
	for (int i = 0; i < 4; i++)
		out[1 + i] = (uint8_t)(id >> 8 * i);
	memcpy(out + 5, payload, n);
	return n + 5;
}

void
wisp_send(struct play *p, unsigned int type, uint32_t id, const void *payload, size_t n)
{
	uint8_t *packet = test_malloc(n + 5);

	play_frame(p, 0x82, packet, make(packet, type, id, payload, n));
	test_free(packet);
}

void
wisp_connect(struct play *p, uint32_t id, unsigned int kind, unsigned int port, const char *host)
{
	uint8_t payload[512] = {(uint8_t)kind, (uint8_t)port, (uint8_t)(port >> 8)};

	assert_true(strlen(host) < sizeof(payload) - 3);
	memcpy(payload + 3, host, strlen(host));
	wisp_send(p, 1, id, payload, strlen(host) + 3);
}

void
wisp_expect(struct play *p, unsigned int type, uint32_t id, const void *payload, size_t n)
{
	uint8_t *packet = test_malloc(n + 5);
	const struct play_frame *frame = play_next(p);

	(void)make(packet, type, id, payload, n);
	assert_int_equal(frame->op, 2);
	assert_int_equal(frame->n, n + 5);
	assert_memory_equal(frame->bytes, packet, n + 5);
	test_free(packet);
}

void
wisp_v1(struct play *p, uint32_t channels)
{
	struct ipc_auth auth;

	play_begin(p, true);
	play_upgrade(p, "/wisp/?token=t0", "", &auth);
	assert_int_equal(auth.dialect, DIALECT_WISP);
	assert_string_equal(auth.token, "t0");
	play_grant(p, channels, 1U << 20);
	wisp_expect(p, 3, 0, BYTES("\x80\0\0\0"));
}

void
wisp_v2(struct play *p)
{
	const struct play_frame *frame;

	play_begin(p, true);
	play_upgrade(p, "/wisp", "Sec-WebSocket-Protocol: wisp-v2\r\n", NULL);
	play_grant(p, 8, 1U << 20);
	frame = play_next(p);
	assert_int_equal(frame->op, 2);
	assert_true(frame->n > 7);
	assert_memory_equal(frame->bytes, "\5\0\0\0\0\2\0", 7);
}

int
wisp_open(struct play *p, uint32_t id)
{
	wisp_connect(p, id, 1, 80, "a.example");
	return play_opened(p, play_take_open(p, "a.example", 80), id);
}
