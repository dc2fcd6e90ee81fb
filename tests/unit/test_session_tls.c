/* SPDX-License-Identifier: ISC */
/* TLS streams of a session: when they open, and what goes out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/tls_scene.h"
#include "worker/streams.h"
#include "worker/tls.h"

static void
test_nothing_in_clear(void **state)
{
	struct inside *in = *state;
	uint8_t bytes[4096];
	struct stream *stream;
	ssize_t n;
	int fd;

	stream = tls_scene_ask(in, FAR_HOST, &fd);
	assert_int_equal(session_push(in->s, stream, "secret", 6), 0);
	session_shut(in->s, stream);
	inside_told(in, "");
	n = read(fd, bytes, sizeof(bytes));
	assert_true(n > 100);
	assert_int_equal(bytes[0], 22);
	assert_int_equal(bytes[3] << 8 | bytes[4], n - 5); /* that record, and no other */
	assert_null(memmem(bytes, (size_t)n, "early", 5));
	assert_null(memmem(bytes, (size_t)n, "secret", 6));
	assert_int_equal(read(fd, bytes, sizeof(bytes)), -1); /* nor the end */
	assert_int_equal(stream->up.length, 12);
	close(fd);
}

static void
test_both_ways(void **state)
{
	static uint8_t sent[300000], got[300000 + TLS_RECORD];
	struct inside *in = *state;
	struct stream *stream;
	struct far far;
	size_t done = 0;
	ssize_t n;

	play_random(sent, sizeof(sent), 5);
	stream = tls_scene_open(in, &far);
	assert_int_equal(session_push(in->s, stream, sent, sizeof(sent)), 0);
	for (int i = 0; i < 1000 && done < sizeof(sent); i++) {
		while ((n = far_read(&far, got + done, TLS_RECORD)) > 0)
			done += (size_t)n;
		inside_run(in);
	}
	assert_int_equal(done, sizeof(sent));
	assert_memory_equal(sent, got, sizeof(sent));
	assert_int_equal(stream->up.length, 0);
	far_write(&far, "one", 3);
	far_write(&far, "three", 5);
	inside_told(in, "a data 3, a data 5, ");
	assert_memory_equal(in->bytes, "three", 5);
	assert_int_equal(stream->claimed_up, tls_sent(stream->tls));
	assert_int_equal(stream->claimed_down, tls_received(stream->tls));
	far_end(&far);
}

static void
test_refused(void **state)
{
	static const struct {
		enum far_fault fault;
		uint32_t reason;
		const char *told;
	} cases[] = {
		{FAR_EXPIRED, REASON_TLS_EXPIRED, "a refused tls-expired, "},
		{FAR_UNKNOWN, REASON_TLS_ISSUER, "a refused tls-unknown-issuer, "},
		{FAR_OTHER_HOST, REASON_TLS_HOST, "a refused tls-wrong-host, "},
	};
	struct inside *in = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char byte;
		struct far far;

		(void)tls_scene_begin(in, &far, cases[i].fault);
		tls_scene_shake(in, &far);
		inside_told(in, cases[i].told);
		tls_scene_expect_end(in, cases[i].reason, true);
		assert_true(far_read(&far, &byte, 1) < 0);
		far_end(&far);
		assert_int_equal(in->s->used, 0);
	}
}

static void
test_no_store(void **state)
{
	struct inside *in = *state;
	struct stream *stream;
	char byte;
	int fd;

	in->s->trust = NULL;
	stream = tls_scene_ask(in, FAR_HOST, &fd);
	inside_told(in, "a refused tls-no-trust, ");
	tls_scene_expect_end(in, REASON_TLS_NO_TRUST, false);
	assert_int_equal(stream->state, STREAM_FREE);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
}

/* By number: no SNI, and the certificate must hold the address. */
static void
test_number(void **state)
{
	static const char *const told[] = {"a opened, ", "a refused tls-wrong-host, "};
	static const enum far_fault faults[] = {FAR_GOOD, FAR_NUMBER_AS_NAME};
	struct inside *in = *state;

	for (int i = 0; i < 2; i++) {
		struct far far;
		int fd;

		(void)tls_scene_ask(in, "192.0.2.9", &fd);
		far_begin(&far, fd, faults[i], NULL);
		tls_scene_shake(in, &far);
		inside_told(in, told[i]);
		far_end(&far);
	}
}

/* A far end that says little, or nothing, has the time that a connection has. */
static void
test_deadline(void **state)
{
	struct inside *in = *state;
	struct stream *stream;
	uint64_t start = in->s->now_ms;
	int fd;

	stream = tls_scene_ask(in, FAR_HOST, &fd);
	assert_int_equal(streams_deadline(in->s), start + 30000);
	for (int i = 1; i < 30; i++) {
		in->s->now_ms += 1000;
		assert_int_equal(write(fd,
				       i == 1   ? "\x16"
				       : i < 4  ? "\x03"
				       : i == 4 ? "\x01"
						: "\x02",
				       1),
				 1);
		inside_told(in, "");
	}
	assert_int_equal(stream->state, STREAM_SECURING);
	in->s->now_ms = start + 29999;
	inside_told(in, "");
	in->s->now_ms = start + 30000;
	inside_told(in, "a refused tls-timeout, ");
	tls_scene_expect_end(in, REASON_TLS_TIMEOUT, true);
	close(fd);
}

/* What waits is bounded, before it is open and after. */
static void
test_bounds(void **state)
{
	static uint8_t bytes[STREAM_UP_MARK + 1];
	struct inside *in = *state;
	struct stream *stream;
	struct far far;

	stream = tls_scene_begin(in, &far, FAR_GOOD);
	assert_false(streams_full(in->s));
	assert_int_equal(session_push(in->s, stream, bytes, sizeof(bytes)), 0);
	assert_true(streams_full(in->s));
	while (session_push(in->s, stream, bytes, sizeof(bytes)) == 0)
		;
	assert_int_equal(errno, ENOBUFS);
	assert_true(stream->up.length <= stream->up.most);
	tls_scene_shake(in, &far);
	inside_told(in, "a opened, ");
	assert_true(streams_full(in->s));
	for (int i = 0; i < 100000 && stream->up.length; i++) {
		static uint8_t taken[TLS_RECORD];

		while (far_read(&far, taken, sizeof(taken)) > 0)
			;
		inside_run(in);
	}
	assert_false(streams_full(in->s));
	far_end(&far);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_in_clear, tls_scene_setup,
						tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_both_ways, tls_scene_setup,
						tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_refused, tls_scene_setup, tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_no_store, tls_scene_setup, tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_number, tls_scene_setup, tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_deadline, tls_scene_setup, tls_scene_teardown),
		cmocka_unit_test_setup_teardown(test_bounds, tls_scene_setup, tls_scene_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
