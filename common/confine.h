/* SPDX-License-Identifier: ISC */
/*
 * The steps by which a program takes away what it does not need. Each step that
 * fails ends the program (fail_start): none is optional, none has a switch. The
 * only exception is what a kernel does not know: Landlock is sized by the ABI
 * that the kernel offers, and confine() reports what is on.
 */
#ifndef SOCKWARD_COMMON_CONFINE_H
#define SOCKWARD_COMMON_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "seccomp/install.h"

struct confinement {
	/* Each is lowered to this, or raised to the inherited hard limit if that is less. */
	rlim_t descriptors;       /* RLIMIT_NOFILE; 0: the hard limit */
	rlim_t address_space;     /* RLIMIT_AS in bytes; 0: the hard limit */
	rlim_t file_bytes;        /* RLIMIT_FSIZE; 0 forbids writing files; RLIM_INFINITY */
	void (*files)(int rules); /* what may be opened: one of the two below, or NULL: nothing */
	bool tcp; /* may connect and bind TCP: the broker, the resolver; refused elsewhere */
	const struct filter *filter;
};

/**
 * confine() - take away everything but @wanted.
 *
 * In this order: SIGPIPE ignored, core dumps off, rlimits, non-dumpable,
 * no_new_privs, all capabilities dropped in every set (libcap-ng), Landlock,
 * the seccomp filter. Must be called before the first byte of a peer is read,
 * with a single thread. Ends the program when any step fails.
 */
void confine(const struct confinement *wanted);

/**
 * confine_read() - for confinement.files: what the resolver reads, and nothing else.
 * @rules: a Landlock ruleset. Ends the program on failure.
 *
 * Files below /etc, /run and /usr/lib/systemd, where /etc/resolv.conf may lead to, and
 * /dev/urandom. No directory is listed, nothing written, nothing run.
 */
void confine_read(int rules);

/**
 * confine_read_exec() - read and run, write nothing: the listener starts workers.
 */
void confine_read_exec(int rules);

/**
 * confine_landlock_abi() - the Landlock ABI of this kernel; 0, with errno, when it
 * has none (ENOSYS, EOPNOTSUPP) or something hides it.
 */
int confine_landlock_abi(void);

#endif
