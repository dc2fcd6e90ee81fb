/* SPDX-License-Identifier: ISC */
/*
 * One lookup, in a process of its own that is forked for it: what hangs or is
 * taken over by an answer of the network holds one name, has one pipe to speak
 * into, and is gone at its deadline: a filter on top of the resolver's takes all
 * from it that could put that off, or make a process more. What it says, it says
 * for one grant.
 */
#ifndef SOCKWARD_HELPERS_RESOLVER_LOOKUP_H
#define SOCKWARD_HELPERS_RESOLVER_LOOKUP_H

#include "helpers/resolver/dns.h"

/**
 * lookup_prepare() - what is done once for all lookups, before confine().
 *
 * Removes the variables by which the environment could change lookups, has ended
 * children reaped by the kernel, and leaves of TCP connecting to port 53, where the
 * kernel has Landlock's ABI 4. Sets no_new_privs. Ends the program on failure.
 */
void lookup_prepare(void);

/**
 * lookup_confine() - what is taken from the process of a lookup before it begins.
 *
 * All files but those that c-ares reads and /dev/urandom, as they are now; and calls
 * that the resolver alone needs. Gives rand(3) a seed. no_new_privs must be set.
 *
 * Returns 0, or -1 with errno.
 */
int lookup_confine(void);

/**
 * lookup_start() - fork a process that looks a name up.
 * @name: canonical, as policy_host() gives it.
 * @deadline_ms: after this long the kernel ends the process.
 *
 * Returns the reading end of its pipe, non-blocking and close-on-exec: it brings
 * one struct lookup_result, or its end alone. Or -1 with errno.
 */
int lookup_start(const char *name, unsigned int deadline_ms);

#endif
