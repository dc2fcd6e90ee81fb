/* SPDX-License-Identifier: ISC */
/*
 * Pieces of text as a policy writes them: ports, ranges of addresses, names.
 * Each function returns NULL, or what is wrong as a sentence; a hint where one
 * helps. Output is untouched on failure.
 */
#ifndef SOCKWARD_POLICY_TEXT_H
#define SOCKWARD_POLICY_TEXT_H

#include "ipc/messages.h"
#include "policy/arena.h"
#include "policy/read.h"

#define HINT_SIZE 256

/**
 * text_number() - digits without leading zeros, at most @most.
 * @text: @n bytes.
 */
bool text_number(const char *text, size_t n, uint32_t most, uint32_t *number);

/**
 * text_ports() - "N", "N-M" or "*".
 */
const char *text_ports(const char *text, uint16_t *low, uint16_t *high, char hint[HINT_SIZE]);

/**
 * text_range() - an address, or an address and "/N", without brackets.
 *
 * The bits behind the prefix must be zero.
 */
const char *text_range(const char *text, struct source_range *range, char hint[HINT_SIZE]);

/**
 * text_show_range() - "192.0.2.0/24" or "2001:db8::/32", as the kernel's tools write it.
 */
void text_show_range(const struct source_range *range, char out[64]);

/**
 * text_name() - a name as the broker compares it: lower case, A-labels by UTS 46
 * without transitional processing, one trailing dot dropped.
 * @name: receives it.
 */
const char *text_name(const char *text, char name[IPC_HOST], char hint[HINT_SIZE]);

/**
 * text_host() - a name as text_name(), or an address without brackets.
 * @kind: set to HOST_NAME or HOST_ADDRESS.
 */
const char *text_host(const char *text, int *kind, char name[IPC_HOST], struct ipc_addr *addr,
		      char hint[HINT_SIZE]);

#endif
