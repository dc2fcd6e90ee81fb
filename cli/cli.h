/* SPDX-License-Identifier: ISC */
/*
 * The commands of `sockward`, and how they speak to a person. Every command
 * gets argv[0] = its own name and returns the program's exit status.
 */
#ifndef SOCKWARD_CLI_CLI_H
#define SOCKWARD_CLI_CLI_H

#include <stdint.h>

/* Exit statuses. */
enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_DEGRADED = 3, /* it serves, but something is amiss */
};

int cmd_run(int argc, char **argv);
int cmd_connect(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_sessions(int argc, char **argv);
int cmd_kill(int argc, char **argv);
int cmd_drain(int argc, char **argv);
int cmd_reload(int argc, char **argv);

/**
 * usage_error() - say what was wrong with the command line, and where help is.
 * @command: the command, or NULL for `sockward` itself.
 * @format: as printf(3), without a full stop or newline.
 *
 * Returns STATUS_USAGE.
 */
int usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * usage_option() - the same for an option that getopt_long(3) did not take.
 * @argv: the command's. @c: what getopt_long() returned; ':' for a missing value.
 */
int usage_option(char **argv, int c);

/**
 * failed() - say what could not be done; errno is not looked at.
 *
 * Returns STATUS_FAILED.
 */
int failed(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * help_print() - print the usage of a command on standard output.
 * @command: its name, or NULL for the list of all.
 *
 * Returns STATUS_OK, or STATUS_USAGE after naming a command that does not exist.
 */
int help_print(const char *command);

/**
 * printable() - make a peer's text fit for a terminal.
 * @text: changed in place: what is not printable ASCII becomes a question mark.
 */
void printable(char *text);

#endif
