/* SPDX-License-Identifier: ISC */
/* What a netproxy client can ask that it should not: cases 43 to 50 of the catalogue. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/play.h"

/* Cases 43 to 45: each is answered here and the broker is not asked. */
static void
test_bad_requests(void **state)
{
	static const char *const cases[][2] = {
		{"nonsense", NULL},
		{"[]", NULL},
		{"null", NULL},
		{"", NULL},
		{"{\"t\":\"open\",\"id\":1,\"id\":1,\"host\":\"h.example\",\"port\":80}", NULL},
		{"{\"t\":\"open\",\"host\":\"h.example\",\"port\":80}", "Invalid id"},
		{"{\"t\":\"open\",\"id\":-1,\"host\":\"h.example\",\"port\":80}", "Invalid id"},
		{"{\"t\":\"open\",\"id\":1.5,\"host\":\"h.example\",\"port\":80}", "Invalid id"},
		{"{\"t\":\"open\",\"id\":9007199254740992,\"host\":\"h.example\",\"port\":80}",
		 "Invalid id"},
		{"{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":\"80\"}",
		 "Invalid port"},
		{"{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":0}", "Invalid port"},
		{"{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":65536}", "Invalid port"},
		{"{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":80.0}", "Invalid port"},
		{"{\"t\":\"open\",\"id\":1,\"host\":80,\"port\":80}", "Invalid host"},
		{"{\"t\":\"open\",\"id\":1,\"port\":80}", "Invalid host"},
	};
	struct play p;

	(void)state;
	play_netproxy(&p, 5);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *answer;

		play_text(&p, cases[i][0]);
		answer = (const char *)play_next(&p)->bytes;
		assert_memory_equal(answer, "{\"t\":\"error\"", 12);
		assert_non_null(strstr(answer, cases[i][1] ? cases[i][1] : "Invalid message: "));
		if (!cases[i][1])
			assert_null(strstr(answer, "\"id\""));
	}
	play_quiet(&p);
	play_lost(&p);
}

/* Port 443 is TLS, and no other. */
static void
test_port_443(void **state)
{
	struct ipc_buffer buffer;
	struct play p;

	(void)state;
	play_netproxy(&p, 5);
	play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":443}");
	play_take(&p, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.protocol, PROTOCOL_TLS);
	assert_int_equal(buffer.any.OPEN_body.addr.port, 443);
	close(play_opened(&p, buffer.any.OPEN_body.tag, 77));
	/* This session has no trust store. */
	play_expect_text(&p,
			 "{\"t\":\"error\",\"id\":1,\"msg\":\"Connection failed: the server has no "
			 "trust store, so no TLS is made\"}");
	play_take(&p, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.claimed_reason, REASON_TLS_NO_TRUST);
	play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":444}");
	play_take(&p, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.protocol, PROTOCOL_TCP);
	play_lost(&p);
}

/* Case 46. */
static void
test_bad_base64(void **state)
{
	static const char *const cases[] = {
		"aGVsbG8", "aGVsbG8==", "aGVs bG8=", "aGVsbG9=", "aG=sbG8=", "aGVsbG8-", "=", "a"};
	char text[128];
	struct play p;
	int peer;

	(void)state;
	play_netproxy(&p, 5);
	play_text(&p, "{\"t\":\"open\",\"id\":0,\"host\":\"h.example\",\"port\":80}");
	peer = play_opened(&p, play_take_open(&p, "h.example", 80), 1);
	play_expect_text(&p, "{\"t\":\"opened\",\"id\":0}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "{\"t\":\"write\",\"id\":0,\"b64\":\"%s\"}", cases[i]);
		play_text(&p, text);
		assert_non_null(strstr((const char *)play_next(&p)->bytes, "Invalid b64"));
	}
	play_text(&p, "{\"t\":\"write\",\"id\":0,\"b64\":7}");
	assert_non_null(strstr((const char *)play_next(&p)->bytes, "Invalid b64"));
	play_text(&p, "{\"t\":\"write\",\"id\":0,\"b64\":\"\"}");
	play_text(&p, "{\"t\":\"write\",\"id\":0,\"b64\":\"b2s=\"}");
	assert_int_equal(play_read(peer, text, 2), 2);
	assert_memory_equal(text, "ok", 2);
	close(peer);
	play_lost(&p);
}

/* Cases 47 and 48. */
static void
test_ids(void **state)
{
	struct play p;
	char text[16];
	uint32_t one;
	uint32_t two;
	int peer;
	int other;

	(void)state;
	play_netproxy(&p, 5);
	play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"one.example\",\"port\":80}");
	one = play_take_open(&p, "one.example", 80);
	play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"two.example\",\"port\":80}");
	play_expect_text(&p, "{\"t\":\"error\",\"id\":1,\"msg\":\"Connection id is in use\"}");
	/* the string "1" and the number 1 are two ids */
	play_text(&p, "{\"t\":\"open\",\"id\":\"1\",\"host\":\"two.example\",\"port\":80}");
	two = play_take_open(&p, "two.example", 80);
	assert_int_not_equal(one, two);
	other = play_opened(&p, two, 2);
	play_expect_text(&p, "{\"t\":\"opened\",\"id\":\"1\"}");
	/* written before opened: kept, in order */
	play_text(&p, "{\"t\":\"write\",\"id\":1,\"b64\":\"Zmlyc3Q=\"}");
	play_text(&p, "{\"t\":\"write\",\"id\":1,\"b64\":\"LCB0aGVu\"}");
	play_text(&p, "{\"t\":\"write\",\"id\":\"1\",\"b64\":\"b3RoZXI=\"}");
	assert_int_equal(play_read(other, text, 5), 5);
	assert_memory_equal(text, "other", 5);
	peer = play_opened(&p, one, 1);
	play_expect_text(&p, "{\"t\":\"opened\",\"id\":1}");
	assert_int_equal(play_read(peer, text, 11), 11);
	assert_memory_equal(text, "first, then", 11);
	close(peer);
	play_expect_text(&p, "{\"t\":\"closed\",\"id\":1}");
	close(other);
	play_expect_text(&p, "{\"t\":\"closed\",\"id\":\"1\"}");
	play_lost(&p);
}

static void
test_closed_while_connecting(void **state)
{
	struct ipc_buffer buffer;
	struct play p;
	uint32_t tag;
	char text[16];
	int peer;

	(void)state;
	play_netproxy(&p, 5);
	play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":80}");
	tag = play_take_open(&p, "h.example", 80);
	play_text(&p, "{\"t\":\"write\",\"id\":1,\"b64\":\"Zmlyc3Q=\"}");
	play_text(&p, "{\"t\":\"close\",\"id\":1}");
	play_expect_text(&p, "{\"t\":\"closed\",\"id\":1}");
	/* the id is free again, the first request is still under way */
	play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"g.example\",\"port\":80}");
	play_refused(&p, play_take_open(&p, "g.example", 80), REASON_TIMEOUT);
	play_expect_text(&p, "{\"t\":\"error\",\"id\":1,\"msg\":\"Connection timeout\"}");
	/* what it was given before is not lost */
	peer = play_opened(&p, tag, 5);
	assert_int_equal(play_read(peer, text, sizeof(text)), 5);
	assert_memory_equal(text, "first", 5);
	close(peer);
	play_take(&p, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.stream, 5);
	play_lost(&p);
}

/* Case 49. */
static void
test_flood_before_opened(void **state)
{
	struct play p;
	uint32_t tag;
	char byte;
	int peer;

	(void)state;
	play_netproxy(&p, 5);
	play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":80}");
	tag = play_take_open(&p, "h.example", 80);
	for (int i = 0; i < 1025; i++)
		play_text(&p, "{\"t\":\"write\",\"id\":1,\"b64\":\"Zg==\"}");
	assert_non_null(strstr((const char *)play_next(&p)->bytes, "too much was written"));
	play_text(&p, "{\"t\":\"write\",\"id\":1,\"b64\":\"Zg==\"}");
	play_expect_text(&p, "{\"t\":\"error\",\"id\":1,\"msg\":\"Connection not found\"}");
	peer = play_opened(&p, tag, 5);
	assert_int_equal(play_read(peer, &byte, 1), 0);
	close(peer);
	play_lost(&p);
}

static void
test_big_write_before_opened(void **state)
{
	const size_t n = 400000; /* characters: 300,000 bytes */
	char *text;
	struct play p;
	int at;

	(void)state;
	play_netproxy(&p, 5);
	play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":80}");
	(void)play_take_open(&p, "h.example", 80);
	text = test_malloc(n + 64);
	at = sprintf(text, "{\"t\":\"write\",\"id\":1,\"b64\":\"");
	memset(text + at, 'A', n);
	strcpy(text + (size_t)at + n, "\"}");
	play_text(&p, text);
	assert_non_null(strstr((const char *)play_next(&p)->bytes, "too much was written"));
	test_free(text);
	play_lost(&p);
}

static void
ask(struct play *p, int id)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "{\"t\":\"open\",\"id\":%d,\"host\":\"h%d.example\",\"port\":80}", id, id);
	play_text(p, text);
}

static uint32_t
take(struct play *p, int id)
{
	char host[32];

	snprintf(host, sizeof(host), "h%d.example", id);
	return play_take_open(p, host, 80);
}

static void
expect_refused(struct play *p, int id)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "{\"t\":\"error\",\"id\":%d,\"msg\":\"Max concurrent connections exceeded\"}", id);
	play_expect_text(p, text);
}

/* Without a free slot nothing is refused here: the client waits. */
static void
test_too_many(void **state)
{
	uint32_t tags[17]; /* the grant's one, and the spare slots */
	struct play p;
	int peer;

	(void)state;
	play_netproxy(&p, 1);
	for (int i = 0; i < 17; i++) {
		ask(&p, i);
		tags[i] = take(&p, i);
	}
	ask(&p, 17);
	play_quiet(&p);
	play_refused(&p, tags[3], REASON_CHANNELS_LIMIT);
	expect_refused(&p, 3);
	tags[3] = take(&p, 17);
	/* what opens keeps its slot */
	peer = play_opened(&p, tags[3], 1);
	play_expect_text(&p, "{\"t\":\"opened\",\"id\":17}");
	ask(&p, 18);
	play_quiet(&p);
	play_refused(&p, tags[5], REASON_CHANNELS_LIMIT);
	expect_refused(&p, 5);
	(void)take(&p, 18);
	close(peer);
	play_lost(&p);
}

/* The same where they come in one piece: none is read that finds no slot. */
static void
test_too_many_at_once(void **state)
{
	struct play p;

	(void)state;
	play_netproxy(&p, 1);
	kill(p.pid, SIGSTOP);
	for (int i = 0; i < 200; i++)
		ask(&p, i);
	kill(p.pid, SIGCONT);
	for (int i = 0; i < 200; i++) {
		play_refused(&p, take(&p, i), REASON_CHANNELS_LIMIT);
		expect_refused(&p, i);
	}
	play_quiet(&p);
	play_lost(&p);
}

/* Where all slots are in use for good, waiting could have no end: it is refused here. */
static void
test_all_slots_open(void **state)
{
	struct play p;
	int peers[17];

	(void)state;
	play_netproxy(&p, 1);
	for (int i = 0; i < 17; i++) {
		char text[64];

		ask(&p, i);
		peers[i] = play_opened(&p, take(&p, i), (uint32_t)i + 1);
		snprintf(text, sizeof(text), "{\"t\":\"opened\",\"id\":%d}", i);
		play_expect_text(&p, text);
	}
	ask(&p, 17);
	expect_refused(&p, 17);
	play_quiet(&p);
	play_text(&p, "{\"t\":\"close\",\"id\":4}");
	play_expect_text(&p, "{\"t\":\"closed\",\"id\":4}");
	for (int i = 0; i < 17; i++)
		close(peers[i]);
	play_lost(&p);
}

/* Case 50. */
static void
test_binary(void **state)
{
	struct play p;

	(void)state;
	play_netproxy(&p, 5);
	play_frame(&p, 0x82, "{}", 2);
	play_expect_close(&p, 1003, "netproxy takes text");
	play_end(&p, WORKER_DIALECT_VIOLATION);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_port_443),
		cmocka_unit_test(test_bad_base64),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_closed_while_connecting),
		cmocka_unit_test(test_flood_before_opened),
		cmocka_unit_test(test_big_write_before_opened),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_too_many_at_once),
		cmocka_unit_test(test_all_slots_open),
		cmocka_unit_test(test_binary),
	};

	return cmocka_run_group_tests_name("netproxy_requests", tests, NULL, NULL);
}
