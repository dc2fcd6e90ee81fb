/* SPDX-License-Identifier: ISC */
#include "helpers/resolver/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/fds.h"
#include "common/log.h"
#include "seccomp/install.h"

/*
 * By Landlock, of which more comes with confine(). As numbers: the build's headers may be
 * older than the kernel. Rights: 1 bind, 2 connect; ABI 4 has brought them.
 */
static void
dial_name_servers_alone(void)
{
	const uint64_t attr[] = {0, 1 | 2};
	const uint64_t rule[] = {2, 53};
	int rules;

	if (confine_landlock_abi() < 4)
		return;
	rules = (int)syscall(SYS_landlock_create_ruleset, attr, sizeof(attr), 0);
	if (rules < 0 || syscall(SYS_landlock_add_rule, rules, 2, rule, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		fail_start("cannot restrict TCP by Landlock");
	(void)close(rules);
}

void
lookup_prepare(void)
{
	static const char *const variables[] = {"LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES",
						"CARES_HOSTS"};
	const struct sigaction unwaited = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		(void)unsetenv(variables[i]);
	if (sigaction(SIGCHLD, &unwaited, NULL) < 0)
		fail_start("cannot have children reaped");
	dial_name_servers_alone();
}

/*
 * c-ares takes its packets' ids from rand(3) where it cannot read /dev/urandom: the same
 * ones in each process, unless each has a seed of its own.
 */
static int
seed(void)
{
	unsigned int number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return -1;
	srand(number);
	return 0;
}

/*
 * The resolver may read the directories, since files are replaced while it runs; in a lookup's
 * short life they stay what they are. What cannot be opened cannot be read either.
 */
static int
read_its_files_alone(void)
{
	static const char *const its[] = {"/etc/hosts",         "/etc/resolv.conf",
					  "/etc/nsswitch.conf", "/etc/host.conf",
					  "/etc/svc.conf",      "/dev/urandom"};
	const uint64_t attr[] = {LANDLOCK_ACCESS_FS_READ_FILE};
	int rules, done = 0;

	if (confine_landlock_abi() == 0)
		return 0;
	rules = (int)syscall(SYS_landlock_create_ruleset, attr, sizeof(attr), 0);
	if (rules < 0)
		return -1;
	for (size_t i = 0; i < sizeof(its) / sizeof(its[0]) && done == 0; i++) {
		struct landlock_path_beneath_attr file = {
			.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
			.parent_fd = open(its[i], O_PATH | O_CLOEXEC),
		};

		if (file.parent_fd < 0)
			continue;
		done = (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &file,
				    0);
		(void)close(file.parent_fd);
	}
	if (done == 0)
		done = (int)syscall(SYS_landlock_restrict_self, rules, 0);
	(void)close(rules);
	return done;
}

int
lookup_confine(void)
{
	return seed() < 0 || read_its_files_alone() < 0 || filter_install(&filter_lookup) < 0 ? -1
											      : 0;
}

static noreturn void
look_up(const char *name, unsigned int deadline_ms, int pipe)
{
	const struct itimerval deadline = {
		.it_value = {deadline_ms / 1000, (deadline_ms % 1000) * 1000}};
	const int keep[] = {pipe};
	struct lookup_result result;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setitimer(ITIMER_REAL, &deadline, NULL) < 0)
		_exit(1);
	fds_close_all_but(keep, 1);
	if (lookup_confine() < 0)
		_exit(1);
	dns_look_up(name, &result);
	_exit(write(pipe, &result, sizeof(result)) == (ssize_t)sizeof(result) ? 0 : 1);
}

int
lookup_start(const char *name, unsigned int deadline_ms)
{
	char own[IPC_HOST] = ""; /* the caller's memory may not be in the new process */
	int ends[2];
	pid_t pid;
	int saved;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	memcpy(own, name, strlen(name) + 1);
	pid = fork();
	if (pid == 0)
		look_up(own, deadline_ms, ends[1]);
	saved = errno;
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		errno = saved;
		return -1;
	}
	return ends[0];
}
