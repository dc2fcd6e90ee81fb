/* SPDX-License-Identifier: ISC */
/*
 * Why a destination is allowed or denied, in plain sentences. The judgement is
 * the broker's own code over the image that the broker would load.
 */
#ifndef SOCKWARD_POLICY_EXPLAIN_H
#define SOCKWARD_POLICY_EXPLAIN_H

#include <stdio.h>

#include "policy/check.h"
#include "policy/host.h"
#include "policy/read.h"

/* A destination as a person gives it. */
struct destination {
	char text[IPC_HOST];  /* the host, for showing */
	char name[IPC_HOST];  /* canonical; empty when an address was given */
	struct ipc_addr addr; /* family 0 when a name was given */
	uint16_t port;
	uint8_t protocol;
};

/**
 * destination_read() - read "HOST:PORT" or "HOST:PORT/PROTOCOL".
 * @text: a name, an IPv4 address, or an IPv6 address in brackets; PROTOCOL is
 *        tcp (where none is given), udp or tls. A host that is neither is no
 *        error here: the judgement refuses it.
 * @out: set on success.
 *
 * Returns NULL, or what is wrong, as a constant sentence.
 */
const char *destination_read(const char *text, struct destination *out);

/**
 * destination_resolved() - read an address that a name is taken to have.
 * @text: an address without brackets.
 *
 * Returns NULL, or what is wrong; also when @out holds an address already.
 */
const char *destination_resolved(const char *text, struct destination *out);

/**
 * explain_judge() - judge, as the broker does.
 * @policy: an opened image. @grant: a valid index.
 * @verdict: set.
 */
void explain_judge(const struct policy *policy, uint32_t grant, const struct destination *to,
		   struct policy_verdict *verdict);

/**
 * explain_print() - tell the verdict and its reasons.
 * @file: the policy's name, for pointing at lines.
 */
void explain_print(const struct policy *policy, uint32_t grant, const struct destination *to,
		   const struct policy_verdict *verdict, const char *file, FILE *out);

#endif
