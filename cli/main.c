/* SPDX-License-Identifier: ISC */
/*
 * sockward: the one command that a person uses. What each command does is in a
 * file of its own; here they are listed.
 */
#include "cli/cli.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd_audit.h"
#include "cli/cmd_policy.h"
#include "cli/cmd_token.h"
#include "common/log.h"

static const struct {
	const char *name;
	int (*function)(int argc, char **argv);
	bool own_help; /* it answers --help itself */
} commands[] = {
	{"run", cmd_run, false},         {"connect", cmd_connect, false},
	{"status", cmd_status, false},   {"sessions", cmd_sessions, false},
	{"metrics", cmd_metrics, false}, {"kill", cmd_kill, false},
	{"drain", cmd_drain, false},     {"reload", cmd_reload, false},
	{"audit", cmd_audit, true},      {"policy", cmd_policy, true},
	{"token", cmd_token, true},
};

static int
command(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[0], commands[i].name) != 0)
			continue;
		if (argc > 1 && strcmp(argv[1], "--help") == 0 && !commands[i].own_help)
			return help_print(argv[0]);
		return commands[i].function(argc, argv);
	}
	return usage_error(NULL, "there is no command '%s'", argv[0]);
}

static int
cmd_help(int argc, char **argv)
{
	char dashes[] = "--help";
	char *asked[] = {argc > 1 ? argv[1] : NULL, dashes, NULL};

	if (argc > 2)
		return usage_error("help", "one command at a time");
	return argc < 2 ? help_print(NULL) : command(2, asked);
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		return usage_error(NULL, "a command is missing");
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0)
		return cmd_help(argc - 1, argv + 1);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("sockward " SOCKWARD_VERSION);
		return STATUS_OK;
	}
	return command(argc - 1, argv + 1);
}
