/* SPDX-License-Identifier: ISC */
#include "tests/unit/faults.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static struct faults *shared;

struct faults *
faults_start(void)
{
	void *room = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);

	shared = room == MAP_FAILED ? NULL : room;
	return shared;
}

static bool
misbehaves(const char *name, long *result)
{
	int now = shared->calls++;

	if (now >= FAULTS_CALLS)
		abort();
	shared->names[now] = name;
	if (now != shared->fails && now != shared->lies)
		return false;
	errno = shared->error;
	*result = now == shared->fails ? -1 : 0;
	return true;
}

int __wrap_sigaction(int number, const struct sigaction *to, struct sigaction *from);
int
__wrap_sigaction(int number, const struct sigaction *to, struct sigaction *from)
{
	long result;

	return misbehaves("sigaction", &result) ? (int)result : __real_sigaction(number, to, from);
}

int __wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *to);
int
__wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *to)
{
	long result;

	memset(to, 0, sizeof(*to));
	return misbehaves("getrlimit", &result) ? (int)result : __real_getrlimit(resource, to);
}

int __wrap_setrlimit(__rlimit_resource_t resource, const struct rlimit *to);
int
__wrap_setrlimit(__rlimit_resource_t resource, const struct rlimit *to)
{
	long result;

	return misbehaves("setrlimit", &result) ? (int)result : __real_setrlimit(resource, to);
}

int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int
__wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	bool reads = option == PR_GET_DUMPABLE || option == PR_GET_NO_NEW_PRIVS;
	long result;

	return misbehaves(reads ? "prctl (reads)" : "prctl", &result)
		       ? (int)result
		       : __real_prctl(option, a, b, c, d);
}

int __wrap_capng_get_caps_process(void);
int
__wrap_capng_get_caps_process(void)
{
	long result;

	return misbehaves("capng_get_caps_process", &result) ? (int)result
							     : __real_capng_get_caps_process();
}

int __wrap_capng_apply(capng_select_t set);
int
__wrap_capng_apply(capng_select_t set)
{
	long result;

	return misbehaves("capng_apply", &result) ? (int)result : __real_capng_apply(set);
}

int __wrap_open(const char *path, int flags, ...);
int
__wrap_open(const char *path, int flags, ...)
{
	long result;

	return misbehaves("open", &result) ? (int)result : __real_open(path, flags);
}

long __wrap_syscall(long call, ...);
long
__wrap_syscall(long call, ...)
{
	const char *name = call == SYS_seccomp                  ? "seccomp"
			   : call == SYS_landlock_add_rule      ? "landlock_add_rule"
			   : call == SYS_landlock_restrict_self ? "landlock_restrict_self"
								: "landlock_create_ruleset";
	long a[4];
	long result;
	va_list args;

	va_start(args, call);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (call == SYS_landlock_create_ruleset && a[0]) {
		memcpy(shared->ruleset, (const void *)a[0], (size_t)a[1]);
		shared->ruleset_size = (size_t)a[1];
	} else if (call == SYS_landlock_create_ruleset && shared->abi) {
		return shared->abi;
	}
	return misbehaves(name, &result) ? result : __real_syscall(call, a[0], a[1], a[2], a[3]);
}
