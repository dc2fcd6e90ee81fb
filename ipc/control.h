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
