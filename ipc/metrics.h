/* SPDX-License-Identifier: ISC */
/*
 * What the auditor counts in the records, as it tells it to whoever asks at its
 * metrics socket. A part of ipc/messages.h, which includes it.
 */
#ifndef SOCKWARD_IPC_METRICS_H
#define SOCKWARD_IPC_METRICS_H

#include "ipc/messages.h"

#define IPC_REASONS 64 /* enum reason has fewer; the last stands for numbers outside it */

/* Kinds of a request that a stream comes from, as an index. */
enum ipc_kind {
	IPC_KIND_TCP,
	IPC_KIND_UDP,
	IPC_KIND_TLS,
	IPC_KIND_LISTEN,
	IPC_KIND_INBOUND,
	IPC_KINDS
};

/* All counts are since the auditor's start, of records that came for the first time. */
struct ipc_metrics {
	struct ipc_head head;
	uint32_t version;
	uint64_t started_ns; /* wall clock */
	uint64_t records;    /* lines that are in the file, the auditor's own included */
	uint64_t scans;
	uint64_t journal_lost;
	uint64_t failing_ms; /* for so long the file could not be written; 0: it can */
	uint64_t sessions_opened;
	uint64_t sessions_authenticated;
	uint64_t lookups_answered; /* names whose addresses were told, with no stream */
	uint64_t lookups_refused;
	uint64_t bytes_up; /* kernel counts, of streams that ended */
	uint64_t bytes_down;
	uint64_t claimed_udp_up; /* the workers' word, in bytes */
	uint64_t claimed_udp_down;
	uint64_t streams_granted[IPC_KINDS];
	uint64_t streams_refused[IPC_KINDS];
	uint64_t sessions_refused[IPC_REASONS]; /* by reason, as below */
	uint64_t requests_refused[IPC_REASONS]; /* of streams and lookups */
	uint64_t sessions_ended[IPC_REASONS];
	uint64_t streams_ended[IPC_REASONS];
};

#endif
