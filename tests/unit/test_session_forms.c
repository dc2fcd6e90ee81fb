/* SPDX-License-Identifier: ISC */
/* Where the destination stands, in each form of one stream a session. */
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

/* A granted session there. Returns the OPEN that follows. */
static struct ipc_open
begin(struct play *p, const char *target, enum dialect dialect)
{
	struct ipc_buffer buffer;
	struct ipc_auth auth;

	play_begin(p, true);
	play_upgrade(p, target, "", &auth);
	assert_int_equal(auth.dialect, dialect);
	play_grant(p, 8, 1U << 20);
	play_take(p, MSG_OPEN, &buffer);
	return buffer.any.OPEN_body;
}

static void
test_destinations(void **state)
{
	static const struct {
		const char *target;
		const char *host; /* of the OPEN; "" where it is a number */
		unsigned int port;
		uint8_t ip[16];
		unsigned int family;
	} cases[] = {
		{"/wsproxy/h.example:80", "h.example", 80, {0}, 0},
		{"/wsproxy/H.Example.%3a80", "h.example", 80, {0}, 0},
		{"/wsproxy/192.0.2.1:65535", "", 65535, {192, 0, 2, 1}, 4},
		{"/wsproxy/[::1]:1", "", 1, {[15] = 1}, 6},
		{"/wsproxy/::1:25", "", 25, {[15] = 1}, 6},
		{"/wsproxy/?token=t&/h.example:80", "h.example", 80, {0}, 0},
		{"/wsproxy/?/h.example:80", "h.example", 80, {0}, 0},
		{"/wsproxy?token=t&/h.example:80", "h.example", 80, {0}, 0},
		{"/wsproxy/h.example:80?/other.example:81", "h.example", 80, {0}, 0},
		{"/raw?address=h.example:80", "h.example", 80, {0}, 0},
		{"/raw/?token=t&address=h.example%3A80&connection=1", "h.example", 80, {0}, 0},
		{"/raw?address=h.example:80&host=other.example&port=81", "h.example", 80, {0}, 0},
		{"/raw?address=[::1]:25", "", 25, {[15] = 1}, 6},
		{"/raw/h.example/80?address=other.example:81", "h.example", 80, {0}, 0},
		{"/raw/h.example/80?host=other.example&port=81", "h.example", 80, {0}, 0},
		{"/raw?host=h.example&port=80", "h.example", 80, {0}, 0},
		{"/raw/?port=80&host=%3A%3A1", "", 80, {[15] = 1}, 6},
		{"/raw/h.example/80?emscripten=udp", "h.example", 80, {0}, 0},
		{"/raw/h.example/80?emscripten=tcp", "h.example", 80, {0}, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool udp = strstr(cases[i].target, "emscripten=udp");
		bool wsproxy = strstr(cases[i].target, "wsproxy");
		struct play p;
		struct ipc_open ask =
			begin(&p, cases[i].target, wsproxy ? DIALECT_WISP : DIALECT_RAW);

		assert_string_equal(ask.host, cases[i].host);
		assert_int_equal(ask.addr.port, cases[i].port);
		assert_int_equal(ask.addr.family, cases[i].family);
		assert_memory_equal(ask.addr.ip, cases[i].ip, 16);
		assert_int_equal(ask.protocol, udp ? PROTOCOL_UDP : PROTOCOL_TCP);
		play_lost(&p);
	}
}

/* The port is the worker's to refuse, whatever the host. */
static void
test_ports(void **state)
{
	static const char *const targets[] = {
		"/wsproxy/h.example:",        "/wsproxy/h.example:0",
		"/wsproxy/h.example:65536",   "/wsproxy/h.example:08",
		"/wsproxy/h.example:80:",     "/raw?address=h.example:http",
		"/raw?address=h.example:+80", "/raw/?/&address=h.example:-1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct play p;

		play_begin(&p, true);
		play_upgrade(&p, targets[i], "", NULL);
		play_grant(&p, 8, 1U << 20);
		play_expect_close(&p, 4003, "name-invalid: ");
		play_frame(&p, 0x88, "\x0f\xa3", 2);
		play_expect_eof(&p);
		play_expect_counts(&p, 4003, 0);
		play_end(&p, WORKER_DONE);
	}
}

static void
test_no_destination(void **state)
{
	static const char *const targets[] = {
		"/raw?address=h",
		"/raw?address=:80",
		"/raw?address=h:80&address=h:80",
		"/raw?address=%zz:80",
		"/raw?address=",
		"/raw?address=h:80&x=%zz",
		"/raw?address=&host=h&port=80",
		"/raw?host=h",
		"/raw?port=80",
		"/raw?host=&port=80",
		"/raw?host=h&port=80&port=80",
		"/raw//?address=h:80",
		"/raw/x?address=h:80",
		"/wsproxy",
		"/wsproxy/",
		"/wsproxy/h",
		"/wsproxy/:80",
		"/wsproxy/h:80/",
		"/wsproxy/h/80",
		"/wsproxy/?h:80",
		"/wsproxy/?token=t/h:80",
		"/wsproxy/?/h:80&token=t",
		"/wsproxy/?/",
		"/wsproxy/?/h",
		"/wsproxy/?/%zz:80",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		char text[256];
		struct play p;
		int n = snprintf(text, sizeof(text),
				 "GET %s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
				 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
				 targets[i]);

		play_begin(&p, true);
		play_send(&p, text, (size_t)n);
		assert_int_equal(play_read(p.client, text, 13), 13);
		assert_memory_equal(text, "HTTP/1.1 404 ", 13);
		play_end(&p, WORKER_HTTP_REFUSED);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_no_destination),
	};

	return cmocka_run_group_tests_name("session_forms", tests, NULL, NULL);
}
