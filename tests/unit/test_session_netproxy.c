/* SPDX-License-Identifier: ISC */
/* A whole netproxy session against a double of the broker. */
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
#include "tests/unit/play.h"
#include "worker/base64.h"

static void
test_life_of_a_connection(void **state)
{
	struct ipc_buffer buffer;
	struct play p;
	char text[16];
	int peer;

	(void)state;
	play_netproxy(&p, 5);
	play_text(&p, "{\"t\":\"open\",\"id\":7,\"host\":\"WWW.Example\",\"port\":80}");
	peer = play_opened(&p, play_take_open(&p, "www.example", 80), 1);
	play_expect_text(&p, "{\"t\":\"opened\",\"id\":7}");
	play_text(&p, "{\"t\":\"write\",\"id\":7,\"b64\":\"aGVsbG8=\"}");
	assert_int_equal(play_read(peer, text, 5), 5);
	assert_memory_equal(text, "hello", 5);
	play_write(peer, "world", 5);
	play_expect_text(&p, "{\"t\":\"data\",\"id\":7,\"b64\":\"d29ybGQ=\"}");
	play_text(&p, "{\"t\":\"close\",\"id\":7}");
	play_expect_text(&p, "{\"t\":\"closed\",\"id\":7}");
	assert_int_equal(play_read(peer, text, 1), 0);
	/* nothing after closed */
	play_write(peer, "late", 4);
	close(peer);
	play_take(&p, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.stream, 1);
	play_text(&p, "{\"t\":\"write\",\"id\":7,\"b64\":\"\"}");
	play_expect_text(&p, "{\"t\":\"error\",\"id\":7,\"msg\":\"Connection not found\"}");
	play_text(&p, "{\"t\":\"close\",\"id\":7}");
	play_text(&p, "{\"t\":\"nonsense\",\"id\":7}");
	play_expect_text(&p, "{\"t\":\"error\",\"id\":7,\"msg\":\"Unknown message type\"}");
	play_lost(&p);
}

/* A request right behind `closed` waits for the place that is about to be free. */
static void
test_open_behind_closed(void **state)
{
	struct ipc_buffer buffer;
	struct play p;
	char text[8];
	int peer;

	(void)state;
	play_netproxy(&p, 1);
	play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"one.example\",\"port\":80}");
	peer = play_opened(&p, play_take_open(&p, "one.example", 80), 1);
	play_expect_text(&p, "{\"t\":\"opened\",\"id\":1}");
	play_text(&p, "{\"t\":\"close\",\"id\":1}");
	play_expect_text(&p, "{\"t\":\"closed\",\"id\":1}");
	play_text(&p, "{\"t\":\"open\",\"id\":2,\"host\":\"two.example\",\"port\":80}");
	play_text(&p, "{\"t\":\"write\",\"id\":2,\"b64\":\"Zmlyc3Q=\"}");
	play_quiet(&p);
	/* one more has no place to wait for: the broker refuses it, on record */
	play_text(&p, "{\"t\":\"open\",\"id\":3,\"host\":\"three.example\",\"port\":80}");
	play_refused(&p, play_take_open(&p, "three.example", 80), REASON_CHANNELS_LIMIT);
	play_expect_text(
		&p, "{\"t\":\"error\",\"id\":3,\"msg\":\"Max concurrent connections exceeded\"}");
	close(peer);
	play_take(&p, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.stream, 1);
	peer = play_opened(&p, play_take_open(&p, "two.example", 80), 2);
	play_expect_text(&p, "{\"t\":\"opened\",\"id\":2}");
	assert_int_equal(play_read(peer, text, 5), 5);
	assert_memory_equal(text, "first", 5);
	close(peer);
	play_lost(&p);
}

static void
test_peer_ends(void **state)
{
	static const struct ipc_addr wanted = {.family = 4, .port = 8080, .ip = {192, 0, 2, 1}};
	struct ipc_buffer buffer;
	struct play p;
	int peer;

	(void)state;
	play_netproxy(&p, 5);
	play_text(&p, "{\"t\":\"open\",\"id\":\"a\\\"b\",\"host\":\"192.0.2.1\",\"port\":8080}");
	play_take(&p, MSG_OPEN, &buffer);
	assert_string_equal(buffer.any.OPEN_body.host, "");
	assert_memory_equal(&buffer.any.OPEN_body.addr, &wanted, sizeof(wanted));
	peer = play_opened(&p, buffer.any.OPEN_body.tag, 9);
	play_write(peer, "!", 1);
	close(peer);
	play_expect_text(&p, "{\"t\":\"opened\",\"id\":\"a\\\"b\"}");
	play_expect_text(&p, "{\"t\":\"data\",\"id\":\"a\\\"b\",\"b64\":\"IQ==\"}");
	play_expect_text(&p, "{\"t\":\"closed\",\"id\":\"a\\\"b\"}");
	play_take(&p, MSG_END, &buffer);
	assert_int_equal(buffer.any.END_body.claimed_down, 1);
	play_lost(&p);
}

static void
test_refusal_texts(void **state)
{
	static const struct {
		uint32_t reason;
		const char *text;
	} cases[] = {
		{REASON_PORT_CLOSED, "Port 25 not allowed"},
		{REASON_CONNECTS_LIMIT, "Connection rate limit exceeded"},
		{REASON_CHANNELS_LIMIT, "Max concurrent connections exceeded"},
		{REASON_BYTES_LIMIT, "Bandwidth limit exceeded"},
		{REASON_TIMEOUT, "Connection timeout"},
		{REASON_NAME_UNKNOWN,
		 "DNS resolution failed for h.example: the name does not resolve"},
		{REASON_UNAVAILABLE, "Connection failed: the destination is not available"},
		{REASON_NO_RULE, "Connection failed: no rule of the policy allows the destination"},
	};
	char wanted[256];
	struct play p;

	(void)state;
	play_netproxy(&p, 5);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":25}");
		play_refused(&p, play_take_open(&p, "h.example", 25), cases[i].reason);
		snprintf(wanted, sizeof(wanted), "{\"t\":\"error\",\"id\":1,\"msg\":\"%s\"}",
			 cases[i].text);
		play_expect_text(&p, wanted);
	}
	play_lost(&p);
}

/* Case 51: the broker is asked, so that its refusal is on record, and its word is told. */
static void
test_malformed_names(void **state)
{
	static const struct {
		const char *written; /* within a JSON string */
		const char *asked;
		const char *told; /* the same, within a JSON string */
	} cases[] = {
		{"127.1", "127.1", "127.1"},
		{"a b", "a b", "a b"},
		{"", " ...", " ..."},
		{"A..Test", "A..Test", "A..Test"},
		{"a\\u0000b", "a?b", "a?b"},
		{"a\\r\\n\\u001b\\\"", "a\r\n\x1b\"", "a\\u000d\\u000a\\u001b\\\""},
	};
	char text[512];
	struct play p;

	(void)state;
	play_netproxy(&p, 5);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text),
			 "{\"t\":\"open\",\"id\":1,\"host\":\"%s\",\"port\":80}", cases[i].written);
		play_text(&p, text);
		play_refused(&p, play_take_open(&p, cases[i].asked, 80), REASON_NAME_INVALID);
		snprintf(text, sizeof(text),
			 "{\"t\":\"error\",\"id\":1,\"msg\":\"DNS resolution failed for %s: the "
			 "destination is not a valid name or address\"}",
			 cases[i].told);
		play_expect_text(&p, text);
		/* and no more than this to whom the grant explains nothing */
		snprintf(text, sizeof(text),
			 "{\"t\":\"open\",\"id\":1,\"host\":\"%s\",\"port\":80}", cases[i].written);
		play_text(&p, text);
		play_refused(&p, play_take_open(&p, cases[i].asked, 80), REASON_UNAVAILABLE);
		play_expect_text(&p, "{\"t\":\"error\",\"id\":1,\"msg\":\"Connection failed: the "
				     "destination is not available\"}");
	}
	play_lost(&p);
}

/* A host as long as a message may be is asked for, cut, and told as it was asked for. */
static void
test_long_names(void **state)
{
	const size_t n = 100000;
	char *text = test_malloc(n + 64);
	char asked[256];
	char wanted[512];
	struct play p;
	int at;

	(void)state;
	at = sprintf(text, "{\"t\":\"open\",\"id\":1,\"host\":\"");
	memset(text + at, 'a', n);
	strcpy(text + (size_t)at + n, "\",\"port\":80}");
	memset(asked, 'a', 251);
	strcpy(asked + 251, " ...");
	snprintf(wanted, sizeof(wanted), "DNS resolution failed for %s: the destination", asked);
	play_netproxy(&p, 5);
	play_text(&p, text);
	play_refused(&p, play_take_open(&p, asked, 80), REASON_NAME_INVALID);
	assert_non_null(strstr((const char *)play_next(&p)->bytes, wanted));
	test_free(text);
	play_lost(&p);
}

static void
test_explained_address(void **state)
{
	struct ipc_refused refused = {.head = {MSG_REFUSED},
				      .reason = REASON_SPECIAL_ADDRESS,
				      .peer = {.family = 4, .ip = {10, 0, 0, 7}}};
	struct play p;

	(void)state;
	play_netproxy(&p, 5);
	play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":80}");
	refused.tag = play_take_open(&p, "h.example", 80);
	play_post(&p, &refused, sizeof(refused), 0);
	play_expect_text(&p, "{\"t\":\"error\",\"id\":1,\"msg\":\"Blocked IP address: 10.0.0.7 "
			     "(resolved from h.example)\"}");
	play_lost(&p);
}

static void
test_authentication(void **state)
{
	static const struct {
		uint32_t reason;
		const char *text;
	} cases[] = {
		{REASON_TOKEN_MISSING, "No valid authentication provided"},
		{REASON_TOKEN_WRONG, "Invalid JWT token"},
		{REASON_TOKEN_EXPIRED, "Invalid JWT token"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct play p;

		play_begin(&p, true);
		play_upgrade(&p, "/netproxy", "", NULL);
		play_refused(&p, 0, cases[i].reason);
		play_expect_close(&p, 4001, cases[i].text);
		play_frame(&p, 0x88, "\x0f\xa1", 2);
		play_expect_eof(&p);
		play_end(&p, WORKER_REFUSED);
	}
}

static void
test_cut(void **state)
{
	struct ipc_cut cut = {{MSG_CUT}, 3, REASON_BYTES_LIMIT};
	struct play p;
	int peer;

	(void)state;
	play_netproxy(&p, 5);
	play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":80}");
	peer = play_opened(&p, play_take_open(&p, "h.example", 80), 3);
	play_expect_text(&p, "{\"t\":\"opened\",\"id\":1}");
	play_post(&p, &cut, sizeof(cut), 0);
	shutdown(peer, SHUT_RDWR);
	play_expect_text(&p, "{\"t\":\"error\",\"id\":1,\"msg\":\"Bandwidth limit exceeded\"}");
	close(peer);
	play_lost(&p);
}

/* Both ways at once, random bytes, compared. */
static void
test_bytes(void **state)
{
	const size_t total = 700000; /* base64 of it fits one message of 1 MiB */
	uint8_t *bytes = test_malloc(total);
	uint8_t *got = test_malloc(total);
	struct play p;
	pid_t pid;
	int peer;

	(void)state;
	play_random(bytes, total, 5);
	play_netproxy(&p, 5);
	play_text(&p, "{\"t\":\"open\",\"id\":1,\"host\":\"h.example\",\"port\":80}");
	peer = play_opened(&p, play_take_open(&p, "h.example", 80), 3);
	play_expect_text(&p, "{\"t\":\"opened\",\"id\":1}");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		play_write(peer, bytes, total);
		_exit(0);
	}
	for (size_t done = 0; done < total;) {
		static const char head[] = "{\"t\":\"data\",\"id\":1,\"b64\":\"";
		const struct play_frame *frame = play_next(&p);
		size_t n = frame->n - (sizeof(head) - 1) - 2;

		assert_memory_equal(frame->bytes, head, sizeof(head) - 1);
		assert_true(base64_decode((const char *)frame->bytes + sizeof(head) - 1, n,
					  got + done, total - done, &n));
		assert_true(n <= 16384);
		done += n;
	}
	assert_memory_equal(got, bytes, total);
	close(peer);
	play_expect_text(&p, "{\"t\":\"closed\",\"id\":1}");
	play_lost(&p);
	test_free(bytes);
	test_free(got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_a_connection),
		cmocka_unit_test(test_open_behind_closed),
		cmocka_unit_test(test_peer_ends),
		cmocka_unit_test(test_refusal_texts),
		cmocka_unit_test(test_malformed_names),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_explained_address),
		cmocka_unit_test(test_authentication),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests_name("session_netproxy", tests, NULL, NULL);
}
