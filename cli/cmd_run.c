/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/parse.h"
#include "cli/suite.h"
#include "common/log.h"

/* clang-format off */
static const struct option all[] = {
	{"listen", required_argument, NULL, 'l'},
	{"policy", required_argument, NULL, 'p'},
	{"audit", required_argument, NULL, 'a'},
	{"runtime-dir", required_argument, NULL, 'r'},
	{"spawn", required_argument, NULL, 's'},
	{"trust", required_argument, NULL, 't'},
	{"worker", required_argument, NULL, 'w'},
	{NULL, 0, NULL, 0},
};
/* clang-format on */

static int
add_listen(struct suite *suite, const char *text)
{
	struct listen_at *at = &suite->listens[suite->listen_count];
	const char *wrong;

	if (suite->listen_count == SUITE_LISTENS)
		return usage_error("run", "at most %d addresses can be listened on", SUITE_LISTENS);
	wrong = parse_listen(text, &at->addr, &at->length);
	if (wrong)
		return usage_error("run", "--listen '%s': %s", text, wrong);
	suite->listen_count++;
	return STATUS_OK;
}

static int
set_spawn(struct suite *suite, const char *text)
{
	if (strcmp(text, "fork") == 0)
		suite->spawn = "--spawn=fork";
	else if (strcmp(text, "exec") == 0)
		suite->spawn = "--spawn=exec";
	else
		return usage_error("run", "--spawn is fork or exec, not '%s'", text);
	return STATUS_OK;
}

static int
option(struct suite *suite, int c, char **argv)
{
	switch (c) {
	case 'l':
		return add_listen(suite, optarg);
	case 's':
		return set_spawn(suite, optarg);
	case 't':
		suite->asked_trust = optarg;
		return STATUS_OK;
	case 'p':
		suite->policy_path = optarg;
		return STATUS_OK;
	case 'a':
		suite->audit_path = optarg;
		return STATUS_OK;
	case 'r':
		suite->asked_dir = optarg;
		return STATUS_OK;
	case 'w':
		suite->worker_path = optarg;
		return STATUS_OK;
	default:
		return usage_option(argv, c);
	}
}

static int
options(int argc, char **argv, struct suite *suite)
{
	int result;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", all, NULL)) != -1) {
		result = option(suite, c, argv);
		if (result != STATUS_OK)
			return result;
	}
	if (optind < argc)
		return usage_error("run", "'%s' is too much", argv[optind]);
	if (suite->listen_count == 0)
		return usage_error("run", "--listen ADDR:PORT is missing, such as 127.0.0.1:8086");
	if (!suite->policy_path)
		return usage_error("run", "--policy FILE is missing: without a policy everything "
					  "is denied");
	return STATUS_OK;
}

static void
begin(struct suite *suite)
{
	*suite = (struct suite){.spawn = "--spawn=fork"};
	suite->signals = suite->null = suite->audit = suite->worker = -1;
	suite->uid_lock = suite->image = suite->text = suite->keys = -1;
	suite->policy = (struct policy_files){-1, -1, -1};
	for (int d = 0; d < DOOR_COUNT; d++)
		suite->doors[d] = -1;
	for (enum role r = 0; r < ROLE_COUNT; r++)
		suite->programs[r] = (struct program){.role = r, .exe = -1, .pidfd = -1};
	for (int r = 0; r < ROLE_COUNT; r++)
		suite->notify[r] = -1;
}

static int
take_signals(struct suite *suite)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Inherited as ignored, it would take the children's statuses away. */
	signal(SIGCHLD, SIG_DFL);
	suite->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	suite->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (suite->signals < 0 || suite->null < 0)
		return fail("cannot start");
	return 0;
}

/* The listener runs in another directory. */
static int
find_trust(struct suite *suite)
{
	const char *path = suite->asked_trust;
	char here[PATH_MAX] = "";
	char *whole;

	if (!path)
		return 0;
	if (access(path, F_OK) < 0)
		return fail("the trust store %s", path);
	/* A link stays one: it may lead to another file tomorrow. */
	if ((*path != '/' && !getcwd(here, sizeof(here))) ||
	    asprintf(&whole, "%s%s%s", here, *path == '/' ? "" : "/", path) < 0)
		return fail("the present directory");
	suite->trust = whole;
	return 0;
}

/* Whatever a person can have got wrong comes before the first process. */
static int
prepare(struct suite *suite)
{
	if (policy_files_make(suite->policy_path, &suite->policy) < 0 || policy_open(suite) < 0 ||
	    find_trust(suite) < 0 || take_signals(suite) < 0 || programs_find(suite) < 0 ||
	    place_listen(suite) < 0 || layers_choose(suite) < 0 || place_make(suite) < 0 ||
	    place_audit(suite) < 0)
		return -1;
	layers_say(suite);
	return 0;
}

static void
say_ready(const struct suite *suite)
{
	const char *me = program_invocation_name;
	char text[ADDRESS_TEXT];

	for (size_t i = 0; i < suite->listen_count; i++) {
		show_address(&suite->listens[i].addr, text);
		printf("ready ws://%s/\n", text);
	}
	fflush(stdout);
	if (!isatty(STDERR_FILENO))
		return;
	show_address(&suite->listens[0].addr, text);
	fprintf(stderr,
		"\nNext, in another terminal (%s shows what can be reached):\n"
		"  %s connect ws://%s/raw/HOST/PORT\n"
		"  %s status\n"
		"  %s sessions\n"
		"The audit trail is %s%s%s.\n"
		"Ctrl-C drains and ends; a second one ends at once.\n\n",
		suite->policy_path, me, text, me, me,
		suite->audit_path ? suite->audit_path : suite->dir,
		suite->audit_path ? "" : "/audit.jsonl",
		suite->audit_made ? ", which goes away with the suite (--audit FILE keeps one)"
				  : "");
}

int
cmd_run(int argc, char **argv)
{
	struct suite suite;
	int result;

	begin(&suite);
	result = options(argc, argv, &suite);
	if (result != STATUS_OK)
		return result;
	result = STATUS_FAILED;
	if (prepare(&suite) < 0)
		goto out;
	if (suite_start(&suite) == 0) {
		suite_settle(&suite);
		say_ready(&suite);
		suite_serve(&suite);
		suite_drain(&suite);
	}
	suite_stop(&suite);
	if (suite.serving && !suite.failed && suite.signals_to_end < 2)
		result = STATUS_OK;
out:
	place_remove(&suite);
	free(suite.trust);
	return result;
}
