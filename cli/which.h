/* SPDX-License-Identifier: ISC */
/* Which suite is meant: by its directory, by its tenant, or the only one there is. */
#ifndef SOCKWARD_CLI_WHICH_H
#define SOCKWARD_CLI_WHICH_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/control.h"

#define TENANT_SIZE  17  /* of a tenant's name, with its NUL */
#define WHICH_PATH   512 /* of a file that belongs to a tenant */
#define WHICH_SUITES 256 /* that are looked at: of more, the first ones by name */
#define WHICH_OPTION (CONTROL_DIR + 16)

/* What was named on the command line; NULL for what was not. */
struct which {
	const char *dir;    /* --runtime-dir */
	const char *tenant; /* --tenant */
};

struct which_suites {
	size_t n;
	char dirs[WHICH_SUITES][CONTROL_DIR];
};

/**
 * which_tenant() - is this the name of a tenant: 1 to 16 lower-case letters and digits?
 */
bool which_tenant(const char *text);

/**
 * which_suites() - the suites that can be meant.
 * @which: what was named.
 * @suites: set on success; at least one.
 *
 * In this order: what @which names, $SOCKWARD_RUNTIME_DIR, $SOCKWARD_TENANT; else all that
 * answer of this user (or of root) in $XDG_RUNTIME_DIR, /run/sockward and /tmp, by name.
 * Returns 0, or -1 after a message that says what to do.
 */
int which_suites(const struct which *which, struct which_suites *suites);

/**
 * which_suite() - the one that is meant.
 * @dir: set to its runtime directory on success.
 *
 * Where several can be meant, a message names each with the option for it.
 * Returns 0, or -1 after a message.
 */
int which_suite(const struct which *which, char dir[CONTROL_DIR]);

/**
 * which_named() - is a suite named, by @which or in the environment?
 */
bool which_named(const struct which *which);

/**
 * which_option() - what to write for that suite: "--tenant demo", "--runtime-dir /tmp/a".
 */
void which_option(const char *dir, char out[WHICH_OPTION]);

/**
 * which_trail() - the audit trail of a tenant, as systemd's units have it.
 * @tenant: or NULL, for $SOCKWARD_TENANT.
 * @path: set on success.
 *
 * Returns 1; 0 when no tenant is named; -1 after a message.
 */
int which_trail(const char *tenant, char path[WHICH_PATH]);

/**
 * which_policy() - a policy file, named as a tenant or as a file.
 * @what: a tenant, or a path: what has a slash, ends in ".json" or is "-".
 * @path: receives the file.
 * @tenant: receives the tenant whose file that is, in /etc/sockward; else empty.
 *
 * Returns 0, or -1 after a message; what the two hold is then undefined.
 */
int which_policy(const char *what, char path[WHICH_PATH], char tenant[TENANT_SIZE]);

#endif
