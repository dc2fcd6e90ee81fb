/* SPDX-License-Identifier: ISC */
/* A whole wasmnet session against a double of the broker: requests, TCP, refusals. */
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

/* Byte for byte, as the client of the project writes and reads it. */
static void
test_binary(void **state)
{
	struct ipc_open open;
	struct play p;
	int far;

	(void)state;
	wn_begin(&p, 5);
	wn_send(&p, "01 " ID_1 " 0050 6578616d706c652e636f6d");
	open = wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, "example.com");
	assert_int_equal(open.addr.port, 80);
	far = wn_opened(&p, SOCK_STREAM, open.tag, 1, none, none, NULL);
	wn_expect(&p, "81 " ID_1);
	wn_send(&p, "04 " ID_1 " 00ff");
	wn_expect_bytes(far, "\x00\xff", 2);
	play_write(far, "\xfe\x00", 2);
	wn_expect(&p, "82 " ID_1 " fe00");
	/* half-closed: bytes still come, nothing more is sent */
	wn_send(&p, "05 " ID_1);
	wn_expect_bytes(far, "", 0);
	wn_send(&p, "04 " ID_1 " 00ff");
	play_write(far, "late", 4);
	wn_expect(&p, "82 " ID_1 " 6c617465");
	close(far);
	wn_expect(&p, "85 " ID_1);
	wn_expect_end(&p, 1);
	/* of what is gone, nothing is said */
	wn_send(&p, "05 " ID_1);
	wn_send(&p, "04 " ID_1 " 00ff");
	wn_send(&p, "03 " ID_1);
	wn_expect(&p, "83 " ID_1 " 0000");
	wn_send(&p, "03 " ID_1 " 00000080");
	wn_expect(&p, "83 " ID_1 " 0000");
	play_lost(&p);
}

static void
test_json(void **state)
{
	struct ipc_open open;
	struct play p;
	int far;

	(void)state;
	wn_begin(&p, 5);
	play_text(&p, "{\"op\":\"connect\",\"id\":18446744073709551614,\"addr\":\"WWW.Example\","
		      "\"port\":8080,\"extra\":[1]}");
	open = wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, "www.example");
	assert_int_equal(open.addr.port, 8080);
	/* what came with the connection is not lost */
	far = wn_opened(&p, SOCK_STREAM, open.tag, 1, none, none, "banner");
	play_expect_text(&p, "{\"ev\":\"connected\",\"id\":18446744073709551614}");
	play_expect_text(&p, "{\"ev\":\"data\",\"id\":18446744073709551614,\"data\":\"YmFubmVy\"}");
	play_text(&p, "{\"op\":\"send\",\"id\":18446744073709551614,\"data\":\"aGVsbG8=\"}");
	wn_expect_bytes(far, "hello", 5);
	/* bad base64, ids that are nothing: dropped in silence */
	play_text(&p, "{\"op\":\"send\",\"id\":18446744073709551614,\"data\":\"aGVsbG8\"}");
	play_text(&p, "{\"op\":\"send\",\"id\":4,\"data\":\"aGVsbG8=\"}");
	play_text(&p, "{\"op\":\"send_to\",\"id\":18446744073709551614,\"addr\":\"192.0.2.1\","
		      "\"port\":53,\"data\":\"aGVsbG8=\"}");
	play_text(&p, "{\"op\":\"close\",\"id\":4}");
	play_text(&p, "{\"op\":\"listen\",\"id\":4}");
	play_expect_text(&p, "{\"ev\":\"listening\",\"id\":4,\"port\":0}");
	play_text(&p, "{\"op\":\"close\",\"id\":18446744073709551614}");
	wn_expect_bytes(far, "", 0);
	close(far);
	play_expect_text(&p, "{\"ev\":\"closed\",\"id\":18446744073709551614}");
	play_lost(&p);
}

/* The session answers as it was spoken to last, whatever the event is about. */
static void
test_alternating(void **state)
{
	struct ipc_open open;
	struct play p;
	int far;

	(void)state;
	wn_begin(&p, 5);
	wn_send(&p, "01 " ID_1 " 0050 61");
	open = wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, "a");
	play_text(&p, "{\"op\":\"close\",\"id\":9}");
	play_text(&p, "{\"op\":\"listen\",\"id\":9,\"backlog\":4294967295}");
	play_expect_text(&p, "{\"ev\":\"listening\",\"id\":9,\"port\":0}");
	far = wn_opened(&p, SOCK_STREAM, open.tag, 1, none, none, NULL);
	play_expect_text(&p, "{\"ev\":\"connected\",\"id\":1}");
	wn_send(&p, "03 0000000000000009");
	wn_expect(&p, "83 0000000000000009 0000");
	play_write(far, "x", 1);
	wn_expect(&p, "82 " ID_1 " 78");
	play_text(&p, "no JSON");
	play_expect_text(&p, "{\"ev\":\"error\",\"id\":0,\"msg\":\"invalid request: the message is "
			     "not JSON\"}");
	close(far);
	play_expect_text(&p, "{\"ev\":\"closed\",\"id\":1}");
	play_lost(&p);
}

static void
test_wrong_json(void **state)
{
	static const struct {
		const char *sent;
		const char *why;
	} cases[] = {
		{"", "the message is not JSON"},
		{"[]", "the message is not a JSON object"},
		{"{\"op\":\"close\",\"id\":1,\"id\":1}", "a member name occurs twice"},
		{"{\"id\":1}", "op must be a string"},
		{"{\"op\":\"closed\",\"id\":1}", "there is no such op"},
		{"{\"op\":\"close\"}", "id must be a whole number from 0 to 2^64 - 2"},
		{"{\"op\":\"close\",\"id\":\"1\"}", "id must be a whole number from 0 to 2^64 - 2"},
		{"{\"op\":\"close\",\"id\":-1}", "id must be a whole number from 0 to 2^64 - 2"},
		{"{\"op\":\"close\",\"id\":1.5}", "id must be a whole number from 0 to 2^64 - 2"},
		{"{\"op\":\"close\",\"id\":18446744073709551615}",
		 "id must be a whole number from 0 to 2^64 - 2"},
		{"{\"op\":\"close\",\"id\":18446744073709551616}",
		 "id must be a whole number from 0 to 2^64 - 2"},
		{"{\"op\":\"connect\",\"id\":1,\"port\":80}", "addr must be a string"},
		{"{\"op\":\"connect\",\"id\":1,\"addr\":\"a\"}",
		 "port must be a whole number from 0 to 65535"},
		{"{\"op\":\"bind\",\"id\":1,\"addr\":\"a\",\"port\":65536}",
		 "port must be a whole number from 0 to 65535"},
		{"{\"op\":\"resolve\",\"id\":1}", "name must be a string"},
		{"{\"op\":\"send\",\"id\":1}", "data must be a string"},
		{"{\"op\":\"send_to\",\"id\":1,\"addr\":\"a\",\"port\":1}",
		 "data must be a string"},
		{"{\"op\":\"listen\",\"id\":1,\"backlog\":4294967296}",
		 "backlog must be a whole number from 0 to 4294967295"},
	};
	char wanted[256];
	struct play p;

	(void)state;
	wn_begin(&p, 5);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		play_text(&p, cases[i].sent);
		snprintf(wanted, sizeof(wanted),
			 "{\"ev\":\"error\",\"id\":0,\"msg\":\"invalid request: %s\"}",
			 cases[i].why);
		play_expect_text(&p, wanted);
	}
	play_quiet(&p);
	play_lost(&p);
}

static void
test_wrong_binary(void **state)
{
	static const struct {
		const char *sent;
		const char *why;
	} cases[] = {
		{"", "it is shorter than 9 bytes"},
		{"05 00000000000000", "it is shorter than 9 bytes"},
		{"00 " ID_1, "there is no such type"},
		{"0a " ID_1, "there is no such type"},
		{"81 " ID_1, "there is no such type"},
		{"05 ffffffffffffffff", "its id is over 2^64 - 2"},
		{"01 " ID_1 " 00", "it ends before its address"},
		{"02 " ID_1, "it ends before its address"},
		{"07 " ID_1 " 003500", "it ends before its address"},
		{"07 " ID_1 " 0035 0004 616263", "its address is longer than the rest of it"},
	};
	char wanted[128];
	struct play p;

	(void)state;
	wn_begin(&p, 5);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wn_send(&p, cases[i].sent);
		snprintf(wanted, sizeof(wanted), "invalid binary frame: %s", cases[i].why);
		wn_expect_text(&p, 0x86, 0, wanted);
	}
	play_quiet(&p);
	play_lost(&p);
}

static const struct {
	const char *host;
	uint32_t reason;
	struct ipc_addr peer;
	unsigned int type;
	const char *text;
} refusals[] = {
	{"h.test", REASON_UNAVAILABLE, {0}, 0x87, "the destination is not available"},
	{"h.test", REASON_RULE_DENIES, {0}, 0x87, "domain blocked by policy: h.test"},
	{"h.test",
	 REASON_RULE_DENIES,
	 {4, 0, 0, {10, 0, 0, 7}},
	 0x87,
	 "private IP range blocked: 10.0.0.7"},
	{"10.0.0.7", REASON_RULE_DENIES, {0}, 0x87, "private IP range blocked: 10.0.0.7"},
	{"h.test",
	 REASON_SPECIAL_ADDRESS,
	 {6, 0, 0, {[15] = 1}},
	 0x87,
	 "private IP range blocked: ::1"},
	{"h.test",
	 REASON_OWN_ADDRESS,
	 {4, 0, 0, {10, 0, 0, 7}},
	 0x87,
	 "private IP range blocked: 10.0.0.7"},
	{"h.test", REASON_NO_RULE, {0}, 0x87, "address not in allow list: h.test:25"},
	{"::1", REASON_NO_RULE, {0}, 0x87, "address not in allow list: [::1]:25"},
	{"h.test", REASON_PORT_CLOSED, {0}, 0x87, "address not in allow list: h.test:25"},
	{"h.test", REASON_NO_POLICY, {0}, 0x87, "address blocked by policy (deny-all): h.test:25"},
	{"h.test",
	 REASON_NAME_UNKNOWN,
	 {0},
	 0x87,
	 "DNS resolution failed: the name does not resolve"},
	{"h.test",
	 REASON_NAME_FAILED,
	 {0},
	 0x87,
	 "DNS resolution failed: the name could not be looked up now"},
	{"h.test", REASON_CHANNELS_LIMIT, {0}, 0x86, "max connections reached"},
	{"h.test", REASON_TIMEOUT, {0}, 0x86, "connection timed out"},
	{"h.test", REASON_PEER_REFUSED, {0}, 0x86, "the destination refused the connection"},
	{"h.test", REASON_CONNECTS_LIMIT, {0}, 0x86, "too many connections in this minute"},
	{"h.test", REASON_AUDITOR_LOST, {0}, 0x86, "the audit trail cannot be written now"},
};

static void
test_refusals(void **state)
{
	uint8_t frame[64] = {1, [8] = 1, 0, 25};
	char text[256];
	struct play p;

	(void)state;
	wn_begin(&p, 5);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const char *host = strpbrk(refusals[i].host, "t") ? refusals[i].host : "";

		memcpy(frame + 11, refusals[i].host, strlen(refusals[i].host));
		play_frame(&p, 0x82, frame, 11 + strlen(refusals[i].host));
		wn_refused(&p, wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, host).tag, refusals[i].reason,
			   refusals[i].peer);
		wn_expect_text(&p, refusals[i].type, 1, refusals[i].text);
		snprintf(text, sizeof(text),
			 "{\"op\":\"connect\",\"id\":1,\"addr\":\"%s\",\"port\":25}",
			 refusals[i].host);
		play_text(&p, text);
		wn_refused(&p, wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, host).tag, refusals[i].reason,
			   refusals[i].peer);
		snprintf(text, sizeof(text), "{\"ev\":\"%s\",\"id\":1,\"msg\":\"%s\"}",
			 refusals[i].type == 0x87 ? "denied" : "error", refusals[i].text);
		play_expect_text(&p, text);
	}
	play_lost(&p);
}

/* Case 51: what is no host reaches the broker, so that the refusal is on record. */
static void
test_malformed_hosts(void **state)
{
	struct play p;

	(void)state;
	wn_begin(&p, 5);
	wn_send(&p, "01 " ID_1 " 0050 3132372e31");
	play_refused(&p, wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, "127.1").tag, REASON_NAME_INVALID);
	wn_expect_text(&p, 0x87, 1,
		       "DNS resolution failed: the destination is not a valid name or address");
	wn_send(&p, "06 " ID_1 " 0050");
	play_refused(&p, wn_take(&p, PROTOCOL_UDP, IPC_CONNECT, " ...").tag, REASON_UNAVAILABLE);
	wn_expect_text(&p, 0x87, 1, "the destination is not available");
	wn_send(&p, "08 " ID_1 " 610062");
	play_refused(&p, wn_take(&p, 0, IPC_RESOLVE, "a?b").tag, REASON_NAME_INVALID);
	wn_expect_text(&p, 0x86, 1,
		       "DNS resolution failed: the destination is not a valid name or address");
	/* no UTF-8: on record as it is; in JSON as what stands for it */
	wn_send(&p, "01 " ID_1 " 0050 ff");
	play_text(&p, "{\"op\":\"listen\",\"id\":9}");
	play_expect_text(&p, "{\"ev\":\"listening\",\"id\":9,\"port\":0}");
	play_refused(&p, wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, "\xff").tag, REASON_NO_RULE);
	play_expect_text(&p, "{\"ev\":\"denied\",\"id\":1,\"msg\":\"address not in allow list: "
			     "\xef\xbf\xbd:80\"}");
	play_lost(&p);
}

static void
test_ids(void **state)
{
	uint32_t tag;
	struct play p;

	(void)state;
	wn_begin(&p, 5);
	wn_send(&p, "01 " ID_1 " 0050 61");
	tag = wn_take(&p, PROTOCOL_TCP, IPC_CONNECT, "a").tag;
	wn_send(&p, "01 " ID_1 " 0050 62");
	wn_expect_text(&p, 0x86, 1, "id in use");
	wn_send(&p, "06 " ID_1 " 0050 62");
	wn_expect_text(&p, 0x86, 1, "id in use");
	wn_send(&p, "02 " ID_1 " 0050 302e302e302e30");
	wn_expect_text(&p, 0x86, 1, "id in use");
	wn_send(&p, "08 " ID_1 " 62");
	wn_expect_text(&p, 0x86, 1, "id in use");
	play_refused(&p, tag, REASON_TIMEOUT);
	wn_expect_text(&p, 0x86, 1, "connection timed out");
	wn_send(&p, "09 " ID_1 " 01bb 62");
	play_refused(&p, wn_take(&p, PROTOCOL_TLS, IPC_CONNECT, "b").tag, REASON_NO_RULE);
	wn_expect_text(&p, 0x87, 1, "address not in allow list: b:443");
	play_text(&p, "{\"op\":\"connect_tls\",\"id\":7,\"addr\":\"a\",\"port\":8443}");
	close(play_opened(&p, wn_take(&p, PROTOCOL_TLS, IPC_CONNECT, "a").tag, 77));
	/* This session has no trust store. */
	play_expect_text(&p, "{\"ev\":\"error\",\"id\":7,\"msg\":\"TLS error: the server has no "
			     "trust store, so no TLS is made\"}");
	play_expect_end(&p, 0, 0);
	play_quiet(&p);
	play_lost(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_binary),          cmocka_unit_test(test_json),
		cmocka_unit_test(test_alternating),     cmocka_unit_test(test_wrong_json),
		cmocka_unit_test(test_wrong_binary),    cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_malformed_hosts), cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests_name("session_wasmnet", tests, NULL, NULL);
}
