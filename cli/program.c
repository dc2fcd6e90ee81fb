/* SPDX-License-Identifier: ISC */
#include "cli/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fds.h"
#include "common/log.h"

#ifndef PKGLIBEXECDIR
#define PKGLIBEXECDIR "/usr/libexec/sockward"
#endif

#define HANDED_MOST (SUITE_LISTENS + 3)
#define ARGS        12
#define KEY_FD      "4" /* the authenticator's, behind its socket */

/* The descriptors of one program, from FDS_FIRST on. */
struct handed {
	int fds[HANDED_MOST];
	const char *names[HANDED_MOST]; /* NULL, at the end: an argument says what it is */
	size_t n;
	int input; /* its descriptor 0 */
};

static const struct {
	const char *name;
	const char *folder; /* in the build tree */
} files[ROLE_COUNT] = {
	[ROLE_AUDITOR] = {"sockward-auditor", "helpers/auditor"},
	[ROLE_RESOLVER] = {"sockward-resolver", "helpers/resolver"},
	[ROLE_AUTHENTICATOR] = {"sockward-authenticator", "helpers/authenticator"},
	[ROLE_BROKER] = {"sockward-broker", "broker"},
	[ROLE_LISTENER] = {"sockward-listener", "listener"},
};

const char *
program_name(enum role role)
{
	return files[role].name;
}

/*
 * Opened by the user who starts the suite: the way to a build tree may be
 * closed to the uid that runs the program.
 */
static int
open_program(const char *here, const char *folder, const char *name)
{
	const char *places[] = {folder, "../libexec/sockward"};
	char path[PATH_MAX];
	int fd;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int n = snprintf(path, sizeof(path), "%s/%s/%s", here, places[i], name);

		if (n < 0 || (size_t)n >= sizeof(path))
			continue;
		fd = open(path, O_PATH | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	snprintf(path, sizeof(path), "%s/%s", PKGLIBEXECDIR, name);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd >= 0 ? fd : fail("cannot find %s beside %s", name, here);
}

int
programs_find(struct suite *suite)
{
	char here[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", here, sizeof(here) - 1);
	char *slash;

	if (n < 0)
		return fail("/proc/self/exe");
	here[n] = '\0';
	slash = strrchr(here, '/');
	if (slash)
		*slash = '\0';
	for (enum role r = 0; r < ROLE_COUNT; r++) {
		suite->programs[r].exe = open_program(here, files[r].folder, files[r].name);
		if (suite->programs[r].exe < 0)
			return -1;
	}
	if (suite->worker_path)
		suite->worker = open(suite->worker_path, O_PATH | O_CLOEXEC);
	else
		suite->worker = open_program(here, "worker", "sockward-worker");
	if (suite->worker < 0)
		return suite->worker_path ? fail("%s", suite->worker_path) : -1;
	return 0;
}

static void
hand(struct handed *handed, int fd, const char *name)
{
	handed->fds[handed->n] = fd;
	handed->names[handed->n++] = name;
}

static void
gather(const struct suite *suite, enum role role, struct handed *handed)
{
	*handed = (struct handed){.input = suite->null};
	switch (role) {
	case ROLE_AUDITOR:
		hand(handed, suite->doors[DOOR_AUDITOR], suite_door_name(DOOR_AUDITOR));
		hand(handed, suite->audit, "audit");
		hand(handed, suite->doors[DOOR_METRICS], suite_door_name(DOOR_METRICS));
		break;
	case ROLE_RESOLVER:
		hand(handed, suite->doors[DOOR_RESOLVER], suite_door_name(DOOR_RESOLVER));
		break;
	case ROLE_AUTHENTICATOR:
		hand(handed, suite->doors[DOOR_AUTHENTICATOR], suite_door_name(DOOR_AUTHENTICATOR));
		hand(handed, suite->keys, NULL);
		handed->input = suite->text;
		break;
	case ROLE_BROKER:
		hand(handed, suite->doors[DOOR_BROKER], suite_door_name(DOOR_BROKER));
		handed->input = suite->image;
		break;
	case ROLE_LISTENER:
		for (size_t i = 0; i < suite->listen_count; i++)
			hand(handed, suite->listens[i].fd, "ws");
		hand(handed, suite->doors[DOOR_CONTROL], suite_door_name(DOOR_CONTROL));
		hand(handed, suite->doors[DOOR_STATUS], suite_door_name(DOOR_STATUS));
		hand(handed, suite->worker, "worker");
		break;
	case ROLE_COUNT:
		bug("there is no such program");
	}
}

/* First all out of the way, then each to its place: no place is overwritten. */
static int
place_descriptors(const struct suite *suite, struct handed *handed, int *exe)
{
	int above = FDS_FIRST + (int)handed->n;

	*exe = fcntl(*exe, F_DUPFD_CLOEXEC, above);
	handed->input = fcntl(handed->input, F_DUPFD_CLOEXEC, above);
	if (*exe < 0 || handed->input < 0)
		return -1;
	for (size_t i = 0; i < handed->n; i++) {
		handed->fds[i] = fcntl(handed->fds[i], F_DUPFD_CLOEXEC, above);
		if (handed->fds[i] < 0)
			return -1;
	}
	if (dup2(suite->null, STDOUT_FILENO) < 0 || dup2(handed->input, STDIN_FILENO) < 0)
		return -1;
	for (size_t i = 0; i < handed->n; i++)
		if (dup2(handed->fds[i], FDS_FIRST + (int)i) < 0)
			return -1;
	return close_range((unsigned int)above, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* The protocol of sd_listen_fds(3) and sd_notify(3), and nothing else. */
static void
set_environment(const struct suite *suite, enum role role, const struct handed *handed)
{
	const char *journal = getenv("JOURNAL_STREAM");
	char text[HANDED_MOST * 16] = "";
	char kept[64] = "";
	size_t named = 0;

	if (journal)
		snprintf(kept, sizeof(kept), "%s", journal);
	clearenv();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (kept[0])
		setenv("JOURNAL_STREAM", kept, 1);
	for (; named < handed->n && handed->names[named]; named++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used, "%s%s", named ? ":" : "",
			 handed->names[named]);
	}
	setenv("LISTEN_FDNAMES", text, 1);
	snprintf(text, sizeof(text), "%zu", named);
	setenv("LISTEN_FDS", text, 1);
	snprintf(text, sizeof(text), "%ld", (long)getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof(text), "%s/%s.sock", suite->dir, suite_notify_name(role));
	setenv("NOTIFY_SOCKET", text, 1);
}

static void
set_arguments(const struct suite *suite, const struct program *program, char *argv[ARGS])
{
	const char *args[ARGS] = {files[program->role].name};
	size_t n = 1;

	if (program->role == ROLE_LISTENER)
		args[n++] = "--runtime-dir";
	if (program->role == ROLE_BROKER || program->role == ROLE_LISTENER)
		args[n++] = suite->dir;
	if (program->role == ROLE_LISTENER) {
		args[n++] = suite->spawn;
		if (suite->trust) {
			args[n++] = "--trust";
			args[n++] = suite->trust;
		}
	}
	if (program->role == ROLE_AUDITOR && suite->sync)
		args[n++] = "--sync";
	if (program->role == ROLE_AUTHENTICATOR) {
		args[n++] = "--key-fd";
		args[n++] = KEY_FD;
	}
	memcpy(argv, args, sizeof(args));
}

/* In the child; returns only when something is wrong. */
static void
become(const struct suite *suite, const struct program *program, pid_t parent)
{
	struct handed handed;
	char *argv[ARGS];
	int exe = program->exe;
	sigset_t none;

	/* A session of its own: Ctrl-C at the terminal is for `sockward run` alone. */
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < SIGRTMIN; s++)
		(void)signal(s, SIG_DFL);
	gather(suite, program->role, &handed);
	if (layers_apply(suite, program, parent) < 0)
		return;
	if (place_descriptors(suite, &handed, &exe) < 0) {
		fail("descriptors for %s", files[program->role].name);
		return;
	}
	set_environment(suite, program->role, &handed);
	set_arguments(suite, program, argv);
	fexecve(exe, argv, environ);
	fail("cannot execute %s as uid %u", files[program->role].name, geteuid());
}

int
program_start(struct suite *suite, struct program *program)
{
	pid_t self = getpid();

	/* Read from the start by each new process. */
	(void)lseek(suite->image, 0, SEEK_SET);
	(void)lseek(suite->text, 0, SEEK_SET);
	program->pid = fork();
	if (program->pid < 0)
		return fail("cannot start %s", files[program->role].name);
	if (program->pid == 0) {
		become(suite, program, self);
		_exit(1);
	}
	program->pidfd = pidfd_open(program->pid, 0);
	if (program->pidfd < 0) {
		fail("cannot watch %s", files[program->role].name);
		kill(program->pid, SIGKILL);
		(void)waitpid(program->pid, NULL, 0);
		return -1;
	}
	program->state = PROGRAM_STARTING;
	program->due_ms = now_ms() + READY_MS;
	return 0;
}

void
program_signal(const struct program *program, int signal)
{
	if (program->pidfd >= 0)
		(void)pidfd_send_signal(program->pidfd, signal, NULL, 0);
}
