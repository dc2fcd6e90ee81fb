/* SPDX-License-Identifier: ISC */
/*
 * Both ends of TLS in one process: ours, by worker/tls.h, and the far one.
 */
#ifndef SOCKWARD_TESTS_UNIT_TLS_PAIR_H
#define SOCKWARD_TESTS_UNIT_TLS_PAIR_H

#include "ipc/messages.h"
#include "tests/unit/tls_far.h"
#include "worker/tls.h"

struct pair {
	struct tls *near;
	struct far far;
	int fd; /* of near */
};

extern const struct ipc_addr pair_number; /* 192.0.2.9 */
extern struct trust pair_trust;           /* of our ends; made by pair_setup() */

/**
 * pair_setup(), pair_teardown() - both for cmocka, of a group.
 */
int pair_setup(void **state);
int pair_teardown(void **state);

/**
 * pair_begin() - connect them. @host: that ours wants; empty: pair_number.
 * @fault, @priority: as of far_begin().
 */
void pair_begin(struct pair *p, const char *host, enum far_fault fault, const char *priority);

/**
 * pair_shake() - both go on until both are done, or ours failed. Returns its result.
 */
int pair_shake(struct pair *p);

/**
 * pair_open() - a pair for FAR_HOST whose handshake is complete.
 */
void pair_open(struct pair *p, const char *priority);

/**
 * pair_end() - close both.
 */
void pair_end(struct pair *p);

/**
 * pair_take() - ours reads the next record with data, behind whatever has none.
 * @bytes: TLS_RECORD of them. Returns as tls_read(), but never EAGAIN.
 */
ssize_t pair_take(struct pair *p, uint8_t *bytes);

/**
 * pair_expect_end() - ours reads no more data: 0 or -1 comes, and that reason.
 */
void pair_expect_end(struct pair *p, ssize_t wanted, uint32_t reason);

#endif
