/* SPDX-License-Identifier: ISC */
/*
 * The template of workers: executed once by the listener, confined completely
 * before it forks for the first time, and holding no secret. Each session is a
 * fork of it, a child of the listener, which loses by one more filter what only
 * the template needs. A fork costs a tenth of an exec.
 */
#ifndef SOCKWARD_WORKER_TEMPLATE_H
#define SOCKWARD_WORKER_TEMPLATE_H

struct session;

/**
 * template_run() - fork a session for each SPAWN, until the listener is gone.
 * @channel: the spawn channel, non-blocking.
 * @s: zeroed memory for a session; touched only in the children.
 *
 * Answers each SPAWN with SPAWNED and the child's pidfd. Returns in the template
 * with 0 when the listener closed the channel, with WORKER_NO_MEMORY when a fork
 * failed (the listener starts a new template), and with WORKER_BROKER_LOST when
 * the channel broke. Returns in a child with its session's exit status.
 */
int template_run(int channel, struct session *s);

/**
 * template_seal() - the memory that is shared with sessions is complete.
 *
 * What is free in it is taken and never used, so that sessions begin in new pages: what
 * they put into the holes of shared pages, they would first have to copy.
 */
void template_seal(void);

/**
 * template_session() - the last step of a session's confinement, then the session.
 * @channel: its channel to the broker.
 *
 * Returns the exit status.
 */
int template_session(int channel, struct session *s);

#endif
