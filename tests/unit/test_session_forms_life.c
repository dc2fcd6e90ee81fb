/* SPDX-License-Identifier: ISC */
/* The other forms of one stream a session: raw's queries, and wsproxy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/play.h"

#define DATAGRAM_MOST 65507U

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

static int
begin_tcp(struct play *p, const char *target, enum dialect dialect)
{
	const struct ipc_open ask = begin(p, target, dialect);

	assert_string_equal(ask.host, "db.example");
	assert_int_equal(ask.addr.port, 5432);
	assert_int_equal(ask.protocol, PROTOCOL_TCP);
	return play_opened(p, ask.tag, 77);
}

static void
expect_bytes(int fd, const char *bytes)
{
	char got[64] = "";

	assert_int_equal(play_read(fd, got, strlen(bytes)), strlen(bytes));
	assert_string_equal(got, bytes);
}

static void
expect_message(struct play *p, const char *bytes)
{
	const struct play_frame *frame = play_next(p);

	assert_int_equal(frame->op, 2);
	assert_string_equal((const char *)frame->bytes, bytes);
	assert_int_equal(frame->n, strlen(bytes));
}

/* --- bytes ---------------------------------------------------------------------------------- */

static void
test_wsproxy_life(void **state)
{
	int peer;
	struct play p;

	(void)state;
	peer = begin_tcp(&p, "/wsproxy/db.example:5432", DIALECT_WISP);
	play_frame(&p, 0x82, "hello", 5);
	expect_bytes(peer, "hello");
	/* an empty message ends nothing */
	play_frame(&p, 0x82, "", 0);
	play_frame(&p, 0x02, " wor", 4);
	play_frame(&p, 0x80, "ld", 2);
	expect_bytes(peer, " world");
	play_write(peer, "bye", 3);
	close(peer);
	expect_message(&p, "bye");
	play_expect_close(&p, 1000, "");
	play_frame(&p, 0x88, "\x03\xe8", 2);
	play_expect_end(&p, 11, 3);
	play_end(&p, WORKER_DONE);
}

static void
test_wsproxy_violation(void **state)
{
	struct play p;
	int peer;

	(void)state;
	peer = begin_tcp(&p, "/wsproxy/db.example:5432", DIALECT_WISP);
	play_text(&p, "hello");
	play_expect_close(&p, 1003, "wsproxy takes binary messages only");
	play_end(&p, WORKER_DIALECT_VIOLATION);
	close(peer);
}

static void
test_wsproxy_refused(void **state)
{
	struct play p;
	struct ipc_open ask;

	(void)state;
	ask = begin(&p, "/wsproxy/db.example:5432", DIALECT_WISP);
	play_refused(&p, ask.tag, REASON_NO_RULE);
	play_expect_close(&p, 4003, "no-rule: ");
	play_frame(&p, 0x88, "\x0f\xa3", 2);
	play_end(&p, WORKER_DONE);
}

/* By address it is raw in all else, half-closes too. */
static void
test_raw_by_address(void **state)
{
	struct play p;
	int peer;

	(void)state;
	peer = begin_tcp(&p, "/raw?address=db.example:5432&eof=message", DIALECT_RAW);
	play_frame(&p, 0x82, "question", 8);
	play_frame(&p, 0x82, "", 0);
	expect_bytes(peer, "question");
	play_write(peer, "answer", 6);
	close(peer);
	expect_message(&p, "answer");
	expect_message(&p, "");
	play_expect_close(&p, 1000, "");
	play_frame(&p, 0x88, "\x03\xe8", 2);
	play_expect_end(&p, 8, 6);
	play_end(&p, WORKER_DONE);
}

/* --- commands -------------------------------------------------------------------------------- */

#define COMMANDS "/raw/?host=db.example&port=5432"

static void
test_commands(void **state)
{
	struct play p;
	int peer;

	(void)state;
	peer = begin_tcp(&p, COMMANDS, DIALECT_RAW);
	play_frame(&p, 0x82, "\1hello", 6);
	expect_bytes(peer, "hello");
	/* options of the socket; and data of no bytes, which ends nothing */
	play_frame(&p, 0x82, "\2\6\1\1", 4);
	play_frame(&p, 0x82, "\2", 1);
	play_frame(&p, 0x82, "\1", 1);
	/* a command is the message's, not the frame's */
	play_frame(&p, 0x02, "", 0);
	play_frame(&p, 0x00, "\1", 1);
	play_frame(&p, 0x00, "\2wor", 4);
	play_frame(&p, 0x80, "ld", 2);
	expect_bytes(peer, "\2world");
	/* none comes back */
	play_write(peer, "bye", 3);
	close(peer);
	expect_message(&p, "bye");
	play_expect_close(&p, 1000, "");
	play_frame(&p, 0x88, "\x03\xe8", 2);
	play_expect_end(&p, 11, 3);
	play_end(&p, WORKER_DONE);
}

static void
test_command_violations(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *text;
	} cases[] = {
		{"", 0, "a message without a command"},
		{"\0", 1, "a command that there is not"},
		{"\3x", 2, "a command that there is not"},
		{"GET /", 5, "a command that there is not"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct play p;
		int peer = begin_tcp(&p, COMMANDS, DIALECT_RAW);
		char byte;

		play_frame(&p, 0x82, cases[i].bytes, cases[i].n);
		play_expect_close(&p, 1002, cases[i].text);
		assert_int_equal(play_read(peer, &byte, 1), 0);
		play_end(&p, WORKER_DIALECT_VIOLATION);
		close(peer);
	}
}

/* An empty message and 3000, whatever fails; the text has the reason. */
static void
test_command_failures(void **state)
{
	struct ipc_open ask;
	struct play p;
	int peer;

	(void)state;
	ask = begin(&p, COMMANDS, DIALECT_RAW);
	play_refused(&p, ask.tag, REASON_NAME_UNKNOWN);
	expect_message(&p, "");
	play_expect_close(&p, 3000, "name-unknown: ");
	play_end(&p, WORKER_DONE);
	play_begin(&p, true);
	play_upgrade(&p, "/raw?host=h&port=0", "", NULL);
	play_grant(&p, 8, 1U << 20);
	expect_message(&p, "");
	play_expect_close(&p, 3000, "name-invalid: ");
	play_end(&p, WORKER_DONE);
	/* what is not the destination's keeps its own code */
	peer = begin_tcp(&p, COMMANDS, DIALECT_RAW);
	play_post(&p, &(struct ipc_cut){{MSG_CUT}, 77, REASON_BYTES_LIMIT}, sizeof(struct ipc_cut),
		  0);
	close(peer);
	play_expect_close(&p, 4009, "bytes-limit: ");
	play_end(&p, WORKER_DONE);
}

/* --- datagrams ----------------------------------------------------------------------------------
 */

#define PORT               \
	"\xff\xff\xff\xff" \
	"port"

static int
begin_udp(struct play *p)
{
	const struct ipc_open ask =
		begin(p, "/raw/game.example/27960?emscripten=udp&eof=message", DIALECT_RAW);

	assert_int_equal(ask.protocol, PROTOCOL_UDP);
	return play_opened_udp(p, ask.tag, 77);
}

static void
expect_datagram(int fd, const void *bytes, size_t n)
{
	static uint8_t got[DATAGRAM_MOST + 1];

	assert_int_equal(recv(fd, got, sizeof(got), 0), n);
	assert_memory_equal(got, bytes, n);
}

static void
test_datagrams(void **state)
{
	static uint8_t bytes[DATAGRAM_MOST + 1];
	struct play p;
	int peer;

	(void)state;
	play_random(bytes, sizeof(bytes), 7);
	peer = begin_udp(&p);
	/* the port of a bound socket is for its like, and no datagram */
	play_frame(&p, 0x82, "", 0);
	play_frame(&p, 0x82, PORT "\x6d\x38", 10);
	play_frame(&p, 0x02, "one", 3);
	play_frame(&p, 0x80, " datagram", 9);
	expect_datagram(peer, "one datagram", 12);
	/* a second one is a datagram like any other */
	play_frame(&p, 0x82, PORT "\x6d\x38", 10);
	expect_datagram(peer, PORT "\x6d\x38", 10);
	/* one that is too long is lost */
	play_frame(&p, 0x82, bytes, DATAGRAM_MOST + 1);
	play_frame(&p, 0x82, "", 0);
	play_frame(&p, 0x82, bytes, DATAGRAM_MOST);
	expect_datagram(peer, bytes, DATAGRAM_MOST);
	assert_int_equal(send(peer, "back", 4, 0), 4);
	expect_message(&p, "back");
	play_lost(&p);
	close(peer);
}

/* Only that first message is meant: not a later one, and not one that begins like it. */
static void
test_first_datagrams(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {
		{PORT "x", 9},
		{PORT "xyz", 11},
		{"\xff\xff\xff\xffPORTxy", 10},
		{"\xff\xff\xff\xffgetstatus", 13},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct play p;
		int peer = begin_udp(&p);

		play_frame(&p, 0x82, cases[i].bytes, cases[i].n);
		expect_datagram(peer, cases[i].bytes, cases[i].n);
		play_frame(&p, 0x82, PORT "\x6d\x38", 10);
		expect_datagram(peer, PORT "\x6d\x38", 10);
		play_lost(&p);
		close(peer);
	}
}

/* What begins like it is data in every form of bytes. */
static void
test_bytes_are_not_looked_at(void **state)
{
	struct play p;
	char got[10];
	int peer;

	(void)state;
	peer = begin_tcp(&p, "/raw/db.example/5432?emscripten=tcp", DIALECT_RAW);
	play_frame(&p, 0x82, PORT "\x6d\x38", 10);
	assert_int_equal(play_read(peer, got, 10), 10);
	assert_memory_equal(got, PORT "\x6d\x38", 10);
	play_lost(&p);
	close(peer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wsproxy_life),
		cmocka_unit_test(test_wsproxy_violation),
		cmocka_unit_test(test_wsproxy_refused),
		cmocka_unit_test(test_raw_by_address),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_command_violations),
		cmocka_unit_test(test_command_failures),
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_first_datagrams),
		cmocka_unit_test(test_bytes_are_not_looked_at),
	};

	return cmocka_run_group_tests_name("session_forms_life", tests, NULL, NULL);
}
