/* SPDX-License-Identifier: ISC */
/*
 * How the suite is, since when, and how busy: what status and metrics are told. A
 * part of listener/listener.h, which includes it.
 */
#ifndef SOCKWARD_LISTENER_HEALTH_H
#define SOCKWARD_LISTENER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/messages.h"

struct session;

#define HEALTH_PARTS   4 /* broker, resolver, authenticator, auditor */
#define HEALTH_SECONDS 60

struct health {
	bool up[HEALTH_PARTS];
	uint64_t since[HEALTH_PARTS]; /* ms, when that changed last */
	uint32_t generation;          /* the last that the broker told, and its policy */
	uint64_t policy;
	uint64_t policy_since;
	uint64_t drain_since; /* 0: it does not drain */
	uint64_t started_ns;  /* wall clock */
	uint64_t second;      /* that begun[] is at */
	uint32_t begun[HEALTH_SECONDS];
	uint64_t handshakes_us;
	uint64_t handshakes[IPC_BUCKETS];
};

/**
 * health_start() - all is down, and nothing has happened, since now.
 */
void health_start(void);

/**
 * health_look() - the broker, what it said or whether we drain may have changed.
 */
void health_look(void);

/**
 * health_begun() - a session was accepted: count it, and begin to measure.
 */
void health_begun(struct session *session);

/**
 * health_granted() - it got its grant: the handshake is over.
 */
void health_granted(const struct session *session);

/**
 * health_tell() - set the members of an answer that are known here alone.
 * @status: zero in those.
 */
void health_tell(struct ipc_ctl_status *status);

#endif
