/* SPDX-License-Identifier: ISC */
/* For tests of errors in policies. In the texts ' stands for ". */
#ifndef SOCKWARD_TESTS_POLICY_WRONG_H
#define SOCKWARD_TESTS_POLICY_WRONG_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/read.h"

/* The part that a case is about begins in line 2 or 3, column 1. */
#define BASE        "{'version':1,'hosts':['h'],'dialects':['raw'],"
#define TOP(part)   BASE "'grants':{},\n" part "}"
#define GRANT(part) BASE "'grants':{'g':{'auth':'none','origins':['none'],\n" part "}}}"
#define ALLOW(part) GRANT("'allow':[\n" part "]")
#define DENY(part)  GRANT("'deny':[\n" part "]")
#define TO(text)    ALLOW("{'to':'" text "','protocols':['tcp']}")
#define AUTH(part)  BASE "'grants':{'g':{'auth':\n" part "}}}"
#define HASH        "sha256:00000000000000000000000000000000000000000000000000000000000000aa"

struct wrong {
	const char *text;
	unsigned int line;
	unsigned int column;
	const char *says;
	const char *hints; /* part of the hint; "" for none */
};

/* Of the last read_text(). */
extern struct report report;

/**
 * read_text() - read a policy whose double quotes are single ones.
 */
struct policy_source *read_text(const char *text);

/**
 * is_said() - is that error in the report?
 */
bool is_said(const struct wrong *wrong);

/**
 * check() - each case must have that error, and no other.
 */
void check(const struct wrong *wrong, size_t n);

#define CHECK(list) check(list, sizeof(list) / sizeof((list)[0]))

#endif
