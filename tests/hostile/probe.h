/* SPDX-License-Identifier: ISC */
/* What the probes call: numbers that are written down here and not taken from a table. */
#ifndef SOCKWARD_TESTS_HOSTILE_PROBE_H
#define SOCKWARD_TESTS_HOSTILE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One way into the kernel. */
struct call {
	const char *name;
	long number;
	uint64_t args[6];
	bool may_crash;                        /* the machine may not have this entry at all */
	int (*enter)(const struct call *call); /* returns 0 or errno */
};

struct forbidden {
	const char *name;
	long number;
	bool libc;        /* may be answered with any errno: libc makes it on its own */
	unsigned int has; /* bits of the subjects that rightly have it */
};

extern const struct forbidden forbidden[];
extern const size_t forbidden_count;

/* x32 numbers and the 32-bit entry; none on a machine that has no such thing. */
extern const struct call entries[];
extern const size_t entries_count;

/**
 * call_enter() - make the call by syscall(2). Returns 0 or errno.
 */
int call_enter(const struct call *call);

#endif
