/* SPDX-License-Identifier: ISC */
#include "common/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"

/*
 * Rights by ABI, as numbers: the build's headers may be older than the kernel.
 * ABI 2 brought REFER, 3 TRUNCATE, 5 IOCTL_DEV.
 */
static const uint64_t fs_rights[] = {0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff};
#define BOTH_RIGHTS 0x3ULL /* TCP: bind, connect; scope: abstract Unix sockets, signals */

static void
must(bool done, const char *step)
{
	if (!done)
		fail_start("cannot %s", step);
}

/* Never raises a hard limit: confining only takes away. RLIM_INFINITY: all that there is. */
static void
limit(__rlimit_resource_t resource, rlim_t most)
{
	struct rlimit now;

	must(getrlimit(resource, &now) == 0, "read a resource limit");
	now.rlim_cur = now.rlim_max = now.rlim_max < most ? now.rlim_max : most;
	must(setrlimit(resource, &now) == 0, "set a resource limit");
}

static void
drop_capabilities(void)
{
	int sets = CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT, none;

	must(capng_get_caps_process() == 0, "read the capabilities");
	/* Only who holds CAP_SETPCAP can empty the bounding set; no_new_privs makes it idle. */
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		sets = CAPNG_SELECT_ALL;
	/* A unit that leaves none leaves no capset(2) either. */
	none = capng_have_capabilities(sets) == CAPNG_NONE;
	capng_clear(CAPNG_SELECT_ALL);
	must(none || capng_apply((capng_select_t)sets) == 0, "drop the capabilities");
	must(capng_get_caps_process() == 0 && capng_have_capabilities(sets) == CAPNG_NONE,
	     "drop all capabilities");
}

int
confine_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

int
filter_install(const struct filter *filter)
{
	struct sock_fprog program = {filter->length,
				     (struct sock_filter *)(uintptr_t)filter->program};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter->flags, &program) == 0 ? 0 : -1;
}

void
confine(const struct confinement *wanted)
{
	int rules, abi = confine_landlock_abi();
	/* Files; TCP, from ABI 4; scope, from ABI 6. E2BIG to one that a kernel does not know. */
	uint64_t attr[] = {fs_rights[abi < 5 ? abi : 5], wanted->tcp ? 0 : BOTH_RIGHTS,
			   BOTH_RIGHTS};
	size_t size = sizeof(attr[0]) * (abi < 4 ? 1 : abi < 6 ? 2 : 3);

	/* A kernel without Landlock is a kernel; a filter of a container that hides it is not. */
	must(abi || errno == ENOSYS || errno == EOPNOTSUPP, "ask for Landlock");
	/* A closed peer, or a log file where no file may grow, costs a line and not the process. */
	must(signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGXFSZ, SIG_IGN) != SIG_ERR,
	     "ignore SIGPIPE and SIGXFSZ");
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, wanted->descriptors ? wanted->descriptors : RLIM_INFINITY);
	limit(RLIMIT_AS, wanted->address_space ? wanted->address_space : RLIM_INFINITY);
	limit(RLIMIT_FSIZE, wanted->file_bytes);
	must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0,
	     "become non-dumpable");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		     prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
	     "set no_new_privs");
	drop_capabilities();
	if (abi) {
		rules = (int)syscall(SYS_landlock_create_ruleset, attr, size, 0);
		must(rules >= 0, "make a Landlock ruleset");
		if (wanted->files)
			wanted->files(rules);
		must(syscall(SYS_landlock_restrict_self, rules, 0) == 0, "restrict by Landlock");
		(void)close(rules);
	}
	/* Said before the filter: a worker's does not let it speak. */
	log_note("confining: no capabilities, Landlock %d, filter %s", abi, wanted->filter->name);
	must(filter_install(wanted->filter) == 0, "load the seccomp filter");
}
