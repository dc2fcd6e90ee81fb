/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/control.h"

#define LOOKS   40
#define LOOK_NS 100000000L

/* systemd's, by where it is; else somebody's who started the programs by hand. */
static int
not_ours(const struct ask *ask)
{
	char option[WHICH_OPTION];
	size_t n = strlen("--tenant ");

	which_option(ask->where, option);
	if (strncmp(option, "--tenant ", n) == 0)
		return failed(ask->command,
			      "systemd runs this suite: systemctl reload sockward@%s.service",
			      option + n);
	return failed(ask->command,
		      "the suite in %s was not started by `sockward run`: who started "
		      "it can have the policy read again",
		      ask->where);
}

static int
ask_for_it(const struct ask *ask, int fd)
{
	int pidfd = control_maker(fd);
	int result = STATUS_OK;

	if (pidfd < 0)
		return not_ours(ask);
	if (pidfd_send_signal(pidfd, SIGHUP, NULL, 0) < 0)
		result = failed(ask->command, "cannot signal `sockward run`: %s", strerror(errno));
	close(pidfd);
	return result;
}

int
cmd_reload(int argc, char **argv)
{
	const struct timespec pause = {0, LOOK_NS};
	struct ipc_ctl_status before;
	struct ipc_ctl_status now;
	struct ask ask;
	int fd;
	int result = ask_options(argc, argv, "r", &ask);

	if (result != STATUS_OK)
		return result;
	fd = ask_open(&ask, control_open);
	if (fd < 0)
		return STATUS_FAILED;
	if (ask_status(fd, &before) < 0) {
		result = ask_unanswered(&ask);
		goto out;
	}
	result = ask_for_it(&ask, fd);
	for (int i = 0; i < LOOKS && result == STATUS_OK; i++) {
		nanosleep(&pause, NULL);
		if (ask_status(fd, &now) < 0) {
			result = ask_unanswered(&ask);
		} else if (now.generation != before.generation && now.generation != 0) {
			printf("policy generation %u is in force\n", now.generation);
			goto out;
		}
	}
	if (result == STATUS_OK)
		result = failed("reload", "no new policy came into force: `sockward run` says why");
out:
	close(fd);
	return result;
}
