/* SPDX-License-Identifier: ISC */
/* What a far end of TLS may do, and what there must be before TLS. */
#include <errno.h>
#include <gnutls/crypto.h>
#include <linux/sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/play.h"
#include "tests/unit/tls_pair.h"

#define TURNS 100000

/* The first bytes of a ClientHello: 5 and 6 of header and version, then the random. */
static void
say_hello(struct trust *t, int fd)
{
	struct tls *near;
	uint32_t reason;

	near = tls_new(t, FAR_HOST, &pair_number, fd, &reason);
	_exit(near && tls_handshake(near) < 0 && errno == EAGAIN ? 0 : 1);
}

/* Forked as a template does it, which GnuTLS does not notice. */
static void
test_siblings_differ(void **state)
{
	enum {
		SIBLINGS = 8,
		HELLO = 11 + 32
	};
	struct clone_args args = {.exit_signal = SIGCHLD};
	uint8_t hello[SIBLINGS][HELLO];
	struct trust shared = {0};
	uint8_t warm[64];

	(void)state;
	far_trust(&shared);
	assert_int_equal(trust_read(&shared), 0);
	/* The state that they would share is there, and used. */
	assert_int_equal(gnutls_rnd(GNUTLS_RND_NONCE, warm, sizeof(warm)), 0);
	assert_int_equal(gnutls_rnd(GNUTLS_RND_RANDOM, warm, sizeof(warm)), 0);
	assert_int_equal(gnutls_rnd(GNUTLS_RND_KEY, warm, sizeof(warm)), 0);
	for (int i = 0; i < SIBLINGS; i++) {
		int fds[2];
		int how = 0;
		long pid;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
		pid = syscall(SYS_clone3, &args, sizeof(args));
		assert_true(pid >= 0);
		if (!pid)
			say_hello(&shared, fds[0]);
		assert_int_equal(waitpid((pid_t)pid, &how, 0), pid);
		assert_int_equal(how, 0);
		assert_int_equal(read(fds[1], hello[i], HELLO), HELLO);
		assert_int_equal(hello[i][0], 22);
		close(fds[0]);
		close(fds[1]);
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(hello[i] + 11, hello[j] + 11, 32);
	}
	trust_free(&shared);
}

static void
test_no_store(void **state)
{
	struct trust none = {0};
	uint32_t reason = 0;
	char path[32];
	int fd = memfd_create("none", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(trust_map(&none, "/nonexistent/store"), -1);
	assert_int_equal(trust_map(&none, "/dev/null"), -1);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(trust_map(&none, path), -1); /* empty */
	assert_false(trust_ready(&none));
	assert_int_equal(write(fd, "nothing that is PEM", 19), 19);
	assert_int_equal(trust_map(&none, path), 0);
	assert_int_equal(trust_read(&none), -1);
	assert_false(trust_ready(&none));
	assert_null(none.bytes);
	assert_null(tls_new(&none, FAR_HOST, &pair_number, fd, &reason));
	assert_int_equal(reason, REASON_TLS_NO_TRUST);
	reason = 0;
	assert_null(tls_new(NULL, FAR_HOST, &pair_number, fd, &reason));
	assert_int_equal(reason, REASON_TLS_NO_TRUST);
	trust_free(&none);
	close(fd);
}

/* One certificate that is broken is not left out in silence. */
static void
test_broken_store(void **state)
{
	static const char broken[] = "-----BEGIN CERTIFICATE-----\nMIIBhTCCASug\n"
				     "-----END CERTIFICATE-----\n";
	struct trust good = {0}, bad = {0};
	char path[32];
	int fd = memfd_create("broken", MFD_CLOEXEC);

	(void)state;
	far_trust(&good);
	assert_int_equal(write(fd, good.bytes, good.length), good.length);
	assert_int_equal(write(fd, broken, sizeof(broken) - 1), sizeof(broken) - 1);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(trust_map(&bad, path), 0);
	assert_int_equal(trust_read(&bad), -1);
	assert_false(trust_ready(&bad));
	assert_true(trust_ready(&good));
	trust_free(&good);
	trust_free(&bad);
	close(fd);
}

static void
test_ends_of_a_handshake(void **state)
{
	static const char *const words[] = {"",
					    "\x16",
					    "\x16\x03\x03\0\x7a",
					    "SSH-2.0-OpenSSH_9.2\r\n",
					    "HTTP/1.1 400 Bad Request\r\n\r\n",
					    "\x15\x03\x01\0\x02\x02\x28"};
	static const size_t lengths[] = {0, 1, 5, 21, 28, 7};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct pair p;

		pair_begin(&p, FAR_HOST, FAR_GOOD, NULL);
		assert_int_equal(tls_handshake(p.near), -1);
		assert_int_equal(errno, EAGAIN);
		assert_false(tls_writing(p.near));
		play_write(p.far.fd, words[i], lengths[i]);
		assert_int_equal(shutdown(p.far.fd, SHUT_WR), 0);
		assert_int_equal(pair_shake(&p), -1);
		assert_int_equal(tls_reason(p.near), REASON_TLS_FAILED);
		pair_end(&p);
	}
}

/* A far end that never comes to the point is left after a bounded piece of work. */
static void
test_floods(void **state)
{
	static const uint8_t records[][16384] = {
		{21, 3, 3, 0, 2, 1, 90}, /* a warning, which says nothing */
		{20, 3, 3, 0, 1, 1},     /* change cipher spec */
		{22, 3, 3, 0x3f, 0xfb, 2, 255, 255,
		 255}, /* a long message, this record by record */
	};
	static const size_t lengths[] = {7, 6, 16384};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct pair p;
		size_t at = 0;

		pair_begin(&p, FAR_HOST, FAR_GOOD, NULL);
		for (int turn = 0; turn < TURNS && (tls_handshake(p.near) == 0 || errno == EAGAIN);
		     turn++) {
			for (int k = 0; k < 16; k++) {
				ssize_t n = write(p.far.fd, records[i] + at, lengths[i] - at);

				at = n > 0 ? (at + (size_t)n) % lengths[i] : at;
			}
		}
		assert_int_equal(errno, EPROTO);
		assert_int_equal(tls_reason(p.near), REASON_TLS_FAILED);
		assert_true(tls_received(p.near) <= TLS_SILENCE);
		pair_end(&p);
	}
}

/* Tickets, which are not asked for and not kept: a few are ignored, a flood is none. */
static void
test_tickets(void **state)
{
	uint8_t bytes[TLS_RECORD];
	struct pair p;
	ssize_t n = -1;

	(void)state;
	pair_open(&p, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
	assert_int_equal(gnutls_session_ticket_send(p.far.session, 10, 0), 0);
	far_write(&p.far, "data", 4);
	assert_int_equal(pair_take(&p, bytes), 4);
	errno = 0;
	for (int i = 0; i < TURNS && (n == -1 && errno != EPROTO); i++) {
		(void)gnutls_session_ticket_send(p.far.session, 1, 0);
		n = tls_read(p.near, bytes, sizeof(bytes));
	}
	assert_int_equal(errno, EPROTO);
	assert_int_equal(tls_reason(p.near), REASON_TLS_FAILED);
	pair_end(&p);
}

static void
test_key_updates(void **state)
{
	uint8_t bytes[TLS_RECORD];
	struct pair p;
	ssize_t n = 0;

	(void)state;
	pair_open(&p, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
	assert_int_equal(gnutls_session_key_update(p.far.session, GNUTLS_KU_PEER), 0);
	far_write(&p.far, "new", 3);
	assert_int_equal(pair_take(&p, bytes), 3);
	assert_int_equal(tls_write(p.near, "keys", 4), 4);
	while ((n = far_read(&p.far, bytes, sizeof(bytes))) == GNUTLS_E_AGAIN)
		;
	assert_int_equal(n, 4);
	/* without end */
	errno = 0;
	for (int i = 0; i < TURNS && errno != EPROTO; i++) {
		(void)gnutls_session_key_update(p.far.session, 0);
		assert_int_equal(tls_read(p.near, bytes, sizeof(bytes)), -1);
	}
	assert_int_equal(errno, EPROTO);
	assert_int_equal(tls_reason(p.near), REASON_TLS_FAILED);
	pair_end(&p);
}

/* They are asked for while a record of ours waits for room: none is lost, none is sent twice. */
static void
test_key_update_in_flight(void **state)
{
	enum {
		N = 1 << 20
	};
	uint8_t *sent = test_malloc(N), *got = test_malloc(N + TLS_RECORD);
	size_t up = 0, down = 0;
	struct pair p;
	ssize_t n;

	(void)state;
	play_random(sent, N, 11);
	pair_open(&p, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
	while ((n = tls_write(p.near, sent + up, N - up)) > 0)
		up += (size_t)n;
	assert_int_equal(errno, EAGAIN);
	assert_true(up < N);
	assert_int_equal(gnutls_session_key_update(p.far.session, GNUTLS_KU_PEER), 0);
	far_write(&p.far, "asked", 5);
	assert_int_equal(pair_take(&p, got), 5);
	for (int i = 0; i < TURNS && down < N; i++) {
		while ((n = far_read(&p.far, got + down, TLS_RECORD)) > 0)
			down += (size_t)n;
		assert_int_equal(n, GNUTLS_E_AGAIN);
		while (up < N && (n = tls_write(p.near, sent + up, N - up)) > 0)
			up += (size_t)n;
		assert_true(up == N || errno == EAGAIN);
	}
	assert_int_equal(down, N);
	assert_memory_equal(sent, got, N);
	assert_int_equal(tls_bye(p.near), 0);
	assert_int_equal(far_read(&p.far, got, TLS_RECORD), 0);
	pair_end(&p);
	test_free(sent);
	test_free(got);
}

static void
test_renegotiation(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
	assert_int_equal(gnutls_rehandshake(p.far.session), 0);
	pair_expect_end(&p, -1, REASON_TLS_FAILED);
	pair_end(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siblings_differ), cmocka_unit_test(test_no_store),
		cmocka_unit_test(test_broken_store),    cmocka_unit_test(test_ends_of_a_handshake),
		cmocka_unit_test(test_floods),          cmocka_unit_test(test_tickets),
		cmocka_unit_test(test_key_updates),     cmocka_unit_test(test_key_update_in_flight),
		cmocka_unit_test(test_renegotiation),
	};

	return cmocka_run_group_tests(tests, pair_setup, pair_teardown);
}
