/* SPDX-License-Identifier: ISC */
/*
 * What a running suite says of itself: the listener at status.sock, the auditor at
 * metrics.sock. Neither socket takes an order, so whoever only looks needs no more.
 */
#ifndef SOCKWARD_CLI_FACTS_H
#define SOCKWARD_CLI_FACTS_H

#include <stdbool.h>
#include <stdio.h>

#include "ipc/messages.h"

struct facts {
	bool listener; /* it answered: status is set */
	bool auditor;  /* so are metrics */
	bool silent;   /* it can be connected to, and does not answer */
	struct ipc_ctl_status status;
	struct ipc_metrics metrics;
};

/**
 * facts_status_open() - connect to where the listener tells its status.
 * @dir: the runtime directory.
 *
 * Falls back on the control socket. Returns a descriptor, or -1 with errno.
 */
int facts_status_open(const char *dir);

/**
 * facts_ask_auditor() - ask the auditor of that directory.
 * @facts: auditor, silent and metrics are set. @timeout_ms: for the answer.
 */
void facts_ask_auditor(const char *dir, struct facts *facts, uint32_t timeout_ms);

/**
 * facts_ask() - ask both.
 * @facts: set wholly. @timeout_ms: for each of them.
 */
void facts_ask(const char *dir, struct facts *facts, uint32_t timeout_ms);

/**
 * facts_text() - all of it as OpenMetrics 1.0 text, up to its # EOF.
 *
 * Every label is a word of ours; nothing that a client or a policy says gets in.
 * Errors of @out are the caller's to look for.
 */
void facts_text(FILE *out, const struct facts *facts);

#endif
