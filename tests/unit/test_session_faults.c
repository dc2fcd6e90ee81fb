/* SPDX-License-Identifier: ISC */
/* A session whose client or broker does what it should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/play.h"

#define MIB (1U << 20)

/* What the client gets until the end, as text. */
static const char *
rest(struct play *p)
{
	static char text[65536];
	size_t n = play_read(p->client, text, sizeof(text) - 1);

	text[n] = '\0';
	close(p->client);
	p->client = -1;
	return text;
}

static const struct {
	const char *request;
	unsigned int status;
} http_refusals[] = {
	{"POST /netproxy HTTP/1.1\r\nHost: h\r\n\r\n", 405},
	{"GET /netproxy HTTP/1.0\r\nHost: h\r\n\r\n", 400},
	{"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /netproxy HTTP/1.1\r\nHost: h\r\n\r\n", 426},
	{"GET /raw/%zz/1 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /health/ HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /Health HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET //health HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /./health HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /%68ealth HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /raw HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /raw/ HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /raw/h HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /raw/h/ HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /raw//80 HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /raw/h/80/ HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /raw/h/80/x HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /RAW/h/80 HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /raw/h/80 HTTP/1.1\r\nHost: h\r\n\r\n", 426},
	{"GET /netproxy/ HTTP/1.1\r\nHost: h\r\n\r\n", 426},
	{"GET /netproxy// HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /netproxy/x HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"OPTIONS /netproxy/x HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /udp-relay HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /udp-relay/ HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /udp-relay/h/53 HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	{"GET /udp-relay/h HTTP/1.1\r\nHost: h\r\n\r\n", 426},
	{"OPTIONS /raw/h/1 HTTP/1.1\r\nHost: h\r\n\r\n", 405},
	{"OPTIONS /health HTTP/1.1\r\nHost: h\r\n\r\n", 405},
	{"GET /netproxy HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
	 "Connection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
	 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	 426},
	{"GET /netproxy HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
	 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	 "Sec-WebSocket-Key: short\r\n\r\n",
	 400},
	{"GET /health HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
	 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	 400},
};

static void
test_http_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(http_refusals) / sizeof(http_refusals[0]); i++) {
		struct ipc_buffer buffer;
		struct play p;
		char wanted[32];
		const char *answer;

		play_begin(&p, true);
		play_send(&p, http_refusals[i].request, strlen(http_refusals[i].request));
		/* a second request behind a refused one is never answered */
		play_send(&p, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n", 33);
		snprintf(wanted, sizeof(wanted), "HTTP/1.1 %u ", http_refusals[i].status);
		answer = rest(&p);
		assert_memory_equal(answer, wanted, strlen(wanted));
		assert_null(strstr(answer + 1, "HTTP/1.1 200"));
		play_take(&p, MSG_COUNTS, &buffer);
		assert_int_equal(buffer.any.COUNTS_body.claimed_http, http_refusals[i].status);
		play_end(&p, WORKER_HTTP_REFUSED);
	}
}

static void
test_plain_answers(void **state)
{
	struct play p;

	(void)state;
	play_begin(&p, true);
	play_send(&p, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n", 33);
	assert_memory_equal(rest(&p), "HTTP/1.1 200 ", 13);
	play_end(&p, WORKER_NOT_UPGRADED);
	play_begin(&p, true);
	play_send(&p, "OPTIONS /netproxy HTTP/1.1\r\nHost: h\r\n\r\n", 39);
	assert_memory_equal(rest(&p), "HTTP/1.1 204 ", 13);
	play_end(&p, WORKER_NOT_UPGRADED);
}

static void
test_head_byte_by_byte(void **state)
{
	static const char request[] = "GET /netproxy HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
				      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	struct ipc_buffer buffer;
	struct play p;

	(void)state;
	play_begin(&p, true);
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		play_send(&p, request + i, 1);
		usleep(100);
	}
	play_take(&p, MSG_AUTH, &buffer);
	play_end(&p, WORKER_CLIENT_LOST);
}

/* What comes with the head, and before GRANTED, is kept and judged after it. */
static void
test_early_messages(void **state)
{
	static const char request[] = "GET /netproxy HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
				      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
				      "\x81\x82\0\0\0\0{}";
	struct ipc_buffer buffer;
	struct play p;
	char head[1024];
	size_t n = 0;

	(void)state;
	play_begin(&p, true);
	play_send(&p, request, sizeof(request) - 1);
	play_take(&p, MSG_AUTH, &buffer);
	play_frame(&p, 0x81, "[]", 2);
	play_quiet(&p);
	do {
		assert_true(n < sizeof(head));
		assert_int_equal(play_read(p.client, head + n, 1), 1);
		n++;
	} while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0);
	play_grant(&p, 1, MIB);
	play_expect_text(&p, "{\"t\":\"error\",\"msg\":\"Unknown message type\"}");
	assert_non_null(strstr((const char *)play_next(&p)->bytes, "Invalid message: "));
	close(p.client);
	p.client = -1;
	play_end(&p, WORKER_CLIENT_LOST);
}

static void
test_client_gone_before_head(void **state)
{
	struct play p;

	(void)state;
	play_begin(&p, true);
	play_send(&p, "GET /", 5);
	play_end(&p, WORKER_CLIENT_LOST);
}

static void
test_no_client(void **state)
{
	struct play p;

	(void)state;
	play_begin(&p, false);
	close(p.broker);
	p.broker = -1;
	play_end(&p, WORKER_BROKER_LOST);
}

/* Case 80, before and after the upgrade: the session ends, whatever was attached. */
static void
test_nonsense_of_the_broker(void **state)
{
	static const struct ipc_client client = {.head = {MSG_CLIENT}};
	static const struct ipc_granted granted = {.head = {MSG_GRANTED},
						   .terms = {.channels = 1, .message_bytes = MIB}};
	static const struct ipc_opened opened = {.head = {MSG_OPENED}, .tag = 1, .stream = 1};
	static const struct ipc_refused refused = {.head = {MSG_REFUSED}, .tag = 1};
	static const struct ipc_drain drain = {{MSG_DRAIN}, 0, 0, 0};
	static const char text[] = "nonsense";
	static const struct {
		const void *message;
		size_t n;
		int fds;
		bool after_grant;
	} cases[] = {
		{&client, sizeof(client), 0, false},
		{&client, sizeof(client), 2, false},
		{&client, sizeof(client), 253, false},
		{&client, sizeof(client) - 1, 1, false},
		{&granted, sizeof(granted), 0, false}, /* before AUTH */
		{&granted, sizeof(granted), 1, false},
		{&opened, sizeof(opened), 1, false},
		{text, sizeof(text), 0, false},
		{text, 2, 1, false},
		{&granted, sizeof(granted), 0, true}, /* twice */
		{&client, sizeof(client), 1, true},
		{&opened, sizeof(opened), 1, true}, /* not asked for */
		{&opened, sizeof(opened), 0, true},
		{&opened, sizeof(opened), 2, true},
		{&opened, sizeof(opened), 253, true},
		{&opened, sizeof(opened) - 4, 1, true},
		{&refused, sizeof(refused), 0, true}, /* not asked for */
		{&refused, sizeof(refused), 1, true},
		{&drain, sizeof(drain), 1, true},
		{text, sizeof(text), 253, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct play p;

		play_begin(&p, cases[i].after_grant);
		if (cases[i].after_grant) {
			play_upgrade(&p, "/netproxy", "", NULL);
			play_grant(&p, 1, MIB);
		}
		p.given = p.given >= 0 ? p.given : dup(p.client);
		play_post(&p, cases[i].message, cases[i].n, cases[i].fds);
		close(p.given);
		p.given = -1;
		if (cases[i].after_grant)
			play_expect_close(&p, 1011, "broker-lost");
		play_end(&p, WORKER_BROKER_LOST);
	}
}

static void
test_second_client(void **state)
{
	const struct ipc_client client = {.head = {MSG_CLIENT}};
	struct play p;

	(void)state;
	play_begin(&p, true);
	p.given = dup(p.client);
	play_post(&p, &client, sizeof(client), 1);
	play_end(&p, WORKER_BROKER_LOST);
}

static void
test_refused_before_the_head(void **state)
{
	static const char request[] = "GET /netproxy HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
				      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	struct play p;
	char byte;

	(void)state;
	play_begin(&p, true);
	play_refused(&p, 0, REASON_SESSIONS_LIMIT);
	usleep(20000);
	play_send(&p, request, sizeof(request) - 1);
	do {
		assert_int_equal(play_read(p.client, &byte, 1), 1);
	} while (byte != '\n');
	while (byte != '\x88')
		assert_int_equal(play_read(p.client, &byte, 1), 1);
	assert_int_equal(play_read(p.client, &byte, 1), 1);
	assert_memory_equal(rest(&p), "\x0f\xa9sessions-limit: ", 18);
	play_end(&p, WORKER_REFUSED);
}

static void
test_drain_before_the_head(void **state)
{
	const struct ipc_drain drain = {{MSG_DRAIN}, REASON_DRAINING, 1000, 0};
	struct play p;

	(void)state;
	play_begin(&p, true);
	play_post(&p, &drain, sizeof(drain), 0);
	play_expect_eof(&p);
	play_end(&p, WORKER_DRAINED);
}

/* A client that does not answer is not waited for beyond the deadline. */
static void
test_drain_is_bounded(void **state)
{
	const struct ipc_drain drain = {{MSG_DRAIN}, REASON_KILLED, 300, 0};
	struct timespec from;
	struct timespec to;
	struct play p;

	(void)state;
	play_begin(&p, true);
	play_upgrade(&p, "/netproxy", "", NULL);
	play_grant(&p, 1, MIB);
	clock_gettime(CLOCK_MONOTONIC, &from);
	play_post(&p, &drain, sizeof(drain), 0);
	play_expect_close(&p, 1001, "killed: ");
	play_expect_eof(&p);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 <
		    1500);
	play_end(&p, WORKER_DRAINED);
}

/* A broker that reads nothing: requests wait in their slots, and none is lost. */
static void
test_blocked_channel(void **state)
{
	struct ipc_buffer buffer;
	struct play p;
	char text[128];

	(void)state;
	play_begin(&p, true);
	play_upgrade(&p, "/netproxy", "", NULL);
	play_grant(&p, 900, MIB);
	for (int i = 0; i < 900; i++) {
		snprintf(text, sizeof(text),
			 "{\"t\":\"open\",\"id\":%d,\"host\":\"h%d.example\",\"port\":80}", i, i);
		play_text(&p, text);
	}
	usleep(100000);
	for (int i = 0; i < 900; i++) {
		play_take(&p, MSG_OPEN, &buffer);
		snprintf(text, sizeof(text), "h%d.example", i);
		assert_string_equal(buffer.any.OPEN_body.host, text);
		play_refused(&p, buffer.any.OPEN_body.tag, REASON_TIMEOUT);
	}
	for (int i = 0; i < 900; i++) {
		snprintf(text, sizeof(text),
			 "{\"t\":\"error\",\"id\":%d,\"msg\":\"Connection timeout\"}", i);
		play_expect_text(&p, text);
	}
	close(p.client);
	p.client = -1;
	play_end(&p, WORKER_CLIENT_LOST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_refusals),
		cmocka_unit_test(test_plain_answers),
		cmocka_unit_test(test_head_byte_by_byte),
		cmocka_unit_test(test_early_messages),
		cmocka_unit_test(test_client_gone_before_head),
		cmocka_unit_test(test_no_client),
		cmocka_unit_test(test_nonsense_of_the_broker),
		cmocka_unit_test(test_second_client),
		cmocka_unit_test(test_refused_before_the_head),
		cmocka_unit_test(test_drain_before_the_head),
		cmocka_unit_test(test_drain_is_bounded),
		cmocka_unit_test(test_blocked_channel),
	};

	return cmocka_run_group_tests_name("session_faults", tests, NULL, NULL);
}
