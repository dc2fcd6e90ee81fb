/* SPDX-License-Identifier: ISC */
/*
 * What the auditor does with the broker's messages: greets one broker at a time,
 * closes on record what a lost one left open, gathers records into batches,
 * writes them, and only then says that they are stored.
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_TRAIL_H
#define SOCKWARD_HELPERS_AUDITOR_TRAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "helpers/auditor/file.h"
#include "helpers/auditor/journal.h"
#include "helpers/auditor/metrics.h"
#include "helpers/auditor/scan.h"
#include "helpers/serve.h"

#define BATCH_RECORDS SERVE_BATCH         /* of one broker, in one turn */
#define BATCH_LINES   (2 * BATCH_RECORDS) /* each may complete a scan, which is a line more */
#define SYNC_MS       100                 /* from a write to its sync, at most */
#define RETRY_MS      1000                /* from a failed write to the next */

/* What a client is to us. */
enum peer_role {
	PEER_NEW,     /* said nothing yet */
	PEER_WAITING, /* said who it is, while another broker's records are being read */
	PEER_GREETED, /* the one whose records are taken */
};

struct peer {
	enum peer_role role;
	uint64_t instance;
};

struct auditor {
	struct serve serve;
	struct audit_file file;
	struct trail trail;
	struct journal journal;
	struct sessions sessions;
	struct scans scans;
	struct ipc_metrics counts; /* but journal_lost and failing_ms, which are asked for */
	struct metrics metrics;
	struct peer peers[SERVE_CLIENTS];
	struct serve_client *greeting; /* its AUDIT_READY is due; or NULL */
	uint64_t number;               /* of this run: last one in the file or the batch */
	uint64_t stored;               /* of this run: last one in the file */
	bool owed;                     /* a STORED is due, also for records that came twice */
	bool sync;                     /* sync before STORED */
	bool failing;                  /* the last write failed, and that was said */
	uint64_t failing_since;        /* ms */
	uint64_t sync_at;              /* ms; 0: nothing to sync */
	uint64_t retry_at;             /* ms; 0: the last write went well */
	size_t lines;
	size_t length;
	char batch[BATCH_LINES * LINE_MOST];
};

/**
 * trail_message() - serve.message of the auditor.
 */
int trail_message(struct auditor *auditor, struct serve_client *client, const union ipc_any *any);

/**
 * trail_gone() - serve.gone of the auditor.
 */
void trail_gone(struct auditor *auditor, const struct serve_client *client);

/**
 * trail_turn() - write what was gathered, answer, sync what is due.
 */
void trail_turn(struct auditor *auditor);

/**
 * trail_wait_ms() - until trail_turn() has something to do; -1: until a message comes.
 */
int trail_wait_ms(const struct auditor *auditor);

/**
 * trail_end() - write and sync what is there, at an orderly end.
 */
void trail_end(struct auditor *auditor);

#endif
