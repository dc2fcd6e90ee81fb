/* SPDX-License-Identifier: ISC */
/* Bytes through a whole raw session: order, amounts, and back-pressure both ways. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/play.h"

#define MIB (1U << 20)

/* Sends in both directions at once what a seed decides, and compares. */
static void
stream_both(uint64_t seed, size_t total)
{
	uint8_t *bytes = test_malloc(total);
	uint8_t *got = test_malloc(total);
	struct play p;
	int peer = play_raw(&p, "/raw/db.example/5432");
	pid_t sender;
	size_t done = 0;
	uint64_t r = seed;

	play_random(bytes, total, seed);
	/* the destination in a process of its own: an echo that half-closes at the end */
	sender = fork();
	assert_true(sender >= 0);
	if (sender == 0) {
		ssize_t n;

		close(p.client);
		close(p.broker);
		while ((n = read(peer, got, 1 + (size_t)(r >> 40) % 100000 % total)) > 0) {
			r = r * 6364136223846793005ULL + 1;
			play_write(peer, got, (size_t)n);
		}
		_exit(n < 0);
	}
	close(peer);
	sender = fork();
	assert_true(sender >= 0);
	if (sender == 0) {
		for (size_t at = 0; at < total;) {
			size_t n = 1 + (size_t)(r >> 33) % 90000;

			n = n < total - at ? n : total - at;
			r = r * 6364136223846793005ULL + 1;
			play_frame(&p, 0x82, bytes + at, n);
			at += n;
		}
		play_frame(&p, 0x82, "", 0);
		_exit(0);
	}
	for (;;) {
		const struct play_frame *frame = play_next(&p);

		if (frame->op == 8)
			break;
		assert_true(frame->n <= total - done);
		memcpy(got + done, frame->bytes, frame->n);
		done += frame->n;
	}
	assert_int_equal(done, total);
	assert_memory_equal(got, bytes, total);
	play_frame(&p, 0x88, "\x03\xe8", 2);
	play_expect_end(&p, total, total);
	play_end(&p, WORKER_DONE);
	while (wait(NULL) > 0)
		;
	test_free(bytes);
	test_free(got);
}

static void
test_random_sizes(void **state)
{
	(void)state;
	stream_both(1, 1);
	stream_both(2, 70000);
	stream_both(3, 3 * MIB + 17);
	stream_both(4, 16 * MIB + 1);
}

static void
test_backpressure_up(void **state)
{
	/* The destination reads nothing: only so much is taken from the client. */
	static const struct timeval moment = {0, 300000};
	uint8_t *bytes = test_calloc(1, 65000);
	struct play p;
	size_t sent = 0;
	int peer = play_raw(&p, "/raw/db.example/5432");

	(void)state;
	setsockopt(p.client, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment));
	for (;;) {
		ssize_t n = send(p.client, "\x82\xfe\xfd\xe8\0\0\0\0", 8, MSG_NOSIGNAL);

		if (n == 8)
			n = send(p.client, bytes, 65000, MSG_NOSIGNAL);
		if (n < 65000)
			break;
		sent += 65000;
		assert_true(sent < 8 * MIB);
	}
	/* 256 KiB, and the buffers of two socket pairs */
	assert_true(sent > 200000 && sent < 3 * MIB);
	kill(p.pid, SIGKILL);
	close(peer);
	close(p.client);
	close(p.broker);
	waitpid(p.pid, NULL, 0);
	test_free(bytes);
}

static void
test_backpressure_down(void **state)
{
	static const struct timeval moment = {0, 300000};
	uint8_t *bytes = test_calloc(1, 65536);
	struct play p;
	size_t sent = 0;
	int peer = play_raw(&p, "/raw/db.example/5432");

	(void)state;
	setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment));
	for (;;) {
		ssize_t n = send(peer, bytes, 65536, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		if (n < 65536)
			break;
		assert_true(sent < 8 * MIB);
	}
	assert_true(sent > 200000 && sent < 3 * MIB);
	/* all that was accepted arrives, however late */
	shutdown(peer, SHUT_WR);
	for (;;) {
		const struct play_frame *frame = play_next(&p);

		if (frame->op == 8)
			break;
		sent -= frame->n;
	}
	assert_int_equal(sent, 0);
	play_frame(&p, 0x88, "\x03\xe8", 2);
	close(peer);
	play_end(&p, WORKER_DONE);
	test_free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_sizes),
		cmocka_unit_test(test_backpressure_up),
		cmocka_unit_test(test_backpressure_down),
	};

	return cmocka_run_group_tests_name("session_flow", tests, NULL, NULL);
}
