/* SPDX-License-Identifier: ISC */
/*
 * Stands between confine() and the kernel (ld --wrap): counts the calls that it
 * makes, and lets one of them fail, or do nothing and report success.
 */
#ifndef SOCKWARD_TESTS_FAULTS_H
#define SOCKWARD_TESTS_FAULTS_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cap-ng.h>

#define FAULTS_CALLS 64
#define FAULTS_NEVER (-1)

/* Shared between the test and its children. */
struct faults {
	int calls;
	const char *names[FAULTS_CALLS];
	int fails;           /* number of the call that fails, or FAULTS_NEVER */
	int error;           /* errno of that failure */
	int abi;             /* of Landlock, as the kernel is made to say; 0 leaves it the word */
	uint64_t ruleset[3]; /* what was asked of Landlock: files, network, scope */
	size_t ruleset_size;
	int lies; /* number of the call that does nothing, or FAULTS_NEVER */
};

/**
 * faults_start() - make the shared state. Returns it, or NULL.
 */
struct faults *faults_start(void);

/* The calls themselves, for what a test asks on its own. */
int __real_sigaction(int number, const struct sigaction *to, struct sigaction *from);
int __real_getrlimit(__rlimit_resource_t resource, struct rlimit *to);
int __real_setrlimit(__rlimit_resource_t resource, const struct rlimit *to);
int __real_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int __real_capng_get_caps_process(void);
int __real_capng_apply(capng_select_t set);
int __real_open(const char *path, int flags, ...);
long __real_syscall(long call, ...);

#endif
