/* SPDX-License-Identifier: ISC */
#include "tests/unit/tls_pair.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/words.h"

const struct ipc_addr pair_number = {.family = 4, .port = 443, .ip = {192, 0, 2, 9}};

struct trust pair_trust;

int
pair_setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	far_trust(&pair_trust);
	return 0;
}

int
pair_teardown(void **state)
{
	(void)state;
	trust_free(&pair_trust);
	return 0;
}

void
pair_begin(struct pair *p, const char *host, enum far_fault fault, const char *priority)
{
	uint32_t reason = 99;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	p->fd = fds[0];
	far_begin(&p->far, fds[1], fault, priority);
	p->near = tls_new(&pair_trust, host, &pair_number, fds[0], &reason);
	assert_non_null(p->near);
	assert_int_equal(reason, REASON_NONE);
}

int
pair_shake(struct pair *p)
{
	int result = -1;

	for (int i = 0; i < 50; i++) {
		if (result < 0)
			result = tls_handshake(p->near);
		if (result < 0 && errno != EAGAIN)
			return result;
		if (result == 0 && p->far.ready)
			return 0;
		if (!p->far.ready)
			(void)far_run(&p->far);
	}
	fail_msg("the handshake has no end");
	return -1;
}

void
pair_open(struct pair *p, const char *priority)
{
	pair_begin(p, FAR_HOST, FAR_GOOD, priority);
	assert_int_equal(pair_shake(p), 0);
}

void
pair_end(struct pair *p)
{
	tls_free(p->near);
	close(p->fd);
	far_end(&p->far);
}

ssize_t
pair_take(struct pair *p, uint8_t *bytes)
{
	ssize_t n = -1;

	errno = EAGAIN;
	for (int i = 0; i < 50 && n < 0 && errno == EAGAIN; i++)
		n = tls_read(p->near, bytes, TLS_RECORD);
	if (n < 0)
		assert_int_equal(errno, EPROTO);
	return n;
}

void
pair_expect_end(struct pair *p, ssize_t wanted, uint32_t reason)
{
	uint8_t bytes[TLS_RECORD];

	assert_int_equal(pair_take(p, bytes), wanted);
	assert_int_equal(tls_reason(p->near), reason);
}
