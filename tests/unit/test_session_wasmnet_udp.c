/* SPDX-License-Identifier: ISC */
/* wasmnet against a double of the broker: UDP. */
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

static const struct ipc_addr none;

#define ID_2 "0000000000000002"
#define ID_3 "0000000000000003"

/* A UDP socket with id 2 to 8.8.8.8:53, stream 1. Returns the far end. */
static int
udp_socket(struct play *p)
{
	static const struct ipc_addr wanted = {4, 0, 53, {8, 8, 8, 8}};
	struct ipc_open open;
	int far;

	wn_begin(p, 5);
	wn_send(p, "06 " ID_2 " 0035 382e382e382e38");
	open = wn_take(p, PROTOCOL_UDP, IPC_CONNECT, "");
	assert_memory_equal(&open.addr, &wanted, sizeof(wanted));
	assert_int_equal(open.beside, 0);
	far = wn_opened(p, SOCK_DGRAM, open.tag, 1, wanted, V4(10, 0, 0, 1, 40001), NULL);
	wn_expect(p, "8a " ID_2 " 9c41");
	return far;
}

/* send_to 9.9.9.9:5353 of the socket with id 2: the OPEN that it makes. */
static struct ipc_open
send_beside(struct play *p)
{
	static const struct ipc_addr wanted = {4, 0, 5353, {9, 9, 9, 9}};
	struct ipc_open open;

	wn_send(p, "07 " ID_2 " 14e9 0007 392e392e392e39 010203");
	open = wn_take(p, PROTOCOL_UDP, IPC_CONNECT, "");
	assert_memory_equal(&open.addr, &wanted, sizeof(wanted));
	assert_int_equal(open.beside, 1);
	return open;
}

static void
test_udp(void **state)
{
	struct ipc_open open;
	struct play p;
	int far, other;

	(void)state;
	far = udp_socket(&p);
	wn_send(&p, "04 " ID_2 " 00ff");
	wn_expect_bytes(far, "\x00\xff", 2);
	wn_send(&p, "04 " ID_2);
	wn_expect_bytes(far, "", 0);
	play_write(far, "ab", 2);
	wn_expect(&p, "88 " ID_2 " 0035 0007 382e382e382e38 6162");
	/* by the name of its own peer: no other stream */
	wn_send(&p, "07 " ID_2 " 0035 0007 382e382e382e38 0405");
	wn_expect_bytes(far, "\x04\x05", 2);
	open = send_beside(&p);
	other = wn_opened(&p, SOCK_DGRAM, open.tag, 2, V6_LOOPBACK(5353), V4(10, 0, 0, 1, 40001),
			  NULL);
	wn_expect_bytes(other, "\x01\x02\x03", 3);
	wn_send(&p, "07 " ID_2 " 14e9 0007 392e392e392e39 04");
	wn_expect_bytes(other, "\x04", 1);
	play_text(&p, "{\"op\":\"send_to\",\"id\":2,\"addr\":\"9.9.9.9\",\"port\":5353,"
		      "\"data\":\"aGk=\"}");
	wn_expect_bytes(other, "hi", 2);
	play_text(&p, "{\"op\":\"send_to\",\"id\":2,\"addr\":\"9.9.9.9\",\"port\":5353,"
		      "\"data\":\"aGk\"}");
	play_write(other, "cd", 2);
	play_expect_text(&p, "{\"ev\":\"data_from\",\"id\":2,\"data\":\"Y2Q=\",\"addr\":\"::1\","
			     "\"port\":5353}");
	wn_send(&p, "05 " ID_2);
	wn_expect(&p, "85 " ID_2);
	wn_expect_end(&p, 1);
	wn_expect_end(&p, 2);
	wn_send(&p, "04 " ID_2 " 00ff");
	play_quiet(&p);
	close(far);
	close(other);
	play_lost(&p);
}

/* A datagram right behind connect_udp, and one to another peer, wait for its answer. */
static void
test_udp_early(void **state)
{
	struct ipc_open open, beside;
	struct play p;
	int far, other;

	(void)state;
	wn_begin(&p, 5);
	wn_send(&p, "06 " ID_2 " 0035 61");
	open = wn_take(&p, PROTOCOL_UDP, IPC_CONNECT, "a");
	wn_send(&p, "04 " ID_2 " 0102");
	wn_send(&p, "07 " ID_2 " 0035 0001 62 03");
	play_quiet(&p);
	far = wn_opened(&p, SOCK_DGRAM, open.tag, 1, V4(8, 8, 8, 8, 53), V4(10, 0, 0, 1, 1), NULL);
	wn_expect(&p, "8a " ID_2 " 0001");
	wn_expect_bytes(far, "\x01\x02", 2);
	beside = wn_take(&p, PROTOCOL_UDP, IPC_CONNECT, "b");
	assert_int_equal(beside.beside, 1);
	other = wn_opened(&p, SOCK_DGRAM, beside.tag, 2, V4(8, 8, 4, 4, 53), V4(10, 0, 0, 1, 1),
			  NULL);
	wn_expect_bytes(other, "\x03", 1);
	close(far);
	close(other);
	play_lost(&p);
}

static void
test_udp_refused(void **state)
{
	struct play p;
	uint32_t tag;
	int far;

	(void)state;
	far = udp_socket(&p);
	wn_refused(&p, send_beside(&p).tag, REASON_NO_RULE, none);
	wn_expect_text(&p, 0x87, 2, "address not in allow list: 9.9.9.9:5353");
	/* what is not the policy's doing is a datagram lost */
	play_refused(&p, send_beside(&p).tag, REASON_CHANNELS_LIMIT);
	wn_send(&p, "04 " ID_2 " 00ff");
	wn_expect_bytes(far, "\x00\xff", 2);
	/* the socket itself: nothing is left of it */
	wn_send(&p, "06 " ID_3 " 0035 61");
	tag = wn_take(&p, PROTOCOL_UDP, IPC_CONNECT, "a").tag;
	wn_send(&p, "07 " ID_3 " 0035 0001 62 03");
	play_refused(&p, tag, REASON_RESOURCES);
	wn_expect_text(&p, 0x86, 3, "UDP bind failed: the server is out of resources");
	wn_send(&p, "06 " ID_3 " 0035 61");
	tag = wn_take(&p, PROTOCOL_UDP, IPC_CONNECT, "a").tag;
	play_refused(&p, tag, REASON_UNREACHABLE);
	wn_expect_text(&p, 0x86, 3, "UDP connect failed: the destination cannot be reached");
	play_quiet(&p);
	close(far);
	play_lost(&p);
}

/* A socket lasts as long as one of its peers does, and the first is asked for anew. */
static void
test_udp_ends(void **state)
{
	struct ipc_cut cut = {{MSG_CUT}, 1, REASON_IDLE};
	struct ipc_open open;
	struct play p;
	int far, other;

	(void)state;
	far = udp_socket(&p);
	open = send_beside(&p);
	other = wn_opened(&p, SOCK_DGRAM, open.tag, 2, V4(9, 9, 9, 9, 5353), V4(10, 0, 0, 1, 40001),
			  NULL);
	wn_expect_bytes(other, "\x01\x02\x03", 3);
	play_post(&p, &cut, sizeof(cut), 0);
	shutdown(far, SHUT_RDWR);
	wn_expect_end(&p, 1);
	play_write(other, "ab", 2);
	wn_expect(&p, "88 " ID_2 " 14e9 0007 392e392e392e39 6162");
	wn_send(&p, "04 " ID_2 " 07");
	open = wn_take(&p, PROTOCOL_UDP, IPC_CONNECT, "");
	assert_int_equal(open.beside, 2);
	assert_int_equal(open.addr.port, 53);
	close(far);
	far = wn_opened(&p, SOCK_DGRAM, open.tag, 3, V4(8, 8, 8, 8, 53), V4(10, 0, 0, 1, 40001),
			NULL);
	wn_expect_bytes(far, "\x07", 1);
	cut.stream = 2;
	play_post(&p, &cut, sizeof(cut), 0);
	shutdown(other, SHUT_RDWR);
	wn_expect_end(&p, 2);
	cut.stream = 3;
	play_post(&p, &cut, sizeof(cut), 0);
	shutdown(far, SHUT_RDWR);
	wn_expect(&p, "85 " ID_2);
	close(far);
	close(other);
	play_lost(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_udp_early),
		cmocka_unit_test(test_udp_refused),
		cmocka_unit_test(test_udp_ends),
	};

	return cmocka_run_group_tests_name("session_wasmnet_udp", tests, NULL, NULL);
}
