/* SPDX-License-Identifier: ISC */
/*
 * Words for the operator, and the three kinds of failure. A line goes to
 * standard error, with systemd's <N> priority when the journal reads it, and with the program's
 * name. Text of a peer never goes in here: it belongs on record, escaped.
 *
 *   refuse  the peer's fault; its session ends; on record, never in the log
 *   fail    the environment; logged; the caller goes on as it documents
 *   bug     impossible; logged; the process aborts
 */
#ifndef SOCKWARD_COMMON_LOG_H
#define SOCKWARD_COMMON_LOG_H

#include <errno.h>
#include <stdlib.h>

/**
 * log_put() - one line to standard error; what all the words below are made of.
 * @priority: "<N>" of sd-daemon(3), for the journal.
 * @error: of errno(3), whose text is added; or 0.
 * @format: as printf(3), without a newline. A line is cut at 1,000 bytes.
 *
 * Never blocks on a socket or journal that does not read: the line is lost then.
 * Returns -1. errno is kept.
 */
int log_put(const char *priority, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Something an operator wants to know; no error. */
#define log_note(...) ((void)log_put("<6>", 0, __VA_ARGS__))

/* What could not be done, naming the thing. It is -1: a caller can `return fail(...)`. */
#define fail(...) log_put("<3>", errno, __VA_ARGS__)

/* The same, and the program ends with status 1. */
#define fail_start(...) ((void)fail(__VA_ARGS__), exit(1))

/* An impossibility; the program aborts. */
#define bug(...) ((void)log_put("<2>", 0, __VA_ARGS__), abort())

#endif
