/* SPDX-License-Identifier: ISC */
/*
 * Telling a scan: somebody asks for many different destinations within a minute,
 * and they come to nothing. What counts is in sockward-audit(5), under scan.
 *
 * Who asks is the grant with the subject or, without one, with the client's address
 * (IPv6: its /64), as for the broker's limits: further sessions make nobody another.
 *
 * The memory is fixed. A new asker takes the place of one that was not heard of for
 * longest, among eight that a keyed hash chooses. To push somebody out on purpose so
 * many askers are needed that each could try 31 destinations without being told of.
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_SCAN_H
#define SOCKWARD_HELPERS_AUDITOR_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "helpers/auditor/record.h"

#define SCAN_TARGETS   32 /* so many different destinations are a scan */
#define SCAN_WINDOW_MS 60000
#define SCAN_SETS      128
#define SCAN_WAYS      8
#define SCAN_KEY       32 /* bytes */

/* One that asks. A destination is kept as its keyed hash. */
struct scan_watcher {
	uint64_t who;      /* a keyed hash */
	uint64_t used;     /* when it last counted, by scans.turn; 0: free */
	uint64_t start_ns; /* of its window, by the records' monotonic clock */
	uint32_t refused;  /* in the window, the same destination again too */
	uint32_t n;
	uint64_t targets[SCAN_TARGETS];
};

/* Zeroed before scan_open(). */
struct scans {
	uint8_t key[SCAN_KEY]; /* nobody can work out what collides */
	uint64_t turn;
	struct scan_watcher watchers[SCAN_SETS][SCAN_WAYS];
};

/**
 * scan_open() - draw the key.
 *
 * Ends the program when the system has no random bytes. Call it before confine().
 */
void scan_open(struct scans *scans);

/**
 * scan_count() - count a record.
 * @record: of any event, each only once. Its text fields are read up to their first
 *          NUL or their end.
 * @found: set when it completes a scan.
 *
 * Returns whether it does: at most once in a window of who asks.
 */
bool scan_count(struct scans *scans, const struct ipc_record *record, struct scan_found *found);

#endif
