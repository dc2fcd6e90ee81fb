/* SPDX-License-Identifier: ISC */
/*
 * Records to systemd's journal, by its native protocol
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/) on an own non-blocking socket.
 * Every value is in the length-prefixed form, so none can make up a field. The
 * journal is a copy: when it is absent or full the record is in the file alone,
 * and that is counted.
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_JOURNAL_H
#define SOCKWARD_HELPERS_AUDITOR_JOURNAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct journal {
	int fd; /* -1: none is wanted */
	struct sockaddr_un name;
	uint64_t lost; /* since the last note */
	uint64_t lost_total;
	uint64_t noted_ms; /* when the last note was made; 0: never */
};

/**
 * journal_open() - make the socket.
 * @path: of the journal's socket, which may come later; or "none".
 *
 * Ends the program when @path is too long or no socket can be made.
 */
void journal_open(struct journal *journal, const char *path);

/**
 * journal_send() - hand a line of the audit file to the journal.
 * @line: without its newline. @length: its bytes.
 *
 * Never blocks and never fails: what is lost is counted, and noted in the log
 * at most once a minute.
 */
void journal_send(struct journal *journal, const char *line, size_t length);

/**
 * journal_build() - the datagram of a line.
 * @out: receives it. @size: room; 3 * LINE_MOST is always enough.
 *
 * Returns its length, or 0 when @line is no record or there is no room.
 */
size_t journal_build(const char *line, size_t length, char *out, size_t size);

#endif
