/* SPDX-License-Identifier: ISC */
/*
 * A filter as data. A table is a file seccomp/NAME.def of rows:
 *
 *   TABLE(name, otherwise, most, about)   first row: what happens to a call that
 *                                         has no row, and how many may be allowed
 *   CALL(name, reason)                    allowed
 *   CALL_IF(name, arg, mask, value, reason)
 *                                         allowed when (argument & mask) == value, in
 *                                         64 bits. Several rows on one call are ORed
 *                                         by the kernel's rules: they must test one
 *                                         and the same argument
 *   ERRNO(name, errno, reason)            refused with that errno: libc makes it on
 *                                         its own and can do without
 *   KILL(name, reason)                    ends the process
 *
 * A call that this architecture does not have is left out of the program, and
 * stays in the listing.
 */
#ifndef SOCKWARD_SECCOMP_TABLE_H
#define SOCKWARD_SECCOMP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum row_kind {
	ROW_TABLE,
	ROW_CALL,
	ROW_CALL_IF,
	ROW_ERRNO,
	ROW_KILL,
};

/* What a table does with calls that it does not name. */
enum otherwise {
	OTHERWISE_KILL,   /* the process: worker */
	OTHERWISE_REFUSE, /* EPERM and a line in the kernel's log: all others */
	OTHERWISE_ALLOW,  /* a table on top of another: session, lookup */
};

struct row {
	enum row_kind kind;
	const char *name;
	unsigned int number; /* TABLE: most; CALL_IF: argument, from 0; ERRNO: errno */
	enum otherwise otherwise;
	uint64_t mask;
	uint64_t value;
	const char *condition; /* as written, for the listing */
	const char *reason;
};

struct table {
	const struct row *rows; /* the first is ROW_TABLE */
	size_t count;
};

/* All tables, in the order of the way of the data. */
extern const struct table tables[];
extern const size_t tables_count;

/**
 * table_find() - the table of that name, or NULL.
 */
const struct table *table_find(const char *name);

/**
 * table_fault() - what is wrong with a table.
 * @table: any rows.
 * @row: receives the index of the offending row when there is a fault.
 *
 * Refuses what libseccomp takes in silence: a narrow rule beside an unconditional
 * one on the same call (it vanishes), tests of two arguments of one call (they are
 * ORed), a test that nothing can pass. Refuses also a repeated row, an odd row
 * without a reason, and more allowed calls than the table's own limit.
 *
 * Returns a constant string, or NULL when the table is sound.
 */
const char *table_fault(const struct table *table, size_t *row);

/**
 * table_allowed() - how many different calls a table allows.
 */
size_t table_allowed(const struct table *table);

/**
 * table_list() - write the readable form, the same on each architecture.
 */
void table_list(const struct table *table, FILE *out);

#endif
