/* SPDX-License-Identifier: ISC */
/*
 * What the broker says to the worker. Whatever has no row in the message table
 * for the present state, or makes no sense in it, ends the session at once:
 * the worker trusts the broker's judgement, not its every byte.
 */
#ifndef SOCKWARD_WORKER_ANSWER_H
#define SOCKWARD_WORKER_ANSWER_H

#include <stdbool.h>

struct session;

/**
 * answer_take() - take what has come on the channel, within bounds.
 *
 * Returns whether that was all.
 */
bool answer_take(struct session *s);

/**
 * answer_refused() - end the session with the broker's reason, now that the
 * client can be told.
 */
void answer_refused(struct session *s);

#endif
