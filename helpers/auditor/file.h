/* SPDX-License-Identifier: ISC */
/*
 * The audit file: opened for one auditor alone, read through, repaired where a
 * power cut left half a line, appended to and synced. What is in it is always
 * whole lines, whatever the disk does in between.
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_FILE_H
#define SOCKWARD_HELPERS_AUDITOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "helpers/auditor/record.h"
#include "helpers/auditor/sessions.h"

struct audit_file {
	int fd;
	uint64_t size; /* of what is known to be whole lines */
	bool torn;     /* bytes of a failed write may stand behind it */
};

/**
 * file_open() - open or make the file, and lock it.
 * @path: with O_NOFOLLOW; or NULL when @passed is used.
 * @passed: a descriptor of a regular file, O_RDWR | O_APPEND; or -1.
 *
 * Ends the program when it is no regular file, when another auditor has it, or
 * when the system refuses.
 */
void file_open(struct audit_file *file, const char *path, int passed);

/**
 * file_scan() - read the file wholly, prove it, mend its end.
 * @trail: chain, run and sessions go on from where the file ends.
 * @number: receives the number of the last record of that run.
 * @sessions: receives those that are open.
 *
 * Half a last line is cut off, and a repair record says so; a chain that does not
 * verify is left as it stands, and a repair record says that too. Ends the
 * program when the file cannot be read or mended.
 */
void file_scan(struct audit_file *file, struct trail *trail, uint64_t *number,
	       struct sessions *sessions);

/**
 * file_append() - write whole lines.
 *
 * Returns 0, or -1 with errno, when nothing of it stays in the file: what a
 * failed write left is cut off now or, if that fails too, before the next one.
 */
int file_append(struct audit_file *file, const char *lines, size_t length);

/**
 * file_sync() - have the disk hold what was written.
 *
 * Also finds out whether someone else cut, extended or removed the file. Ends
 * the program on any of this: it starts anew, and reads the file through.
 */
void file_sync(struct audit_file *file);

#endif
