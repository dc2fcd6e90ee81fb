/* SPDX-License-Identifier: ISC */
#ifndef SOCKWARD_CLI_CMD_POLICY_H
#define SOCKWARD_CLI_CMD_POLICY_H

/**
 * cmd_policy() - sockward policy check | compile | explain | import | stage.
 * @argv: argv[0] is "policy".
 *
 * Returns the exit status: 0 for a sound policy or an allowed destination, 1 for
 * errors in a policy or a denied destination, 2 for a wrong command line. explain
 * returns 2 also for a policy with errors: they are no verdict.
 */
int cmd_policy(int argc, char **argv);

#endif
