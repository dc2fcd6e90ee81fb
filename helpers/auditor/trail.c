/* SPDX-License-Identifier: ISC */
#include "helpers/auditor/trail.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "helpers/auditor/counts.h"
#include "ipc/words.h"

static struct peer *
peer_of(struct auditor *auditor, const struct serve_client *client)
{
	return &auditor->peers[client - auditor->serve.clients];
}

static struct serve_client *
client_in(struct auditor *auditor, enum peer_role role)
{
	for (size_t i = 0; i < SERVE_CLIENTS; i++) {
		if (auditor->peers[i].role == role)
			return &auditor->serve.clients[i];
	}
	return NULL;
}

static void
gather(struct auditor *auditor, const struct ipc_record *record)
{
	struct scan_found found;

	if (auditor->lines + 2 > BATCH_LINES)
		bug("the batch is full");
	counts_record(&auditor->counts, record);
	if (record->event == EVENT_SESSION_OPEN && record->session &&
	    sessions_add(&auditor->sessions, record->session) < 0)
		log_note("too many open sessions to remember them all");
	if (record->event == EVENT_SESSION_END)
		sessions_remove(&auditor->sessions, record->session);
	auditor->length += record_line(&auditor->trail, record, auditor->batch + auditor->length);
	auditor->lines++;
	if (!scan_count(&auditor->scans, record, &found))
		return;
	auditor->counts.scans++;
	auditor->length +=
		record_scan(&auditor->trail, record, &found, auditor->batch + auditor->length);
	auditor->lines++;
}

static int
take_record(struct auditor *auditor, const struct ipc_record *record)
{
	/* Sent again after a reconnection: in the file, or on its way into it. */
	if (record->number <= auditor->number) {
		auditor->owed = true;
		return 0;
	}
	if (record->number != auditor->number + 1) {
		log_note("record %llu came where %llu was due", (unsigned long long)record->number,
			 (unsigned long long)auditor->number + 1);
		return -1;
	}
	gather(auditor, record);
	auditor->number = record->number;
	return 0;
}

static void
greet(struct auditor *auditor, struct serve_client *client)
{
	peer_of(auditor, client)->role = PEER_GREETED;
	auditor->greeting = client;
}

static int
take_hello(struct auditor *auditor, struct serve_client *client,
	   const struct ipc_audit_hello *hello)
{
	struct peer *peer = peer_of(auditor, client);

	if (hello->version != IPC_VERSION || !hello->instance) {
		log_note("a broker of another version is cut off");
		return -1;
	}
	if (peer->role != PEER_NEW)
		return -1;
	peer->instance = hello->instance;
	/*
	 * A broker that was lost may have left records in its channel: they are
	 * read to their end before the next broker's turn.
	 */
	if (client_in(auditor, PEER_GREETED))
		peer->role = PEER_WAITING;
	else
		greet(auditor, client);
	return 0;
}

int
trail_message(struct auditor *auditor, struct serve_client *client, const union ipc_any *any)
{
	if (any->head.type == MSG_AUDIT_HELLO)
		return take_hello(auditor, client, &any->AUDIT_HELLO_body);
	return take_record(auditor, &any->RECORD_body);
}

void
trail_gone(struct auditor *auditor, const struct serve_client *client)
{
	struct peer *peer = peer_of(auditor, client);
	bool greeted = peer->role == PEER_GREETED;
	struct serve_client *next;

	if (auditor->greeting == client)
		auditor->greeting = NULL;
	*peer = (struct peer){0};
	next = client_in(auditor, PEER_WAITING);
	if (greeted && next)
		greet(auditor, next);
}

static void
to_journal(struct auditor *auditor)
{
	const char *line = auditor->batch;
	const char *end = auditor->batch + auditor->length;

	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));

		journal_send(&auditor->journal, line, (size_t)(newline - line));
		line = newline + 1;
	}
}

static void
write_failed(struct auditor *auditor, uint64_t now)
{
	if (!auditor->failing) {
		fail("cannot write to the audit file; trying again every second");
		auditor->failing_since = now;
	}
	auditor->failing = true;
	auditor->retry_at = now + RETRY_MS;
	/* Nothing more is read: the broker sees that nothing is stored. */
	serve_hold(&auditor->serve, true);
}

static void
write_works(struct auditor *auditor)
{
	if (auditor->failing)
		log_note("the audit file can be written again");
	auditor->failing = false;
	auditor->retry_at = 0;
	serve_hold(&auditor->serve, false);
}

/* Returns false when the batch could not be written now. */
static bool
write_batch(struct auditor *auditor)
{
	uint64_t now = serve_now_ms();

	if (!auditor->lines)
		return true;
	if (auditor->retry_at > now)
		return false;
	if (file_append(&auditor->file, auditor->batch, auditor->length) < 0) {
		write_failed(auditor, now);
		return false;
	}
	write_works(auditor);
	if (auditor->sync)
		file_sync(&auditor->file);
	else if (!auditor->sync_at)
		auditor->sync_at = now + SYNC_MS;
	to_journal(auditor);
	auditor->stored = auditor->number;
	auditor->owed = true;
	auditor->counts.records += auditor->lines;
	auditor->lines = 0;
	auditor->length = 0;
	return true;
}

static void
gather_lost(struct auditor *auditor)
{
	uint64_t session;

	while (auditor->lines < BATCH_RECORDS && (session = sessions_any(&auditor->sessions))) {
		struct ipc_record record = {.event = EVENT_SESSION_END,
					    .reason = REASON_BROKER_LOST,
					    .session = session};

		record_now(&record);
		gather(auditor, &record);
	}
}

static void
ready(struct auditor *auditor)
{
	struct serve_client *client = auditor->greeting;
	struct ipc_stored answer = {.head = {MSG_AUDIT_READY}};
	uint64_t instance = peer_of(auditor, client)->instance;

	if (instance != auditor->trail.run) {
		auditor->trail.run = instance;
		auditor->number = 0;
		auditor->stored = 0;
	}
	auditor->greeting = NULL;
	auditor->owed = false;
	client->state = IPC_OPEN;
	answer.number = auditor->stored;
	(void)serve_answer(client, &answer, sizeof(answer));
}

/* Returns false when that waits for the file. */
static bool
finish_greeting(struct auditor *auditor)
{
	if (!auditor->greeting)
		return true;
	if (peer_of(auditor, auditor->greeting)->instance != auditor->trail.run) {
		do {
			gather_lost(auditor);
			if (!write_batch(auditor))
				return false;
		} while (sessions_any(&auditor->sessions));
	}
	ready(auditor);
	return true;
}

static void
answer_stored(struct auditor *auditor)
{
	struct serve_client *client = client_in(auditor, PEER_GREETED);
	struct ipc_stored answer = {.head = {MSG_STORED}, .number = auditor->stored};

	/* When an answer still waits, this one follows it: serve_answer() says so. */
	if (auditor->owed && client && client->state == IPC_OPEN &&
	    serve_answer(client, &answer, sizeof(answer)) == 0)
		auditor->owed = false;
}

void
trail_turn(struct auditor *auditor)
{
	if (!write_batch(auditor) || !finish_greeting(auditor))
		return;
	answer_stored(auditor);
	if (auditor->sync_at && serve_now_ms() >= auditor->sync_at) {
		file_sync(&auditor->file);
		auditor->sync_at = 0;
	}
}

int
trail_wait_ms(const struct auditor *auditor)
{
	uint64_t now = serve_now_ms();
	uint64_t due = auditor->retry_at ? auditor->retry_at : auditor->sync_at;

	if (!due)
		return -1;
	return due > now ? (int)(due - now) : 0;
}

void
trail_end(struct auditor *auditor)
{
	auditor->retry_at = 0;
	trail_turn(auditor);
	file_sync(&auditor->file);
}
