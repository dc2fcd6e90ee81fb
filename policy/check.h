/* SPDX-License-Identifier: ISC */
/*
 * The judgement: pure functions over a checked image. No clock, no memory, no
 * system call, so that the same code decides in the broker, in
 * `sockward policy explain`, in the tests and under the fuzzer.
 *
 * The order, from strongest to weakest:
 *  1. Port 0 and malformed questions are refused.
 *  2. A deny rule that matches the name or the address refuses.
 *  3. An allow rule must match name or address, port and protocol.
 *     A rule with an address range is compared with the address; a rule with a
 *     name, with the name as asked. "*" matches any address and any name but
 *     the special ones (single labels, localhost, .local, .internal, ...), which
 *     only a rule that names them opens.
 *  4. A port of the closed list opens only by a rule of that single port.
 *  5. An address in a special-purpose block (policy/special.data; the longest
 *     prefix decides) is refused, unless the deciding allow rule is a range that
 *     lies inside that very block; or is a name rule with "private": true and
 *     the block is of class private, or of class local and the rule is one whole
 *     name. Blocks of class never open to nothing.
 * The first allow rule that stands all this decides; else the first refusal's
 * reason is told.
 */
#ifndef SOCKWARD_POLICY_CHECK_H
#define SOCKWARD_POLICY_CHECK_H

#include "ipc/messages.h"
#include "ipc/words.h"
#include "policy/image.h"

struct policy_question {
	const char *name;            /* canonical, lower case; NULL when a number was asked for */
	const struct ipc_addr *addr; /* with the port; NULL: could any address do? */
	uint16_t port;               /* 0: any, and then protocol is too */
	uint8_t protocol;            /* one bit of enum protocol; 0: could any be allowed? */
};

struct policy_verdict {
	enum reason reason; /* NONE: allowed */
	uint32_t rule;      /* index of the rule that decided, or IMAGE_NONE */
	const char *text;   /* that rule's, or of the special-purpose block that decided; or "" */
	/* The rule means the server's own addresses too, which are else refused: it is
	 * one whole address, or a range of a block of class local, or one whole name
	 * with "private": true. */
	bool named;
};

/**
 * policy_judge() - may this grant reach this destination?
 * @policy: a checked image.
 * @grant: an index below header->grants.
 * @question: with an address: the decision. Without (only a name): whether a
 *            lookup can be worth it, that is, whether some address could be
 *            allowed; a lookup for a name that cannot is not made.
 * @verdict: always set.
 */
void policy_judge(const struct policy *policy, uint32_t grant,
		  const struct policy_question *question, struct policy_verdict *verdict);

#endif
