/* SPDX-License-Identifier: ISC */
#include "helpers/auditor/counts.h"

#include <time.h>

#include "ipc/words.h"

_Static_assert(REASON_COUNT < IPC_REASONS, "the last place is for numbers outside the list");

void
counts_start(struct ipc_metrics *counts)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*counts = (struct ipc_metrics){
		.head = {MSG_METRICS_ARE},
		.version = IPC_VERSION,
		.started_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
	};
}

static void
add(uint64_t *sum, uint64_t value)
{
	*sum = *sum + value < *sum ? UINT64_MAX : *sum + value;
}

static void
by_reason(uint64_t counts[IPC_REASONS], unsigned int reason)
{
	unsigned int plain = reason_plain(reason);

	counts[plain < REASON_COUNT ? plain : IPC_REASONS - 1]++;
}

static void
by_kind(uint64_t counts[IPC_KINDS], unsigned int protocol)
{
	static const enum ipc_kind kinds[] = {
		[PROTOCOL_TCP] = IPC_KIND_TCP,         [PROTOCOL_UDP] = IPC_KIND_UDP,
		[PROTOCOL_TLS] = IPC_KIND_TLS,         [PROTOCOL_LISTEN] = IPC_KIND_LISTEN,
		[PROTOCOL_INBOUND] = IPC_KIND_INBOUND,
	};

	/* Exactly one bit of those. */
	if (protocol && protocol <= PROTOCOL_INBOUND && !(protocol & (protocol - 1)))
		counts[kinds[protocol]]++;
}

static void
refused(struct ipc_metrics *counts, const struct ipc_record *record)
{
	if (!record->stream) {
		by_reason(counts->sessions_refused, record->reason);
		return;
	}
	by_reason(counts->requests_refused, record->reason);
	if (record->protocol)
		by_kind(counts->streams_refused, record->protocol);
	else
		counts->lookups_refused++;
}

static void
stream_ended(struct ipc_metrics *counts, const struct ipc_record *record)
{
	by_reason(counts->streams_ended, record->reason);
	/* Of datagrams the kernel keeps no counts. */
	if (record->protocol == PROTOCOL_UDP) {
		add(&counts->claimed_udp_up, record->claims.claimed_up);
		add(&counts->claimed_udp_down, record->claims.claimed_down);
	} else {
		add(&counts->bytes_up, record->bytes_up);
		add(&counts->bytes_down, record->bytes_down);
	}
}

void
counts_record(struct ipc_metrics *counts, const struct ipc_record *record)
{
	switch (record->event) {
	case EVENT_SESSION_OPEN:
		counts->sessions_opened++;
		return;
	case EVENT_AUTHENTICATED:
		counts->sessions_authenticated++;
		return;
	case EVENT_GRANTED:
		by_kind(counts->streams_granted, record->protocol);
		return;
	case EVENT_RESOLVED:
		counts->lookups_answered++;
		return;
	case EVENT_REFUSED:
		refused(counts, record);
		return;
	case EVENT_STREAM_END:
		stream_ended(counts, record);
		return;
	case EVENT_SESSION_END:
		by_reason(counts->sessions_ended, record->reason);
		return;
	default:
		return;
	}
}
