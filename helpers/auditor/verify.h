/* SPDX-License-Identifier: ISC */
/*
 * Reading an audit file from its start to its end and proving its chain, in
 * constant memory. The auditor does it at its start, `sockward audit` for people.
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_VERIFY_H
#define SOCKWARD_HELPERS_AUDITOR_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "helpers/auditor/chain.h"
#include "helpers/auditor/line.h"

/* What is wrong with the first bad line. */
enum verify_fault {
	VERIFY_FINE,
	VERIFY_NOT_RECORD, /* no line as the auditor writes them */
	VERIFY_ALTERED,    /* its hash is not that of its bytes */
	VERIFY_DELETED,    /* records are missing before it */
	VERIFY_SWAPPED,    /* records stand in another order */
	VERIFY_REPLACED,   /* it does not follow the line before, which was exchanged */
	VERIFY_TRUNCATED,  /* the last line has no end */
};

struct verify_result {
	enum verify_fault fault;
	uint64_t line;       /* the first bad line, from 1; 0: none */
	uint64_t seq;        /* the record that should stand there */
	uint64_t found;      /* the record that does; 0: none that can be read */
	uint64_t lines;      /* in the file, an unended one included */
	uint64_t records;    /* proven, from the start */
	struct chain proven; /* the last proven record */
	struct chain last;   /* the last record that can be read, proven or not */
	uint64_t tail_at;    /* where an unended last line begins, in bytes from the start */
	uint64_t size;       /* bytes of the file */
};

/* Called for each line that can be read as a record, in order; line is without its newline. */
typedef void verify_each(void *context, const struct line *parsed, const char *line, size_t length,
			 bool proven);

/**
 * verify_file() - read and prove a file.
 * @fd: at its start.
 * @each: or NULL. @context: for @each.
 * @result: set on success.
 *
 * Returns 0 when the file was read to its end, whatever it holds, or -1 with
 * errno. When only the last line has no end, fault is VERIFY_TRUNCATED, and all
 * before it is proven.
 */
int verify_file(int fd, verify_each *each, void *context, struct verify_result *result);

/**
 * verify_sentence() - what is wrong, for a person; a constant.
 */
const char *verify_sentence(enum verify_fault fault);

#endif
