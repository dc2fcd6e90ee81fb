/* SPDX-License-Identifier: ISC */
/* `sockward audit`: for people who read, or have to trust, an audit file. */
#ifndef SOCKWARD_CLI_CMD_AUDIT_H
#define SOCKWARD_CLI_CMD_AUDIT_H

/**
 * cmd_audit() - show or verify an audit file.
 * @argc, @argv: from the word "audit" on.
 *
 * Returns the exit status: 0 when the file is whole; 1 when it is not, or cannot
 * be read; 2 when the command is wrong.
 */
int cmd_audit(int argc, char **argv);

#endif
