/* SPDX-License-Identifier: ISC */
/* What the commands that speak to a running suite have in common. */
#ifndef SOCKWARD_CLI_ASK_H
#define SOCKWARD_CLI_ASK_H

#include <stdbool.h>

#include "cli/control.h"
#include "cli/which.h"
#include "ipc/messages.h"

#define ASK_MS 5000 /* the listener never blocks: it answers within this, or not at all */

struct ask {
	const char *command;
	struct which which;
	char where[CONTROL_DIR];
	const char *deadline;
	const char *operand;
	bool json;
};

/**
 * ask_options() - read the options of such a command.
 * @allowed: r for --runtime-dir and --tenant, j for --json, d for --deadline, o for one
 *           operand.
 * @ask: always set.
 *
 * Returns STATUS_OK, or STATUS_USAGE after a message.
 */
int ask_options(int argc, char **argv, const char *allowed, struct ask *ask);

/**
 * ask_open() - connect to the suite that is meant.
 * @ask: where is set, to its directory.
 * @open: connects to a suite by its directory: control_open(), or another.
 *
 * Returns a descriptor, or -1 after a message.
 */
int ask_open(struct ask *ask, int (*open)(const char *dir));

/**
 * ask_unanswered() - say why control_ask() failed, by errno.
 *
 * Returns STATUS_FAILED.
 */
int ask_unanswered(const struct ask *ask);

/**
 * ask_status() - the suite's status.
 * @fd: of ask_open(). @status: set on success.
 *
 * Returns 0, or -1 with errno as control_ask().
 */
int ask_status(int fd, struct ipc_ctl_status *status);

#endif
