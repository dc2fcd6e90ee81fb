/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

/* One event makes fewer records than this: a session's streams, and some. */
#define ROOM_KEPT (IMAGE_CHANNELS + 64)

bool
record_room(void)
{
	return broker.recorded - broker.stored < RECORDS_MOST - ROOM_KEPT;
}

void
record_new(enum event event, enum reason reason, const struct ipc_record *facts)
{
	struct ipc_record *record = &broker.records[broker.recorded % RECORDS_MOST];
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (broker.recorded++ - broker.stored == RECORDS_MOST)
		bug("no room for a record");
	*record = facts ? *facts : (struct ipc_record){.mono_ns = now};
	record->head.type = MSG_RECORD;
	record->number = broker.recorded;
	record->generation = broker.generation;
	record->policy = broker.policy.header->limits.fingerprint;
	record->duration_ms = (uint32_t)((now - record->mono_ns) / 1000000);
	record->mono_ns = now;
	record->wall_ns = clock_ns(CLOCK_REALTIME);
	record->event = (uint16_t)event;
	record->reason = (uint16_t)reason;
}

void
record_send(void)
{
	while (broker.peers[IPC_AUDITOR].state == IPC_OPEN && broker.sent < broker.recorded &&
	       ipc_post(broker.peers[IPC_AUDITOR].fd, &broker.records[broker.sent % RECORDS_MOST],
			sizeof(broker.records[0])) == 0)
		broker.sent++;
}

void
record_stored(struct peer *peer, const union ipc_any *any)
{
	uint64_t number = any->STORED_body.number;

	if (peer->state == IPC_NEW) { /* a new auditor: what it does not have is sent again */
		peer->state = IPC_OPEN;
		broker.sent = number;
		listener_greet();
	}
	/* Its file lost what was stored: a new run of the broker begins anew. */
	if (number < broker.stored || number > broker.recorded)
		bug("the auditor does not have record %llu", (unsigned long long)broker.stored);
	while (broker.stored < number) {
		const struct ipc_record *record = &broker.records[broker.stored++ % RECORDS_MOST];
		struct session *its = session_find(record->session);
		struct stream *stream = stream_find(its, record->stream, STREAM_RECORDED);

		if (stream && record->event == EVENT_GRANTED)
			open_stored(stream);
		else if (its && its->grant && record->event == EVENT_AUTHENTICATED &&
			 its->peer.state == IPC_ASKED)
			grant_stored(its);
	}
}
