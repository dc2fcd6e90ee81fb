/* SPDX-License-Identifier: ISC */
/* TLS to one far end: who is believed, what is sent, and how it ends. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "ipc/words.h"
#include "tests/unit/play.h"
#include "tests/unit/tls_pair.h"

#define TURNS 100000

static void
test_certificates(void **state)
{
	static const struct {
		enum far_fault fault;
		uint32_t by_name, by_number;
	} cases[] = {
		{FAR_GOOD, REASON_NONE, REASON_NONE},
		{FAR_EXPIRED, REASON_TLS_EXPIRED, REASON_TLS_EXPIRED},
		{FAR_NOT_YET, REASON_TLS_NOT_YET, REASON_TLS_NOT_YET},
		{FAR_OTHER_HOST, REASON_TLS_HOST, REASON_TLS_HOST},
		{FAR_UNKNOWN, REASON_TLS_ISSUER, REASON_TLS_ISSUER},
		{FAR_CLIENT, REASON_TLS_CERTIFICATE, REASON_TLS_CERTIFICATE},
		{FAR_NUMBER_AS_NAME, REASON_TLS_HOST, REASON_TLS_HOST},
		{FAR_COMMON_NAME, REASON_TLS_HOST, REASON_TLS_HOST},
		{FAR_LONG_NAME, REASON_TLS_CERTIFICATE, REASON_TLS_CERTIFICATE},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t wanted = i % 2 ? cases[i / 2].by_number : cases[i / 2].by_name;
		struct pair p;

		pair_begin(&p, i % 2 ? "" : FAR_HOST, cases[i / 2].fault, NULL);
		assert_int_equal(pair_shake(&p), wanted ? -1 : 0);
		assert_int_equal(tls_reason(p.near), wanted);
		/* The far end is told: an alert, and no data. */
		if (wanted)
			assert_int_equal(far_run(&p.far), GNUTLS_E_FATAL_ALERT_RECEIVED);
		pair_end(&p);
	}
}

/* A key that is too expensive is not used at all. */
static void
test_keys(void **state)
{
	static const char *const versions[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.3",
					       "NORMAL:-VERS-ALL:+VERS-TLS1.2"};
	static const struct {
		enum far_fault fault;
		uint32_t reason;
	} cases[] = {
		{FAR_RSA, REASON_NONE},
		{FAR_LARGE, REASON_TLS_CERTIFICATE},
		{FAR_EXPONENT, REASON_TLS_CERTIFICATE},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct pair p;

		pair_begin(&p, FAR_HOST, cases[i / 2].fault, versions[i % 2]);
		assert_int_equal(pair_shake(&p), cases[i / 2].reason ? -1 : 0);
		assert_int_equal(tls_reason(p.near), cases[i / 2].reason);
		pair_end(&p);
	}
}

static void
test_server_name(void **state)
{
	char name[64];
	size_t n = sizeof(name);
	unsigned int type;
	struct pair p;

	(void)state;
	pair_open(&p, NULL);
	assert_int_equal(gnutls_server_name_get(p.far.session, name, &n, &type, 0), 0);
	assert_string_equal(name, FAR_HOST);
	pair_end(&p);
	pair_begin(&p, "", FAR_GOOD, NULL);
	assert_int_equal(pair_shake(&p), 0);
	n = sizeof(name);
	assert_int_equal(gnutls_server_name_get(p.far.session, name, &n, &type, 0),
			 GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
	pair_end(&p);
}

static void
test_versions(void **state)
{
	static const struct {
		const char *priority;
		bool works;
	} cases[] = {
		{"NORMAL:-VERS-ALL:+VERS-TLS1.3", true},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2", true},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.1", false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.0:-ECDHE-RSA", false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-CBC", false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pair p;

		pair_begin(&p, FAR_HOST, FAR_GOOD, cases[i].priority);
		assert_int_equal(pair_shake(&p), cases[i].works ? 0 : -1);
		assert_int_equal(tls_reason(p.near), cases[i].works ? 0 : REASON_TLS_FAILED);
		pair_end(&p);
	}
}

/* Many records each way, through a socket that is full most of the time. */
static void
test_both_ways(void **state)
{
	enum {
		N = 3 << 20
	};
	uint8_t *sent = test_malloc(N), *got = test_malloc(N + TLS_RECORD);
	size_t up = 0, down = 0;
	bool full = false;
	struct pair p;
	ssize_t n;

	(void)state;
	play_random(sent, N, 7);
	pair_open(&p, NULL);
	for (int i = 0; i < TURNS && down < N; i++) {
		/* Odd sizes; after EAGAIN the same bytes with some more behind. */
		while (up < N && (n = tls_write(p.near, sent + up, N - up)) > 0)
			up += (size_t)n;
		full = full || up < N;
		while ((n = far_read(&p.far, got + down, TLS_RECORD)) > 0)
			down += (size_t)n;
		assert_int_equal(n, GNUTLS_E_AGAIN);
	}
	assert_true(full);
	assert_int_equal(down, N);
	assert_memory_equal(sent, got, N);
	assert_true(tls_sent(p.near) > N);
	for (down = 0, up = 0; up < N; up += 10000) {
		far_write(&p.far, sent + up, N - up < 10000 ? N - up : 10000);
		n = pair_take(&p, got + down);
		assert_true(n > 0);
		assert_false(tls_pending(p.near));
		down += (size_t)n;
	}
	assert_int_equal(down, N);
	assert_memory_equal(sent, got, N);
	pair_end(&p);
	test_free(sent);
	test_free(got);
}

static void
test_ends(void **state)
{
	uint8_t bytes[TLS_RECORD];
	struct pair p;

	(void)state;
	/* in order, one way after the other */
	pair_open(&p, NULL);
	assert_int_equal(tls_bye(p.near), 0);
	assert_int_equal(far_read(&p.far, bytes, sizeof(bytes)), 0);
	far_write(&p.far, "late", 4);
	assert_int_equal(pair_take(&p, bytes), 4);
	assert_int_equal(gnutls_bye(p.far.session, GNUTLS_SHUT_WR), 0);
	pair_expect_end(&p, 0, REASON_NONE);
	pair_end(&p);
	/* without the word */
	pair_open(&p, NULL);
	far_write(&p.far, "last", 4);
	assert_int_equal(shutdown(p.far.fd, SHUT_WR), 0);
	assert_int_equal(pair_take(&p, bytes), 4);
	pair_expect_end(&p, -1, REASON_TLS_TRUNCATED);
	pair_end(&p);
	/* within a record */
	pair_open(&p, NULL);
	play_write(p.far.fd, "\x17\x03\x03\0\x20 half", 10);
	assert_int_equal(shutdown(p.far.fd, SHUT_WR), 0);
	pair_expect_end(&p, -1, REASON_TLS_TRUNCATED);
	pair_end(&p);
	/* what is no record */
	pair_open(&p, NULL);
	play_write(p.far.fd, "HTTP/1.1 200 OK\r\n\r\n", 19);
	pair_expect_end(&p, -1, REASON_TLS_FAILED);
	pair_end(&p);
	/* a record that nobody made with the key */
	pair_open(&p, NULL);
	play_write(p.far.fd,
		   "\x17\x03\x03\0\x20"
		   "0123456789abcdef0123456789abcdef",
		   37);
	pair_expect_end(&p, -1, REASON_TLS_FAILED);
	pair_end(&p);
	/* an alert */
	pair_open(&p, NULL);
	assert_int_equal(gnutls_alert_send(p.far.session, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR),
			 0);
	pair_expect_end(&p, -1, REASON_TLS_FAILED);
	pair_end(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificates), cmocka_unit_test(test_keys),
		cmocka_unit_test(test_server_name),  cmocka_unit_test(test_versions),
		cmocka_unit_test(test_both_ways),    cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, pair_setup, pair_teardown);
}
