/* SPDX-License-Identifier: ISC */
/* TLS streams of a session: how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/tls_scene.h"
#include "worker/ask.h"
#include "worker/streams.h"

static void
test_half_close(void **state)
{
	struct inside *in = *state;
	struct stream *stream;
	char byte;
	struct far far;

	stream = tls_scene_open(in, &far);
	session_shut(in->s, stream);
	inside_told(in, "");
	assert_int_equal(far_read(&far, &byte, 1), 0);
	assert_int_equal(read(far.fd, &byte, 1), 0);
	far_write(&far, "later", 5);
	inside_told(in, "a data 5, ");
	assert_int_equal(gnutls_bye(far.session, GNUTLS_SHUT_WR), 0);
	inside_told(in, "a ended peer-closed, ");
	/* What comes behind the word is read to its end, and is for nobody. */
	play_write(far.fd, "nonsense", 8);
	inside_quiet(in);
	assert_int_equal(shutdown(far.fd, SHUT_WR), 0);
	tls_scene_expect_end(in, REASON_PEER_CLOSED, true);
	inside_told(in, "");
	far_end(&far);
}

static void
goes_on(struct session *s, struct stream *stream, uint32_t reason)
{
	(void)s;
	(void)stream;
	assert_int_equal(reason, REASON_PEER_CLOSED);
}

/* The far end ends first; what the client sends then still arrives. */
static void
test_other_half(void **state)
{
	struct inside *in = *state;
	struct stream *stream;
	char bytes[16];
	struct far far;

	in->dialect.ended = goes_on;
	stream = tls_scene_open(in, &far);
	far_write(&far, "last", 4);
	assert_int_equal(gnutls_bye(far.session, GNUTLS_SHUT_WR), 0);
	assert_int_equal(shutdown(far.fd, SHUT_WR), 0);
	inside_told(in, "a data 4, ");
	assert_int_equal(session_push(in->s, stream, "after", 5), 0);
	session_drop(in->s, stream, REASON_CLIENT_CLOSED);
	inside_run(in);
	assert_int_equal(far_read(&far, bytes, sizeof(bytes)), 5);
	assert_int_equal(far_read(&far, bytes, sizeof(bytes)), 0);
	tls_scene_expect_end(in, REASON_CLIENT_CLOSED, true);
	far_end(&far);
}

static void
test_truncated(void **state)
{
	struct inside *in = *state;
	struct far far;

	(void)tls_scene_open(in, &far);
	far_write(&far, "data", 4);
	assert_int_equal(shutdown(far.fd, SHUT_WR), 0);
	inside_told(in, "a data 4, ");
	in->s->now_ms += 250;
	inside_told(in, "a ended tls-truncated, ");
	tls_scene_expect_end(in, REASON_TLS_TRUNCATED, true);
	far_end(&far);
}

/* The broker cuts it: that is why it ended, whatever the socket looks like. */
static void
test_cut(void **state)
{
	static const bool opened[] = {false, true};
	const struct ipc_cut cut = {{MSG_CUT}, 1, REASON_BYTES_LIMIT};

	for (size_t i = 0; i < 2; i++) {
		struct inside *in = *state;
		struct far far;

		if (opened[i])
			(void)tls_scene_open(in, &far);
		else
			(void)tls_scene_begin(in, &far, FAR_GOOD);
		assert_int_equal(shutdown(far.fd, SHUT_RDWR), 0);
		inside_told(in, "");
		inside_post(in, &cut, sizeof(cut), -1);
		inside_told(in, opened[i] ? "a ended bytes-limit, " : "a refused bytes-limit, ");
		tls_scene_expect_end(in, REASON_BYTES_LIMIT, true);
		far_end(&far);
	}
}

/* The client gives up before it is open: what it wrote still goes out, verified. */
static void
test_dropped_early(void **state)
{
	struct inside *in = *state;
	struct stream *stream;
	char bytes[16];
	struct far far;

	stream = tls_scene_begin(in, &far, FAR_GOOD);
	session_drop(in->s, stream, REASON_CLIENT_CLOSED);
	assert_true(streams_busy(in->s));
	tls_scene_shake(in, &far);
	assert_int_equal(far_read(&far, bytes, sizeof(bytes)), 6);
	assert_memory_equal(bytes, "early ", 6);
	assert_int_equal(far_read(&far, bytes, sizeof(bytes)), 0);
	inside_quiet(in);
	assert_int_equal(shutdown(far.fd, SHUT_WR), 0);
	inside_told(in, "");
	tls_scene_expect_end(in, REASON_CLIENT_CLOSED, true);
	far_end(&far);
	/* ... but not to somebody else */
	stream = tls_scene_begin(in, &far, FAR_UNKNOWN);
	session_drop(in->s, stream, REASON_CLIENT_CLOSED);
	tls_scene_shake(in, &far);
	assert_int_equal(far.ready, false);
	inside_told(in, "");
	tls_scene_expect_end(in, REASON_TLS_ISSUER, true);
	far_end(&far);
}

/* ... and where nothing was written, nothing is awaited; nor where the far end is silent. */
static void
test_dropped_for_nothing(void **state)
{
	struct inside *in = *state;
	struct stream *stream = session_open(in->s, PROTOCOL_TLS, FAR_HOST, 443, inside_name("a"));
	struct ipc_buffer buffer;
	int fd;

	inside_take(in, MSG_OPEN, &buffer);
	fd = inside_opened(in, buffer.any.OPEN_body.tag, 1, SOCK_STREAM);
	session_drop(in->s, stream, REASON_CLIENT_CLOSED);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	inside_told(in, "");
	tls_scene_expect_end(in, REASON_CLIENT_CLOSED, true);
	close(fd);
	stream = tls_scene_ask(in, FAR_HOST, &fd);
	session_drop(in->s, stream, REASON_CLIENT_CLOSED);
	inside_quiet(in);
	in->s->now_ms += STREAM_STALL_MS;
	tls_scene_expect_end(in, REASON_CONNECT_FAILED, true);
	close(fd);
}

/* A session that breaks off does not let what it sent pass for the whole. */
static void
test_broken(void **state)
{
	struct inside *in = *state;
	struct stream *stream;
	char byte;
	struct far far;

	stream = tls_scene_open(in, &far);
	session_drop(in->s, stream, REASON_CONNECT_FAILED);
	tls_scene_expect_end(in, REASON_CONNECT_FAILED, true);
	assert_int_equal(far_read(&far, &byte, 1), GNUTLS_E_PREMATURE_TERMINATION);
	far_end(&far);
}

/* Its END waits for the channel, and nothing of it is used meanwhile. */
static void
test_end_waits(void **state)
{
	struct inside *in = *state;
	struct stream *stream;
	struct far far;

	stream = tls_scene_open(in, &far);
	in->s->channel_blocked = true;
	session_drop(in->s, stream, REASON_CLIENT_CLOSED);
	inside_quiet(in);
	in->s->now_ms += STREAM_DRAIN_MS; /* the far end does not end its side */
	inside_quiet(in);
	assert_int_equal(stream->state, STREAM_ENDED);
	assert_null(stream->tls);
	assert_int_equal(streams_deadline(in->s), 0);
	ask_again(in->s);
	tls_scene_expect_end(in, REASON_CLIENT_CLOSED, true);
	far_end(&far);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_half_close, tls_scene_setup,
						tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_other_half, tls_scene_setup,
						tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_truncated, tls_scene_setup,
						tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_cut, tls_scene_setup, tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_dropped_early, tls_scene_setup,
						tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_dropped_for_nothing, tls_scene_setup,
						tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_broken, tls_scene_setup, tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_end_waits, tls_scene_setup,
						tls_scene_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
