/* SPDX-License-Identifier: ISC */
/*
 * Bodies of the messages between a person (`sockward status` and so on) and the
 * listener. A part of ipc/messages.h, which includes it.
 */
#ifndef SOCKWARD_IPC_CONTROL_H
#define SOCKWARD_IPC_CONTROL_H

#include "ipc/messages.h"

struct ipc_ctl_list {
	struct ipc_head head;
	uint32_t after; /* slot to go on from; 0 at first */
};

struct ipc_ctl_kill {
	struct ipc_head head;
	uint32_t pad;
	uint64_t session;
};

/* The handshake's latency is counted by these upper bounds, in ms, and once more above them. */
#define IPC_HANDSHAKE_MS 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000
#define IPC_BUCKETS      14

struct ipc_ctl_status {
	struct ipc_head head;
	uint32_t version;
	uint32_t generation; /* of the policy; 0: none is loaded, everything is denied */
	uint32_t sessions;
	uint32_t sessions_most;
	uint32_t workers_crashed;
	uint64_t policy;
	uint64_t uptime_ms; /* of the listener */
	uint64_t sessions_total;
	uint64_t shed_total; /* connections closed at once for a limit */
	uint8_t broker_up;
	uint8_t resolver_up;
	uint8_t authenticator_up;
	uint8_t auditor_up;
	uint8_t draining;
	uint8_t pad[3];
	uint32_t sessions_per_source; /* limits of the policy, as sessions_most */
	uint32_t handshake_ms;
	uint32_t sessions_minute; /* begun in the last minute */
	uint32_t pad2;
	uint64_t started_ns;    /* wall clock, of the listener */
	uint64_t broker_for_ms; /* for so long it is up, or down; so below */
	uint64_t resolver_for_ms;
	uint64_t authenticator_for_ms;
	uint64_t auditor_for_ms;
	uint64_t policy_for_ms; /* in force, or missing; as far as the listener was told */
	uint64_t draining_for_ms;
	uint64_t handshakes_us;           /* from accept to SESSION_GRANTED, added up */
	uint64_t handshakes[IPC_BUCKETS]; /* how many took that long, each in one */
};

/* slot 0: the list is at its end and the rest is zero. */
struct ipc_ctl_session {
	struct ipc_head head;
	uint32_t slot;
	uint64_t session;
	uint16_t state;  /* enum ipc_state */
	uint16_t behind; /* 1: its worker was busy, and comes behind the others */
	uint32_t age_ms;
	struct ipc_addr client;
	uint32_t pid; /* of the worker */
	char grant[IPC_GRANT];
	char subject[IPC_SUBJECT];
};

struct ipc_ctl_done {
	struct ipc_head head;
	uint32_t ok; /* 1, or 0 with the reason */
	uint32_t reason;
	uint32_t pad;
};

#endif
