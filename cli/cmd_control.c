/* SPDX-License-Identifier: ISC */
/* The commands that ask a running suite to do something. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/parse.h"
#include "ipc/words.h"

#define LOOK_MS  100
#define AFTER_MS 2000 /* what the broker cut at the deadline is gone by then */

int
ask_options(int argc, char **argv, const char *allowed, struct ask *ask)
{
	static const struct option all[] = {
		{"runtime-dir", required_argument, NULL, 'r'},
		{"tenant", required_argument, NULL, 't'},
		{"json", no_argument, NULL, 'j'},
		{"deadline", required_argument, NULL, 'd'},
		{NULL, 0, NULL, 0},
	};
	int which = 0;
	int c;

	*ask = (struct ask){.command = argv[0]};
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", all, &which)) != -1) {
		if (c == ':' || c == '?')
			return usage_option(argv, c);
		if (!strchr(allowed, c == 't' ? 'r' : c))
			return usage_error(argv[0], "--%s has no meaning here", all[which].name);
		if (c == 'r')
			ask->which.dir = optarg;
		else if (c == 't')
			ask->which.tenant = optarg;
		else if (c == 'd')
			ask->deadline = optarg;
		else
			ask->json = true;
	}
	if (ask->which.dir && ask->which.tenant)
		return usage_error(argv[0], "--runtime-dir or --tenant, not both");
	ask->operand = argv[optind];
	if (argc - optind > (strchr(allowed, 'o') ? 1 : 0))
		return usage_error(argv[0], "'%s' is too much", argv[argc - 1]);
	return STATUS_OK;
}

int
ask_open(struct ask *ask, int (*open)(const char *dir))
{
	int fd;

	if (which_suite(&ask->which, ask->where) < 0)
		return -1;
	fd = open(ask->where);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ECONNREFUSED)
		failed(ask->command, "no suite is running in %s", ask->where);
	else
		failed(ask->command, "%s/control.sock: %s", ask->where, strerror(errno));
	return -1;
}

int
ask_unanswered(const struct ask *ask)
{
	if (errno == ETIMEDOUT)
		return failed(ask->command, "the listener does not answer");
	if (errno == EPIPE || errno == ECONNRESET)
		return failed(
			ask->command,
			"the listener hung up: it takes orders of its own user and root only");
	if (errno == EPROTO)
		return failed(ask->command, "the listener's answer is not understood: "
					    "is it of another version?");
	return failed(ask->command, "%s", strerror(errno));
}

int
ask_status(int fd, struct ipc_ctl_status *status)
{
	struct ipc_plain msg = {.head.type = MSG_CTL_STATUS};
	struct ipc_buffer answer;

	if (control_ask(fd, &msg, sizeof(msg), -1, &answer, MSG_CTL_STATUS_IS, ASK_MS) < 0)
		return -1;
	*status = answer.any.CTL_STATUS_IS_body;
	return 0;
}

/* An order whose answer is done or not done. */
static int
order(const struct ask *ask, int fd, const void *msg, size_t length)
{
	struct ipc_buffer answer;
	const struct ipc_ctl_done *done = &answer.any.CTL_DONE_body;

	if (control_ask(fd, msg, length, -1, &answer, MSG_CTL_DONE, ASK_MS) < 0)
		return ask_unanswered(ask);
	if (done->ok)
		return STATUS_OK;
	if (done->reason == REASON_NONE)
		return failed(ask->command, "there is no such session");
	return failed(ask->command, "it was not done: %s", reason_sentence(done->reason));
}

int
cmd_kill(int argc, char **argv)
{
	struct ipc_ctl_kill msg = {.head.type = MSG_CTL_KILL};
	struct ask ask;
	int fd;
	int result = ask_options(argc, argv, "ro", &ask);

	if (result != STATUS_OK)
		return result;
	if (!ask.operand)
		return usage_error("kill", "which session? `sockward sessions` shows them");
	if (parse_number(ask.operand, UINT64_MAX, &msg.session) < 0 || msg.session == 0)
		return usage_error("kill", "'%s' is no session number", ask.operand);
	fd = ask_open(&ask, control_open);
	if (fd < 0)
		return STATUS_FAILED;
	result = order(&ask, fd, &msg, sizeof(msg));
	close(fd);
	return result;
}

/* Until no session is left, or the suite is gone. */
static void
wait_drained(int fd, uint32_t deadline_ms)
{
	const struct timespec pause = {0, 1000000L * LOOK_MS};
	struct ipc_ctl_status status;

	for (uint32_t ms = 0; ms < deadline_ms + AFTER_MS; ms += LOOK_MS) {
		if (ask_status(fd, &status) < 0 || status.sessions == 0)
			return;
		nanosleep(&pause, NULL);
	}
}

int
cmd_drain(int argc, char **argv)
{
	struct ipc_drain msg = {
		.head.type = MSG_CTL_DRAIN, .reason = REASON_DRAINING, .deadline_ms = 10000};
	struct ask ask;
	const char *wrong;
	int fd;
	int maker;
	int result = ask_options(argc, argv, "rd", &ask);

	if (result != STATUS_OK)
		return result;
	wrong = ask.deadline ? parse_duration(ask.deadline, &msg.deadline_ms) : NULL;
	if (wrong)
		return usage_error("drain", "--deadline '%s': %s", ask.deadline, wrong);
	fd = ask_open(&ask, control_open);
	if (fd < 0)
		return STATUS_FAILED;
	result = order(&ask, fd, &msg, sizeof(msg));
	maker = control_maker(fd);
	if (result == STATUS_OK)
		wait_drained(fd, msg.deadline_ms);
	/* Nothing more will come to it. With systemd, units are stopped by systemctl. */
	if (result == STATUS_OK && maker >= 0)
		(void)pidfd_send_signal(maker, SIGTERM, NULL, 0);
	if (maker >= 0)
		close(maker);
	close(fd);
	return result;
}
