/* SPDX-License-Identifier: ISC */
/*
 * The body of a record, from the broker to the auditor. A part of ipc/messages.h,
 * which includes it.
 */
#ifndef SOCKWARD_IPC_RECORD_H
#define SOCKWARD_IPC_RECORD_H

#include "ipc/messages.h"

/* One thing that happened. Fields that do not apply are zero. */
struct ipc_record {
	struct ipc_head head;
	uint32_t generation; /* of the policy in force; counts up from 1; 0 for none */
	uint64_t number;     /* counts up from 1 in one run of the broker */
	uint64_t policy;     /* fingerprint of the policy file */
	uint64_t session;
	uint64_t mono_ns;
	uint64_t wall_ns;
	uint16_t event;
	uint16_t reason;
	struct ipc_addr client; /* the session's peer, from accept */
	struct ipc_addr told;   /* AUTH's, where the peer is a listed proxy */
	char grant[IPC_GRANT];
	char subject[IPC_SUBJECT];
	uint8_t dialect;
	uint8_t pad[3];
	/* What is above belongs to all records of a session. */
	uint32_t stream; /* of the request, counted from 1 in its session */
	uint8_t protocol;
	uint8_t has_origin;
	uint8_t addresses; /* how many addresses the name had */
	uint8_t pad2;
	struct ipc_addr peer;  /* the stream's far end, from the kernel */
	struct ipc_addr local; /* the stream's near end, from the kernel */
	uint32_t duration_ms;  /* of the stream or session */
	uint32_t rtt_us;
	uint32_t retransmits;
	uint32_t pad3;
	uint64_t bytes_up; /* kernel counts: to the far end, and from it */
	uint64_t bytes_down;
	struct ipc_end claims;      /* by END of a stream */
	struct ipc_counts counts;   /* claimed by COUNTS of a session */
	struct ipc_session_end end; /* of a session, from the listener */
	uint32_t streams;           /* granted in this session */
	char host[IPC_HOST];        /* of a stream: as asked; of a session: claimed Host */
	char origin[IPC_ORIGIN];    /* claimed */
	char rule[IPC_RULE];        /* the rule or the address block that decided */
};

#endif
