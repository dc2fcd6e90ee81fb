/* SPDX-License-Identifier: ISC */
/*
 * Standard input and output through an open WebSocket. Data goes in binary
 * messages; an empty one says that this direction has ended (?eof=message).
 */
#ifndef SOCKWARD_CLI_TUNNEL_H
#define SOCKWARD_CLI_TUNNEL_H

#include "cli/handshake.h"

/**
 * tunnel_run() - relay until both directions have ended, or the session has.
 * @start: from handshake(); stays the caller's.
 * @why: receives a sentence on failure. @room: its size.
 *
 * Never waits for one direction while the other could go on, and holds at most
 * one buffer of either. Returns 0 when both directions ended in order, or -1
 * with @why set.
 */
int tunnel_run(struct ws_start *start, char *why, size_t room);

#endif
