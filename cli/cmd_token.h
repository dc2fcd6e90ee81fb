/* SPDX-License-Identifier: ISC */
/* `sockward token`: tokens for people to hand out, and their hashes for the policy. */
#ifndef SOCKWARD_CLI_CMD_TOKEN_H
#define SOCKWARD_CLI_CMD_TOKEN_H

/**
 * cmd_token() - make a token, or hash one.
 * @argc, @argv: from the word "token" on.
 *
 * Returns the exit status: 0, 1 when there is no token to hash, 2 when the
 * command is wrong.
 */
int cmd_token(int argc, char **argv);

#endif
