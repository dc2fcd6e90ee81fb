/* SPDX-License-Identifier: ISC */
#include "tests/unit/tls_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct trust trust;

int
tls_scene_setup(void **state)
{
	int result = inside_setup(state);
	struct inside *in = *state;

	far_trust(&trust);
	in->s->trust = &trust;
	return result;
}

int
tls_scene_teardown(void **state)
{
	int result = inside_teardown(state);

	trust_free(&trust);
	return result;
}

struct stream *
tls_scene_ask(struct inside *in, const char *host, int *fd)
{
	struct stream *stream = session_open(in->s, PROTOCOL_TLS, host, 443, inside_name("a"));
	struct ipc_buffer buffer;

	assert_non_null(stream);
	assert_int_equal(session_push(in->s, stream, "early ", 6), 0);
	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.protocol, PROTOCOL_TLS);
	*fd = inside_opened(in, buffer.any.OPEN_body.tag, 1, SOCK_STREAM);
	return stream;
}

struct stream *
tls_scene_begin(struct inside *in, struct far *far, enum far_fault fault)
{
	struct stream *stream;
	int fd;

	stream = tls_scene_ask(in, FAR_HOST, &fd);
	inside_told(in, "");
	assert_int_equal(stream->state, STREAM_SECURING);
	far_begin(far, fd, fault, NULL);
	return stream;
}

void
tls_scene_shake(struct inside *in, struct far *far)
{
	for (int i = 0; i < 10; i++) {
		inside_run(in);
		if (!far->ready)
			(void)far_run(far);
	}
}

struct stream *
tls_scene_open(struct inside *in, struct far *far)
{
	struct stream *stream = tls_scene_begin(in, far, FAR_GOOD);
	char early[16];

	tls_scene_shake(in, far);
	inside_told(in, "a opened, ");
	assert_int_equal(far_read(far, early, sizeof(early)), 6);
	assert_memory_equal(early, "early ", 6);
	return stream;
}

void
tls_scene_expect_end(struct inside *in, uint32_t reason, bool sent)
{
	struct ipc_buffer buffer;

	inside_run(in);
	inside_take(in, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.stream, 1);
	assert_int_equal(buffer.any.END_body.claimed_reason, reason);
	assert_int_equal(buffer.any.END_body.claimed_up > 0, sent);
}
