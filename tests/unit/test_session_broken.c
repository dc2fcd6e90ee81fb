/* SPDX-License-Identifier: ISC */
/* What the broker and the client are told of streams that do not end in order. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/play.h"

#define CUTS 100 /* more than the worker takes in one turn */

/* The next END says whether the broker must reset the connection. */
static void
expect_broken(struct play *p, bool broken)
{
	struct ipc_buffer buffer;

	play_take(p, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.stream, 77);
	assert_int_equal(buffer.any.END_body.claimed_reason == REASON_CONNECT_FAILED, broken);
}

/* A session with 5 bytes of an upload on their way. */
static int
upload(struct play *p)
{
	char text[5];
	int peer = play_raw(p, "/raw/db.example/5432");

	play_frame(p, 0x82, "12345", 5);
	assert_int_equal(play_read(peer, text, 5), 5);
	return peer;
}

static void
test_client_lost(void **state)
{
	struct play p;
	int peer = upload(&p);

	(void)state;
	close(p.client);
	p.client = -1;
	expect_broken(&p, true);
	play_end(&p, WORKER_CLIENT_LOST);
	close(peer);
}

static void
test_violations(void **state)
{
	struct play p;
	int peer = upload(&p);

	(void)state;
	play_send(&p, "\x82\x01x", 3); /* not masked */
	expect_broken(&p, true);
	play_end(&p, WORKER_WS_VIOLATION);
	close(peer);

	peer = upload(&p);
	play_text(&p, "text");
	expect_broken(&p, true);
	play_end(&p, WORKER_DIALECT_VIOLATION);
	close(peer);
}

static void
test_close_codes(void **state)
{
	static const struct {
		const char *payload;
		size_t n;
		bool broken;
	} cases[] = {
		{"\x03\xe8", 2, false}, /* 1000 */
		{"", 0, false},
		{"\x03\xe9", 2, true}, /* 1001: the page was left */
		{"\x0f\xa0", 2, true}, /* 4000 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct play p;
		int peer = upload(&p);
		char byte;

		play_frame(&p, 0x88, cases[i].payload, cases[i].n);
		assert_int_equal(play_read(peer, &byte, 1), 0);
		close(peer);
		expect_broken(&p, cases[i].broken);
		play_end(&p, WORKER_DONE);
	}
}

/* The client has ended its way: nothing is missing when it goes. */
static void
test_lost_after_the_end(void **state)
{
	struct play p;
	char byte;
	int peer = upload(&p);

	(void)state;
	play_frame(&p, 0x82, "", 0);
	assert_int_equal(play_read(peer, &byte, 1), 0);
	close(p.client);
	p.client = -1;
	close(peer);
	expect_broken(&p, false);
	play_end(&p, WORKER_CLIENT_LOST);
}

static void
test_drain(void **state)
{
	struct ipc_drain drain = {{MSG_DRAIN}, REASON_DRAINING, 5000, 0};
	struct play p;
	int peer = upload(&p);

	(void)state;
	play_post(&p, &drain, sizeof(drain), 0);
	expect_broken(&p, true);
	play_end(&p, WORKER_DRAINED);
	close(peer);
}

/* The end of a stream that the broker cut is no orderly one, however late CUT is read. */
static void
test_cut_after_half_close(void **state)
{
	struct ipc_cut cut = {{MSG_CUT}, 78, REASON_LIFETIME};
	struct play p;
	char byte;
	int status;
	int peer = upload(&p);

	(void)state;
	play_frame(&p, 0x82, "", 0);
	assert_int_equal(play_read(peer, &byte, 1), 0);
	kill(p.pid, SIGSTOP);
	assert_int_equal(waitpid(p.pid, &status, WUNTRACED), p.pid);
	for (int i = 0; i < CUTS; i++)
		play_post(&p, &cut, sizeof(cut), 0);
	cut.stream = 77;
	play_post(&p, &cut, sizeof(cut), 0);
	shutdown(peer, SHUT_RDWR);
	kill(p.pid, SIGCONT);
	play_expect_close(&p, 4008, "lifetime: ");
	close(peer);
	play_frame(&p, 0x88, "\x0f\xa8", 2);
	play_end(&p, WORKER_DONE);
}

/* The destination ended, the client goes on, and then nothing arrives any more. */
static void
test_reset_after_its_end(void **state)
{
	struct play p;
	int peer = play_raw(&p, "/raw/db.example/5432?eof=message");

	(void)state;
	shutdown(peer, SHUT_WR);
	assert_int_equal(play_next(&p)->n, 0);
	close(peer);
	play_frame(&p, 0x82, "in vain", 7);
	play_expect_close(&p, 4004, "peer-closed: ");
	play_frame(&p, 0x88, "\x0f\xa4", 2);
	expect_broken(&p, true);
	play_end(&p, WORKER_DONE);
}

/* The same for what waited when it happened. */
static void
test_reset_while_waiting(void **state)
{
	size_t n = 400000;
	uint8_t *bytes = test_calloc(1, n);
	struct play p;
	int peer = play_raw(&p, "/raw/db.example/5432?eof=message");

	(void)state;
	shutdown(peer, SHUT_WR);
	assert_int_equal(play_next(&p)->n, 0);
	play_frame(&p, 0x82, bytes, n);
	usleep(50000);
	close(peer);
	usleep(50000);
	play_frame(&p, 0x82, "", 0);
	play_expect_close(&p, 4004, "peer-closed: ");
	play_frame(&p, 0x88, "\x0f\xa4", 2);
	expect_broken(&p, true);
	play_end(&p, WORKER_DONE);
	test_free(bytes);
}

static void
open_netproxy(struct play *p, uint32_t *tag)
{
	play_netproxy(p, 1);
	play_text(p, "{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":80}");
	*tag = play_take_open(p, "h.example", 80);
}

static void
test_netproxy_close(void **state)
{
	struct play p;
	uint32_t tag;
	char byte;
	int peer;

	(void)state;
	open_netproxy(&p, &tag);
	peer = play_opened(&p, tag, 77);
	play_expect_text(&p, "{\"t\":\"opened\",\"id\":1}");
	play_text(&p, "{\"t\":\"close\",\"id\":1}");
	assert_int_equal(play_read(peer, &byte, 1), 0);
	close(peer);
	expect_broken(&p, false);
	play_lost(&p);
}

static void
test_netproxy_push_failed(void **state)
{
	static const char head[] = "{\"t\":\"write\",\"id\":1,\"b64\":\"";
	size_t letters = 360000;
	char *text = test_malloc(sizeof(head) + letters + 2);
	struct play p;
	uint32_t tag;
	int peer;

	(void)state;
	memcpy(text, head, sizeof(head) - 1);
	memset(text + sizeof(head) - 1, 'A', letters);
	strcpy(text + sizeof(head) - 1 + letters, "\"}");
	open_netproxy(&p, &tag);
	play_text(&p, "{\"t\":\"write\",\"id\":1,\"b64\":\"AAAA\"}");
	play_text(&p, text);
	assert_non_null(strstr((const char *)play_next(&p)->bytes, "too much was written"));
	peer = play_opened(&p, tag, 77);
	expect_broken(&p, true);
	play_lost(&p);
	close(peer);
	test_free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_lost),
		cmocka_unit_test(test_violations),
		cmocka_unit_test(test_close_codes),
		cmocka_unit_test(test_lost_after_the_end),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_cut_after_half_close),
		cmocka_unit_test(test_reset_after_its_end),
		cmocka_unit_test(test_reset_while_waiting),
		cmocka_unit_test(test_netproxy_close),
		cmocka_unit_test(test_netproxy_push_failed),
	};

	return cmocka_run_group_tests_name("session_broken", tests, NULL, NULL);
}
