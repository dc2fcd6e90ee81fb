/* SPDX-License-Identifier: ISC */
#include "cli/suite.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"

uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
how_it_ended(const siginfo_t *info, char *out, size_t room)
{
	if (info->si_code == CLD_EXITED)
		snprintf(out, room, "ended with status %d", info->si_status);
	else
		snprintf(out, room, "was ended by signal %d (%s)", info->si_status,
			 sigdescr_np(info->si_status));
}

/* More than RESTART_MOST deaths within RESTART_WINDOW? */
static bool
too_often(struct program *program)
{
	size_t ring = sizeof(program->deaths) / sizeof(program->deaths[0]);
	uint64_t now = now_ms();
	uint64_t oldest;

	program->deaths[program->died++ % ring] = now;
	oldest = program->deaths[program->died % ring];
	return program->died >= ring && now - oldest < RESTART_WINDOW;
}

/*
 * While sessions end, and while the broker puts the last of it on record, what they
 * need is kept up. A new listener would not know that it is to take nobody in.
 */
static bool
wanted(const struct suite *suite, const struct program *program)
{
	return !suite->ending || (suite->serving && program->role != ROLE_LISTENER);
}

static void
died(struct suite *suite, struct program *program, const siginfo_t *info)
{
	const char *name = program_name(program->role);
	char how[96];

	how_it_ended(info, how, sizeof(how));
	errno = 0;
	if (!suite->serving) {
		fail("%s %s before it was ready", name, how);
		suite->failed = true;
	} else if (program->role == ROLE_LISTENER && info->si_code == CLD_EXITED &&
		   info->si_status == 0) {
		suite->drained = true;
	} else if (too_often(program)) {
		fail("%s %s, too often in a short time", name, how);
		suite->failed = true;
	} else {
		log_note("%s %s; starting it again", name, how);
		program->state = PROGRAM_WAITING;
		program->due_ms = now_ms() + RESTART_MS;
	}
}

static void
reap(struct suite *suite, struct program *program)
{
	enum program_state was = program->state;
	siginfo_t info = {0};

	if (waitid(P_PIDFD, (id_t)program->pidfd, &info, WEXITED | WNOHANG) < 0)
		bug("a program cannot be waited for: errno %d", errno);
	if (info.si_pid == 0)
		return;
	close(program->pidfd);
	program->pidfd = -1;
	program->state = PROGRAM_DOWN;
	if (!wanted(suite, program) || (was == PROGRAM_STOPPING && !program->restart))
		return;
	if (was == PROGRAM_STOPPING) {
		program->restart = false;
		program->state = PROGRAM_WAITING;
		program->due_ms = now_ms();
		return;
	}
	died(suite, program, &info);
}

static bool
says_ready(const char *text)
{
	static const char word[] = "READY=1";
	const char *found = strstr(text, word);

	return found && (found == text || found[-1] == '\n') &&
	       (found[sizeof(word) - 1] == '\0' || found[sizeof(word) - 1] == '\n');
}

/* The kernel says who sent it; anyone else's word counts for nothing. */
static void
take_note(int notify, struct program *program)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char text[512];
	struct iovec piece = {text, sizeof(text) - 1};
	struct msghdr packet = {.msg_iov = &piece,
				.msg_iovlen = 1,
				.msg_control = control.room,
				.msg_controllen = sizeof(control.room)};
	ssize_t n = recvmsg(notify, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&packet);
	struct ucred who;

	if (!c || c->cmsg_type != SCM_CREDENTIALS || c->cmsg_len != CMSG_LEN(sizeof(who)))
		return;
	memcpy(&who, CMSG_DATA(c), sizeof(who));
	text[n] = '\0';
	if (program->state == PROGRAM_STARTING && program->pid == who.pid && says_ready(text))
		program->state = PROGRAM_UP;
}

static void
take_signal(struct suite *suite)
{
	struct signalfd_siginfo info;

	if (read(suite->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	/* From the kernel, it says that the terminal is gone. */
	if (info.ssi_signo == SIGHUP && info.ssi_code != SI_KERNEL)
		suite->reload = true;
	else
		suite->signals_to_end++;
}

/* Programs whose time has come: to start, or to be given up. */
static void
due(struct suite *suite, struct program *program)
{
	if (now_ms() < program->due_ms)
		return;
	if (program->state == PROGRAM_WAITING && !wanted(suite, program)) {
		program->state = PROGRAM_DOWN;
	} else if (program->state == PROGRAM_WAITING) {
		if (program_start(suite, program) < 0)
			program->due_ms = now_ms() + 10 * RESTART_MS;
	} else if (program->state == PROGRAM_STARTING) {
		log_note("%s did not become ready in %d s", program_name(program->role),
			 READY_MS / 1000);
		program->due_ms = UINT64_MAX;
		program_signal(program, SIGKILL);
	}
}

static uint64_t
earliest(const struct suite *suite, uint64_t until)
{
	for (int r = 0; r < ROLE_COUNT; r++) {
		const struct program *program = &suite->programs[r];

		if ((program->state == PROGRAM_WAITING || program->state == PROGRAM_STARTING) &&
		    program->due_ms < until)
			until = program->due_ms;
	}
	return until;
}

static int
timeout(uint64_t until)
{
	uint64_t now = now_ms();

	if (until <= now)
		return 0;
	return until - now > 60000 ? 60000 : (int)(until - now);
}

void
suite_step(struct suite *suite, uint64_t until_ms)
{
	struct pollfd polled[2 * ROLE_COUNT + 1];
	struct pollfd *notes = &polled[ROLE_COUNT];
	struct pollfd *signals = &polled[2 * ROLE_COUNT];

	for (int r = 0; r < ROLE_COUNT; r++) {
		polled[r] = (struct pollfd){suite->programs[r].pidfd, POLLIN, 0};
		notes[r] = (struct pollfd){suite->notify[r], POLLIN, 0};
	}
	*signals = (struct pollfd){suite->signals, POLLIN, 0};
	if (poll(polled, 2 * ROLE_COUNT + 1, timeout(earliest(suite, until_ms))) < 0)
		return;
	for (int r = 0; r < ROLE_COUNT; r++)
		if (notes[r].revents)
			take_note(suite->notify[r], &suite->programs[r]);
	for (int r = 0; r < ROLE_COUNT; r++)
		if (polled[r].revents)
			reap(suite, &suite->programs[r]);
	if (signals->revents)
		take_signal(suite);
	for (int r = 0; r < ROLE_COUNT; r++)
		due(suite, &suite->programs[r]);
}

int
suite_start(struct suite *suite)
{
	for (int r = 0; r < ROLE_COUNT; r++) {
		struct program *program = &suite->programs[r];

		if (program_start(suite, program) < 0)
			return -1;
		while (program->state != PROGRAM_UP) {
			suite_step(suite, UINT64_MAX);
			if (suite->failed || suite->signals_to_end)
				return -1;
		}
	}
	suite->serving = true;
	return 0;
}

void
suite_serve(struct suite *suite)
{
	while (!suite->failed && !suite->drained && !suite->signals_to_end) {
		suite_step(suite, UINT64_MAX);
		if (suite->reload) {
			suite->reload = false;
			suite_reload(suite);
		}
	}
}
