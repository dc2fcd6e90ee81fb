/* SPDX-License-Identifier: ISC */
/* wasmnet against a double of the broker: listeners, names, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/wasmnet_play.h"
#include "worker/base64.h"

static const struct ipc_addr none;

#define ID_1 "0000000000000001"
#define ID_3 "0000000000000003"

static void
test_listener(void **state)
{
	static const struct ipc_addr wanted = {4, 0, 3000, {127, 0, 0, 1}};
	struct ipc_open open;
	struct play p;
	char text[16];
	int far, second;

	(void)state;
	wn_begin(&p, 5);
	wn_send(&p, "02 " ID_3 " 0bb8 6c6f63616c686f7374");
	open = wn_take(&p, PROTOCOL_TCP, IPC_LISTEN, "");
	assert_memory_equal(&open.addr, &wanted, sizeof(wanted));
	wn_listening(&p, open.tag, 1, V4(127, 0, 0, 1, 3000));
	wn_expect(&p, "83 " ID_3 " 0bb8");
	/* the client's next word changes nothing, and neither does its answer */
	wn_send(&p, "03 " ID_3 " 00000080");
	wn_expect(&p, "83 " ID_3 " 0000");
	/* what the first one said at once is not lost */
	far = wn_opened(&p, SOCK_STREAM, open.tag, 2, V4(192, 0, 2, 7, 999), none, "hey");
	wn_expect(&p, "84 " ID_3 " 00000000002dc6c1 3139322e302e322e373a393939");
	wn_expect(&p, "82 00000000002dc6c1 686579");
	wn_send(&p, "04 00000000002dc6c1 6869");
	wn_expect_bytes(far, "hi", 2);
	/* an id that the client took itself is passed over */
	wn_send(&p, "01 00000000002dc6c2 0050 61");
	(void)wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, "a");
	play_text(&p, "{\"op\":\"close\",\"id\":77}");
	second = wn_opened(&p, SOCK_STREAM, open.tag, 3, V6_LOOPBACK(1000), none, NULL);
	play_expect_text(&p, "{\"ev\":\"accepted\",\"id\":3,\"conn_id\":3000003,\"remote\":"
			     "\"[::1]:1000\"}");
	/* what was accepted outlives the listener */
	play_text(&p, "{\"op\":\"close\",\"id\":3}");
	play_expect_text(&p, "{\"ev\":\"closed\",\"id\":3}");
	wn_expect_end(&p, 1);
	play_write(second, "x", 1);
	play_expect_text(&p, "{\"ev\":\"data\",\"id\":3000003,\"data\":\"eA==\"}");
	play_text(&p, "{\"op\":\"close\",\"id\":3000003}");
	assert_int_equal(play_read(second, text, 1), 0);
	close(second);
	play_expect_text(&p, "{\"ev\":\"closed\",\"id\":3000003}");
	close(far);
	play_expect_text(&p, "{\"ev\":\"closed\",\"id\":3000001}");
	play_lost(&p);
}

static void
test_listener_refused(void **state)
{
	struct ipc_cut cut = {{MSG_CUT}, 1, REASON_POLICY_CHANGED};
	struct ipc_open open;
	struct play p;

	(void)state;
	wn_begin(&p, 5);
	play_text(&p, "{\"op\":\"bind\",\"id\":1,\"addr\":\"::\",\"port\":0}");
	open = wn_take(&p, PROTOCOL_TCP, IPC_LISTEN, "");
	assert_int_equal(open.addr.family, 6);
	assert_int_equal(open.addr.port, 0);
	play_refused(&p, open.tag, REASON_NO_RULE);
	play_expect_text(&p, "{\"ev\":\"denied\",\"id\":1,\"msg\":\"port 0 not in allowed bind "
			     "range\"}");
	play_text(&p, "{\"op\":\"bind\",\"id\":1,\"addr\":\"0.0.0.0\",\"port\":80}");
	play_refused(&p, wn_take(&p, PROTOCOL_TCP, IPC_LISTEN, "").tag, REASON_UNAVAILABLE);
	play_expect_text(&p, "{\"ev\":\"denied\",\"id\":1,\"msg\":\"the destination is not "
			     "available\"}");
	play_text(&p, "{\"op\":\"bind\",\"id\":1,\"addr\":\"0.0.0.0\",\"port\":80}");
	play_refused(&p, wn_take(&p, PROTOCOL_TCP, IPC_LISTEN, "").tag, REASON_RESOURCES);
	play_expect_text(&p, "{\"ev\":\"error\",\"id\":1,\"msg\":\"bind failed: the server is out "
			     "of resources\"}");
	play_text(&p, "{\"op\":\"bind\",\"id\":1,\"addr\":\"h.test\",\"port\":80}");
	play_expect_text(&p, "{\"ev\":\"error\",\"id\":1,\"msg\":\"bind failed: the address must "
			     "be a number\"}");
	play_text(&p, "{\"op\":\"bind\",\"id\":18446744073710,\"addr\":\"0.0.0.0\",\"port\":80}");
	play_expect_text(&p, "{\"ev\":\"error\",\"id\":18446744073710,\"msg\":\"bind failed: the "
			     "id is too large for a listener\"}");
	/* one that the broker ends */
	play_text(&p, "{\"op\":\"bind\",\"id\":1,\"addr\":\"0.0.0.0\",\"port\":0}");
	open = wn_take(&p, PROTOCOL_TCP, IPC_LISTEN, "");
	wn_listening(&p, open.tag, 1, V4(0, 0, 0, 0, 8080));
	play_expect_text(&p, "{\"ev\":\"listening\",\"id\":1,\"port\":8080}");
	play_post(&p, &cut, sizeof(cut), 0);
	play_expect_text(&p, "{\"ev\":\"closed\",\"id\":1}");
	play_lost(&p);
}

static void
test_resolve(void **state)
{
	struct ipc_resolved answer = {.head = {MSG_RESOLVED}, .ttl_s = 60, .count = 2};
	struct play p;

	(void)state;
	answer.addrs[0] = V4(192, 0, 2, 1, 0);
	answer.addrs[1] = V6_LOOPBACK(0);
	wn_begin(&p, 5);
	wn_send(&p, "08 " ID_3 " 78");
	answer.tag = wn_take(&p, 0, IPC_RESOLVE, "x").tag;
	/* it cannot be closed */
	wn_send(&p, "05 " ID_3);
	play_post(&p, &answer, sizeof(answer), 0);
	/* ["192.0.2.1","::1"] */
	wn_expect(&p, "89 " ID_3 " 5b223139322e302e322e31222c223a3a31225d");
	play_text(&p, "{\"op\":\"resolve\",\"id\":3,\"name\":\"x.test\"}");
	answer.tag = wn_take(&p, 0, IPC_RESOLVE, "x.test").tag;
	play_post(&p, &answer, sizeof(answer), 0);
	play_expect_text(&p, "{\"ev\":\"resolved\",\"id\":3,\"addrs\":[\"192.0.2.1\",\"::1\"]}");
	/* a number is its own address */
	play_text(&p, "{\"op\":\"resolve\",\"id\":3,\"name\":\"[2001:DB8::1]\"}");
	play_expect_text(&p, "{\"ev\":\"resolved\",\"id\":3,\"addrs\":[\"2001:db8::1\"]}");
	play_text(&p, "{\"op\":\"resolve\",\"id\":3,\"name\":\"x.test\"}");
	play_refused(&p, wn_take(&p, 0, IPC_RESOLVE, "x.test").tag, REASON_UNAVAILABLE);
	play_expect_text(&p, "{\"ev\":\"error\",\"id\":3,\"msg\":\"no addresses found for "
			     "x.test\"}");
	play_text(&p, "{\"op\":\"resolve\",\"id\":3,\"name\":\"x.test\"}");
	play_refused(&p, wn_take(&p, 0, IPC_RESOLVE, "x.test").tag, REASON_NO_RULE);
	play_expect_text(&p, "{\"ev\":\"error\",\"id\":3,\"msg\":\"domain blocked by policy: "
			     "x.test\"}");
	play_lost(&p);
}

/* Each id is free again; the server for which the client was written ran dry here. */
static void
test_many_in_turn(void **state)
{
	struct ipc_open open;
	struct play p;
	int far;

	(void)state;
	wn_begin(&p, 1);
	for (uint32_t i = 1; i <= 40; i++) {
		wn_send(&p, "01 " ID_1 " 0050 61");
		open = wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, "a");
		far = wn_opened(&p, SOCK_STREAM, open.tag, i, none, none, NULL);
		wn_expect(&p, "81 " ID_1);
		if (i % 2)
			wn_send(&p, "05 " ID_1);
		close(far);
		wn_expect(&p, "85 " ID_1);
		wn_expect_end(&p, i);
	}
	play_lost(&p);
}

/* Whatever breaks it, a connection ends with `closed': after `error' the client would not tell. */
static void
test_broken(void **state)
{
	const struct ipc_cut cut = {{MSG_CUT}, 1, REASON_BYTES_LIMIT};
	const size_t n = 300000;
	uint8_t *frame = test_calloc(1, n);
	struct ipc_open open;
	struct play p;
	int far;

	(void)state;
	wn_begin(&p, 5);
	wn_send(&p, "01 " ID_1 " 0050 61");
	open = wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, "a");
	far = wn_opened(&p, SOCK_STREAM, open.tag, 1, none, none, NULL);
	wn_expect(&p, "81 " ID_1);
	play_post(&p, &cut, sizeof(cut), 0);
	shutdown(far, SHUT_RDWR);
	wn_expect(&p, "85 " ID_1);
	close(far);
	/* before it is connected it is an error */
	wn_expect_end(&p, 1);
	wn_send(&p, "01 " ID_1 " 0050 61");
	(void)wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, "a");
	frame[0] = 4;
	frame[8] = 1;
	play_frame(&p, 0x82, frame, n);
	wn_expect_text(&p, 0x86, 1, "too much was sent before it was connected");
	/* what comes behind close is not looked at, and breaks nothing */
	wn_send(&p, "01 " ID_1 " 0050 61");
	open = wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, "a");
	wn_send(&p, "05 " ID_1);
	play_frame(&p, 0x82, frame, n);
	test_free(frame);
	wn_send(&p, "03 " ID_1);
	wn_expect(&p, "83 " ID_1 " 0000");
	far = wn_opened(&p, SOCK_STREAM, open.tag, 2, none, none, NULL);
	wn_expect(&p, "81 " ID_1);
	wn_expect_bytes(far, "", 0);
	close(far);
	wn_expect(&p, "85 " ID_1);
	play_lost(&p);
}

/* Random bytes come in pieces of 16,384 at most. */
static void
test_pieces(void **state)
{
	const size_t total = 300000;
	uint8_t *bytes = test_malloc(total);
	struct ipc_open open;
	size_t done = 0;
	struct play p;
	pid_t pid;
	int far;

	(void)state;
	play_random(bytes, total, 11);
	wn_begin(&p, 5);
	wn_send(&p, "01 " ID_1 " 0050 61");
	open = wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, "a");
	far = wn_opened(&p, SOCK_STREAM, open.tag, 1, none, none, NULL);
	wn_expect(&p, "81 " ID_1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		play_write(far, bytes, total);
		_exit(0);
	}
	while (done < total) {
		const struct play_frame *frame = play_next(&p);

		assert_true(frame->n > 9 && frame->n <= 9 + 16384);
		assert_memory_equal(frame->bytes + 9, bytes + done, frame->n - 9);
		done += frame->n - 9;
	}
	close(far);
	wn_expect(&p, "85 " ID_1);
	test_free(bytes);
	play_lost(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listener), cmocka_unit_test(test_listener_refused),
		cmocka_unit_test(test_resolve),  cmocka_unit_test(test_many_in_turn),
		cmocka_unit_test(test_broken),   cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests_name("session_wasmnet_more", tests, NULL, NULL);
}
