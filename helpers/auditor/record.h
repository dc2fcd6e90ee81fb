/* SPDX-License-Identifier: ISC */
/*
 * From a record to its line in the audit file. The members, their order and
 * their meaning are in sockward-audit(5). What only a worker says is named
 * claimed_*; everything else is the broker's or the kernel's word.
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_RECORD_H
#define SOCKWARD_HELPERS_AUDITOR_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "helpers/auditor/chain.h"
#include "helpers/auditor/line.h"
#include "ipc/messages.h"

#define RECORD_CUT_MOST 512 /* bytes of a cut line that are kept in the repair record */

/* What the next line depends on. */
struct trail {
	struct chain chain;
	char boot[40];    /* the kernel's boot id, as /proc has it, without a newline */
	uint64_t run;     /* the broker's instance; 0: none yet */
	int64_t clock_ns; /* wall clock less monotonic clock, in the record before */
	bool timed;       /* clock_ns is set */
};

/* Destinations that somebody asked for in vain, when they were enough to be a scan. */
struct scan_found {
	uint64_t targets; /* different ones */
	uint64_t refused; /* requests, the same destination again too */
	uint64_t window_ms;
};

/* What was wrong with a file when it was opened. */
struct repair {
	const char *reason; /* a word: line-cut, chain-broken */
	uint64_t line;      /* the line that it is about */
	const char *cut;    /* the bytes that were cut off; NULL when none were */
	size_t cut_bytes;
};

/**
 * record_line() - the line of a record.
 * @trail: goes on by one line.
 * @record: from the broker, or with number 0 the auditor's own. Its text fields
 *          are read up to their first NUL or their end.
 * @out: receives the line with its newline and a NUL behind; LINE_MOST bytes.
 *
 * Returns its length without the NUL.
 */
size_t record_line(struct trail *trail, const struct ipc_record *record, char out[LINE_MOST]);

/**
 * record_repair() - the line that says that the file was repaired, or could not be.
 *
 * As record_line(), at the present time.
 */
size_t record_repair(struct trail *trail, const struct repair *repair, char out[LINE_MOST]);

/**
 * record_scan() - the line that tells of a scan.
 * @record: the refusal that completed it; the line has its session, who asked, and
 *          its clocks.
 *
 * As record_line().
 */
size_t record_scan(struct trail *trail, const struct ipc_record *record,
		   const struct scan_found *found, char out[LINE_MOST]);

/**
 * record_now() - set a record's two clocks to the present.
 */
void record_now(struct ipc_record *record);

#endif
