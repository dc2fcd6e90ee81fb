/* SPDX-License-Identifier: ISC */
/*
 * What is wrong with a policy, for the person who wrote it: where, what, and
 * what to write instead.
 */
#ifndef SOCKWARD_POLICY_REPORT_H
#define SOCKWARD_POLICY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define REPORT_MOST 40
#define REPORT_TEXT 320

/* Both count from 1; the column counts characters. Line 0: the file as a whole. */
struct place {
	unsigned int line;
	unsigned int column;
};

struct report_entry {
	struct place at;
	bool note; /* else an error */
	char text[REPORT_TEXT];
	char hint[REPORT_TEXT]; /* empty: none */
};

/* Zeroed by the caller at the start. */
struct report {
	struct report_entry entries[REPORT_MOST];
	size_t n;      /* entries kept: the first REPORT_MOST */
	size_t errors; /* all errors, kept or not */
};

/**
 * report_error() - add an error.
 * @hint: what to do about it, no format; or NULL.
 * @format: as printf(3), one sentence without capital and full stop.
 */
void report_error(struct report *report, struct place at, const char *hint, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * report_note() - add what is no error but worth knowing.
 */
void report_note(struct report *report, struct place at, const char *hint, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * report_print() - print all, in the order of the file: `FILE:LINE:COL: error: text`.
 * @file: its name, as the person gave it.
 *
 * What is not printable comes out as a question mark.
 */
void report_print(const struct report *report, const char *file, FILE *out);

#endif
