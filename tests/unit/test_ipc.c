/* SPDX-License-Identifier: ISC */
/*
 * The message table's whole product, and the one function that receives
 * descriptors. The expectation is written out a second time below, by hand: a
 * row that changes by mistake does not change here.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/channel.h"
#include "ipc/words.h"

#define N IPC_NEW
#define A IPC_ASKED
#define O IPC_OPEN
#define D IPC_DRAIN

static const struct expected {
	uint32_t type;
	enum ipc_channel channel;
	enum ipc_way way;
	int fds;
	unsigned int states;
	size_t length;
} expected[] = {
	{MSG_SPAWN, IPC_SPAWN, IPC_ASK, 1, O, 4},
	{MSG_SPAWNED, IPC_SPAWN, IPC_TELL, 1, O, 8},
	{MSG_SESSION_OPEN, IPC_LISTENER, IPC_ASK, 1, O | D, 48},
	{MSG_SESSION_END, IPC_LISTENER, IPC_ASK, 0, O | D, 40},
	{MSG_STOP, IPC_LISTENER, IPC_ASK, 0, O | D, 24},
	{MSG_HELLO_OK, IPC_LISTENER, IPC_TELL, 0, N | A | O | D, 328},
	{MSG_SESSION_GRANTED, IPC_LISTENER, IPC_TELL, 0, O | D, 208},
	{MSG_SESSION_KILL, IPC_LISTENER, IPC_TELL, 0, O | D, 208},
	{MSG_CLIENT, IPC_SESSION, IPC_TELL, 1, N, 8},
	{MSG_AUTH, IPC_SESSION, IPC_ASK, 0, N, 4640},
	{MSG_OPEN, IPC_SESSION, IPC_ASK, 0, O | D, 292},
	{MSG_END, IPC_SESSION, IPC_ASK, 0, O | D, 48},
	{MSG_COUNTS, IPC_SESSION, IPC_ASK, 0, N | A | O | D, 64},
	{MSG_GRANTED, IPC_SESSION, IPC_TELL, 0, A, 64},
	{MSG_OPENED, IPC_SESSION, IPC_TELL, 1, O | D, 52},
	{MSG_LISTENING, IPC_SESSION, IPC_TELL, 0, O | D, 52},
	{MSG_RESOLVED, IPC_SESSION, IPC_TELL, 0, O | D, 176},
	{MSG_REFUSED, IPC_SESSION, IPC_TELL, 0, N | A | O | D, 32},
	{MSG_CUT, IPC_SESSION, IPC_TELL, 0, O | D, 12},
	{MSG_DRAIN, IPC_SESSION, IPC_TELL, 0, N | A | O | D, 16},
	{MSG_LOOKUP, IPC_RESOLVER, IPC_ASK, 0, O, 336},
	{MSG_ADDRESSES, IPC_RESOLVER, IPC_TELL, 0, O, 192},
	{MSG_VERIFY, IPC_AUTHENTICATOR, IPC_ASK, 0, O, 4656},
	{MSG_VERDICT, IPC_AUTHENTICATOR, IPC_TELL, 0, O, 224},
	{MSG_AUDIT_HELLO, IPC_AUDITOR, IPC_ASK, 0, N, 16},
	{MSG_RECORD, IPC_AUDITOR, IPC_ASK, 0, O, sizeof(struct ipc_record)},
	{MSG_AUDIT_READY, IPC_AUDITOR, IPC_TELL, 0, N, 16},
	{MSG_STORED, IPC_AUDITOR, IPC_TELL, 0, O, 16},
	{MSG_CTL_STATUS, IPC_CONTROL, IPC_ASK, 0, O, 4},
	{MSG_CTL_LIST, IPC_CONTROL, IPC_ASK, 0, O, 8},
	{MSG_CTL_KILL, IPC_CONTROL, IPC_ASK, 0, O, 16},
	{MSG_CTL_DRAIN, IPC_CONTROL, IPC_ASK, 0, O, 16},
	{MSG_CTL_STATUS_IS, IPC_CONTROL, IPC_TELL, 0, O, 256},
	{MSG_CTL_SESSION, IPC_CONTROL, IPC_TELL, 0, O, 240},
	{MSG_CTL_DONE, IPC_CONTROL, IPC_TELL, 0, O, 16},
	{MSG_METRICS, IPC_METRICS, IPC_ASK, 0, O, 4},
	{MSG_METRICS_ARE, IPC_METRICS, IPC_TELL, 0, O, 2240},
};

#define EXPECTED (sizeof(expected) / sizeof(expected[0]))

static const enum ipc_state states[] = {IPC_NEW, IPC_ASKED, IPC_OPEN, IPC_DRAIN, IPC_DEAD};

static bool
should_be(uint32_t type, enum ipc_channel channel, enum ipc_way way, enum ipc_state state,
	  size_t length, int fds)
{
	for (size_t i = 0; i < EXPECTED; i++) {
		const struct expected *e = &expected[i];

		if (e->type == type)
			return e->channel == channel && e->way == way && e->length == length &&
			       e->fds == fds && (e->states & state);
	}
	return false;
}

/* message x channel x way x state x length - 1, exact, + 1, 0 x descriptors 0, 1, 2 */
static void
test_whole_product(void **context)
{
	unsigned long legal = 0, tried = 0;

	(void)context;
	for (uint32_t type = 0; type <= IPC_TYPE_COUNT; type++) {
		const struct ipc_row *row = ipc_row(type);
		size_t exact = row ? row->length : 4;
		size_t lengths[] = {0, 3, exact - 1, exact, exact + 1, sizeof(struct ipc_buffer)};

		for (int channel = 0; channel <= IPC_METRICS + 1; channel++)
			for (int way = 0; way <= 3; way++)
				for (size_t s = 0; s < 5; s++)
					for (size_t l = 0; l < 6; l++)
						for (int fds = 0; fds < 3; fds++) {
							union ipc_any any = {.head.type = type};
							struct ipc_got got = {lengths[l], fds, -1};
							bool is =
								ipc_legal((enum ipc_channel)channel,
									  (enum ipc_way)way,
									  states[s], &any, &got);

							tried++;
							legal += is;
							assert_int_equal(
								is,
								should_be(type,
									  (enum ipc_channel)channel,
									  (enum ipc_way)way,
									  states[s], lengths[l],
									  fds));
						}
	}
	assert_true(tried > 50000);
	assert_true(legal >= EXPECTED);
}

static void
test_every_type_is_expected(void **context)
{
	(void)context;
	assert_int_equal(EXPECTED, IPC_TYPE_COUNT - 1);
	for (size_t i = 0; i < EXPECTED; i++) {
		assert_non_null(ipc_row(expected[i].type));
		assert_int_equal(ipc_row(expected[i].type)->length, expected[i].length);
	}
	assert_null(ipc_row(IPC_TYPE_NONE));
	assert_null(ipc_row(IPC_TYPE_COUNT));
	assert_null(ipc_row(UINT32_MAX));
}

static int
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void
make_pair(int pair[2])
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static void
send_with(int fd, const void *bytes, size_t length, int n)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(253 * sizeof(int))];
	} control;
	struct iovec piece = {(void *)(uintptr_t)bytes, length};
	struct msghdr packet = {.msg_iov = &piece, .msg_iovlen = 1};
	int fds[253];

	memset(&control, 0, sizeof(control));
	if (n) {
		struct cmsghdr *c;

		for (int i = 0; i < n; i++)
			fds[i] = STDIN_FILENO;
		packet.msg_control = control.room;
		packet.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		c = CMSG_FIRSTHDR(&packet);
		if (!c)
			return;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)n * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &packet, 0), (ssize_t)length);
}

static void
test_take_installs_nothing(void **context)
{
	struct ipc_client message = {.head = {MSG_CLIENT}};
	struct ipc_buffer buffer;
	struct ipc_got got;
	int pair[2], before;

	(void)context;
	make_pair(pair);
	before = count_fds();
	for (int n = 0; n <= 253; n += n < 3 ? 1 : 50) {
		send_with(pair[0], &message, sizeof(message), n);
		assert_int_equal(ipc_take(pair[1], &buffer, &got, false), 0);
		assert_int_equal(got.length, sizeof(message));
		assert_int_equal(got.fds, n ? 2 : 0);
		assert_int_equal(got.fd, -1);
		assert_int_equal(count_fds(), before);
	}
	close(pair[0]);
	close(pair[1]);
}

static void
test_take_fd_keeps_one(void **context)
{
	struct ipc_client message = {.head = {MSG_CLIENT}};
	struct ipc_buffer buffer;
	struct ipc_got got;
	int pair[2], before;

	(void)context;
	make_pair(pair);
	before = count_fds();
	for (int n = 0; n <= 253; n += n < 3 ? 1 : 50) {
		send_with(pair[0], &message, sizeof(message), n);
		assert_int_equal(ipc_take(pair[1], &buffer, &got, true), 0);
		/* One is installed; what came with it only shows. */
		assert_int_equal(got.fds, n > 1 ? 3 : n);
		assert_int_equal(got.fd >= 0, n > 0);
		assert_int_equal(count_fds(), before + (n > 0));
		if (n) {
			assert_true(fcntl(got.fd, F_GETFD) & FD_CLOEXEC);
			close(got.fd);
		}
	}
	close(pair[0]);
	close(pair[1]);
}

static void
test_longer_than_any_shows(void **context)
{
	static char bytes[sizeof(struct ipc_buffer) + 4096];
	struct ipc_buffer buffer;
	struct ipc_got got;
	int pair[2];

	(void)context;
	make_pair(pair);
	send_with(pair[0], bytes, sizeof(bytes), 0);
	assert_int_equal(ipc_take(pair[1], &buffer, &got, false), 0);
	assert_true(got.length > sizeof(union ipc_any));
	for (uint32_t type = 1; type < IPC_TYPE_COUNT; type++)
		assert_true(ipc_row(type)->length < got.length);
	close(pair[0]);
	close(pair[1]);
}

static void
test_pass_and_post(void **context)
{
	struct ipc_spawned message = {{MSG_SPAWNED}, 7};
	struct ipc_buffer buffer;
	struct ipc_got got;
	int pair[2], tries = 0;

	(void)context;
	make_pair(pair);
	assert_int_equal(ipc_pass(pair[0], &message, sizeof(message), pair[0]), 0);
	assert_int_equal(ipc_take(pair[1], &buffer, &got, true), 0);
	assert_true(ipc_legal(IPC_SPAWN, IPC_TELL, IPC_OPEN, &buffer.any, &got));
	assert_int_equal(buffer.any.SPAWNED_body.pid, 7);
	close(got.fd);
	/* A peer that does not read: an error, nothing in part. */
	while (ipc_post(pair[0], &message, sizeof(message)) == 0)
		assert_true(tries++ < 100000);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(ipc_take(pair[1], &buffer, &got, false), 0);
	assert_int_equal(got.length, sizeof(message));
	close(pair[1]);
	assert_int_equal(ipc_post(pair[0], &message, sizeof(message)), -1);
	assert_true(errno == EPIPE || errno == ECONNRESET);
	close(pair[0]);
}

static void
test_end_of_channel(void **context)
{
	struct ipc_buffer buffer;
	struct ipc_got got;
	int pair[2];

	(void)context;
	make_pair(pair);
	assert_int_equal(ipc_take(pair[1], &buffer, &got, false), -1);
	assert_int_equal(errno, EAGAIN);
	close(pair[0]);
	assert_int_equal(ipc_take(pair[1], &buffer, &got, false), 0);
	assert_int_equal(got.length, 0);
	assert_false(ipc_legal(IPC_SPAWN, IPC_ASK, IPC_OPEN, &buffer.any, &got));
	close(pair[1]);
}

static void
test_text(void **context)
{
	char text[8];

	(void)context;
	memset(text, 'x', sizeof(text));
	assert_false(ipc_text_ok(text, sizeof(text)));
	assert_int_equal(ipc_text_set(text, sizeof(text), "12345678"), -1);
	assert_int_equal(text[0], 'x');
	assert_int_equal(ipc_text_set(text, sizeof(text), "1234567"), 0);
	assert_true(ipc_text_ok(text, sizeof(text)));
	assert_int_equal(ipc_text_set(text, sizeof(text), "ab"), 0);
	assert_true(ipc_text_ok(text, sizeof(text)));
	assert_memory_equal(text, "ab\0\0\0\0\0", 8);
	text[7] = 'z'; /* something hidden behind the end */
	assert_false(ipc_text_ok(text, sizeof(text)));
	assert_int_equal(ipc_text_set(text, sizeof(text), ""), 0);
	assert_true(ipc_text_ok(text, sizeof(text)));
}

static void
test_words(void **context)
{
	(void)context;
	for (unsigned int i = 0; i < REASON_COUNT; i++) {
		assert_string_not_equal(reason_word(i), "unknown");
		assert_string_not_equal(reason_sentence(i), "unknown");
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(reason_word(i), reason_word(j));
	}
	assert_string_equal(reason_word(REASON_COUNT), "unknown");
	assert_string_equal(event_word(EVENT_SESSION_END), "session-end");
	assert_string_equal(event_word(0), "unknown");
	assert_string_equal(event_word(EVENT_COUNT), "unknown");
	for (unsigned int i = 1; i < DIALECT_COUNT; i++)
		assert_int_equal(dialect_number(dialect_word(i)), i);
	assert_int_equal(dialect_number("nothing"), 0);
	assert_string_equal(worker_exit_word(-1), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_product),
		cmocka_unit_test(test_every_type_is_expected),
		cmocka_unit_test(test_take_installs_nothing),
		cmocka_unit_test(test_take_fd_keeps_one),
		cmocka_unit_test(test_longer_than_any_shows),
		cmocka_unit_test(test_pass_and_post),
		cmocka_unit_test(test_end_of_channel),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_words),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("ipc", tests, NULL, NULL);
}
