/* SPDX-License-Identifier: ISC */
#include "cli/which.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/facts.h"

#define RUN_DIR    "/run/sockward/"
#define LOG_DIR    "/var/log/sockward/"
#define POLICY_DIR SYSCONFDIR "/sockward/"

bool
which_tenant(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");

	return n > 0 && n < TENANT_SIZE && text[n] == '\0';
}

static int
no_tenant(const char *text)
{
	fprintf(stderr,
		"sockward: '%s' is no tenant: these have 1 to 16 lower-case letters and digits\n",
		text);
	return -1;
}

/* Only directories of this user or of root: /tmp is everybody's. */
static bool
trusted(const char *dir)
{
	struct stat st;

	return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
	       (st.st_uid == geteuid() || st.st_uid == 0) && !(st.st_mode & 022);
}

static bool
answers(const char *dir)
{
	int fd;

	errno = 0;
	fd = strlen(dir) < CONTROL_DIR && trusted(dir) ? facts_status_open(dir) : -1;
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* Adds those of a pattern that answer. @closed: one that this user may not ask. */
static void
look(const char *pattern, struct which_suites *suites, char closed[CONTROL_DIR])
{
	glob_t found = {0};

	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc && suites->n < WHICH_SUITES; i++) {
		const char *dir = found.gl_pathv[i];

		if (answers(dir))
			snprintf(suites->dirs[suites->n++], CONTROL_DIR, "%s", dir);
		else if (errno == EACCES)
			snprintf(closed, CONTROL_DIR, "%s", dir);
	}
	globfree(&found);
}

static int
look_everywhere(struct which_suites *suites)
{
	const char *mine = getenv("XDG_RUNTIME_DIR");
	char closed[CONTROL_DIR] = "";
	char pattern[256];

	if (mine && *mine == '/' &&
	    (size_t)snprintf(pattern, sizeof(pattern), "%s/sockward-*", mine) < sizeof(pattern))
		look(pattern, suites, closed);
	look(RUN_DIR "*", suites, closed);
	look("/tmp/sockward-*", suites, closed);
	if (suites->n > 0)
		return 0;
	if (closed[0])
		fprintf(stderr,
			"sockward: you may not ask the suite in %s: be root or, where systemd runs "
			"it, in the group sockward\n",
			closed);
	else
		fputs("sockward: no suite of yours is running here. Start one with "
		      "`sockward run`, or name it: --tenant NAME, --runtime-dir DIR.\n",
		      stderr);
	return -1;
}

static const char *
environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* Options come before the environment, and a directory before a tenant. */
static struct which
chosen(const struct which *which)
{
	if (which->dir || which->tenant)
		return *which;
	return (struct which){environment("SOCKWARD_RUNTIME_DIR"), environment("SOCKWARD_TENANT")};
}

bool
which_named(const struct which *which)
{
	struct which its = chosen(which);

	return its.dir || its.tenant;
}

int
which_suites(const struct which *which, struct which_suites *suites)
{
	struct which its = chosen(which);

	suites->n = 0;
	if (!its.dir && !its.tenant)
		return look_everywhere(suites);
	if (!its.dir && !which_tenant(its.tenant))
		return no_tenant(its.tenant);
	if (its.dir && strlen(its.dir) >= CONTROL_DIR) {
		fputs("sockward: the runtime directory's path is too long\n", stderr);
		return -1;
	}
	snprintf(suites->dirs[suites->n++], CONTROL_DIR, "%s%s", its.dir ? "" : RUN_DIR,
		 its.dir ? its.dir : its.tenant);
	return 0;
}

void
which_option(const char *dir, char out[WHICH_OPTION])
{
	size_t n = strlen(RUN_DIR);

	if (strncmp(dir, RUN_DIR, n) == 0 && which_tenant(dir + n))
		snprintf(out, WHICH_OPTION, "--tenant %s", dir + n);
	else
		snprintf(out, WHICH_OPTION, "--runtime-dir %s", dir);
}

int
which_suite(const struct which *which, char dir[CONTROL_DIR])
{
	struct which_suites suites;
	char option[WHICH_OPTION];

	if (which_suites(which, &suites) < 0)
		return -1;
	if (suites.n == 1) {
		memcpy(dir, suites.dirs[0], CONTROL_DIR);
		return 0;
	}
	fputs("sockward: several suites are running; say which:\n", stderr);
	for (size_t i = 0; i < suites.n; i++) {
		which_option(suites.dirs[i], option);
		fprintf(stderr, "  %s\n", option);
	}
	return -1;
}

int
which_trail(const char *tenant, char path[WHICH_PATH])
{
	if (!tenant)
		tenant = environment("SOCKWARD_TENANT");
	if (!tenant)
		return 0;
	if (!which_tenant(tenant))
		return no_tenant(tenant);
	snprintf(path, WHICH_PATH, LOG_DIR "%s/audit.jsonl", tenant);
	return 1;
}

static bool
policy_of(const char *tenant, char path[WHICH_PATH])
{
	if (which_tenant(tenant))
		snprintf(path, WHICH_PATH, POLICY_DIR "%s.json", tenant);
	return which_tenant(tenant);
}

int
which_policy(const char *what, char path[WHICH_PATH], char tenant[TENANT_SIZE])
{
	const char *dot = strrchr(what, '.');
	size_t n = strlen(POLICY_DIR);
	char its[WHICH_PATH];

	tenant[0] = '\0';
	if (!strchr(what, '/') && !(dot && strcmp(dot, ".json") == 0) && strcmp(what, "-") != 0) {
		if (!policy_of(what, path))
			return no_tenant(what);
		snprintf(tenant, TENANT_SIZE, "%s", what);
		return 0;
	}
	if ((size_t)snprintf(path, WHICH_PATH, "%s", what) >= WHICH_PATH) {
		fputs("sockward: the policy's path is too long\n", stderr);
		return -1;
	}
	if (dot && strncmp(what, POLICY_DIR, n) == 0 && dot > what + n &&
	    dot < what + n + TENANT_SIZE)
		snprintf(tenant, TENANT_SIZE, "%.*s", (int)(dot - (what + n)), what + n);
	if (!policy_of(tenant, its) || strcmp(its, path) != 0)
		tenant[0] = '\0';
	return 0;
}
