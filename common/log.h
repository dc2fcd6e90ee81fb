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

#include <stdnoreturn.h>

/**
 * log_note() - something an operator wants to know; no error.
 * @format: as printf(3), without a newline. A line is cut at 1,000 bytes.
 *
 * Never blocks on a socket or journal that does not read: the line is lost then.
 */
void log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * fail() - log a failure of the environment.
 * @format: what could not be done, naming the thing; errno's text is added when
 *          errno is not 0.
 *
 * Returns -1, so that a caller can `return fail(...)`. errno is kept.
 */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * fail_start() - fail() and end the program with status 1.
 */
noreturn void fail_start(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * bug() - log an impossibility and abort.
 */
noreturn void bug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
