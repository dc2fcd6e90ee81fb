/* SPDX-License-Identifier: ISC */
/*
 * The auditor's second socket, where it tells what it counted. Whoever its file's
 * mode lets in may ask: there is no other check, since all that can be had is
 * numbers. Nothing that such a client does holds up a record: it gets one answer a
 * turn, is dropped when it does not take it, and makes room for a later one.
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_METRICS_H
#define SOCKWARD_HELPERS_AUDITOR_METRICS_H

#include <stdint.h>

#include "helpers/serve.h"

#define METRICS_CLIENTS 4 /* a further one takes the place of that not heard of for longest */

struct auditor;

struct metrics_client {
	struct serve_watch watch;
	struct metrics *metrics;
	uint64_t heard; /* by metrics.turn */
};

struct metrics {
	struct serve_watch listening; /* fd -1: none was passed */
	struct auditor *auditor;
	uint64_t turn;
	struct metrics_client clients[METRICS_CLIENTS];
};

/**
 * metrics_open() - serve that socket.
 * @auditor: kept by reference; its loop must be open.
 * @fd: a listening SOCK_SEQPACKET socket, owned from here; or -1, and nothing is done.
 *
 * Ends the program when it is another kind of descriptor.
 */
void metrics_open(struct auditor *auditor, int fd);

#endif
