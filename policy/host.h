/* SPDX-License-Identifier: ISC */
/*
 * A destination as text. For those who read the policy or look names up; the broker
 * reads no text: numbers come to it as numbers.
 */
#ifndef SOCKWARD_POLICY_HOST_H
#define SOCKWARD_POLICY_HOST_H

#include "ipc/messages.h"

/* What a destination's text is. */
enum host_kind {
	HOST_INVALID,
	HOST_NAME,    /* in @name: one trailing dot dropped */
	HOST_ADDRESS, /* in @addr */
};

/**
 * policy_host() - read a destination as the policy understands it.
 * @text: NUL-terminated, at most IPC_HOST - 1 bytes.
 * @name: receives the canonical name when HOST_NAME (IPC_HOST bytes).
 * @addr: receives the address when HOST_ADDRESS; its port is 0.
 *
 * Strict: an address is dotted quad without leading zeros, or IPv6 of RFC 4291
 * without brackets and zone. A name has lower-case letters, digits, hyphens and
 * underscores in labels of 1 to 63 bytes, at most 253 in all, no hyphen at an
 * end of a label, and no last label that is all digits or starts with 0x. All
 * else is HOST_INVALID; nothing is guessed.
 */
enum host_kind policy_host(const char *text, char name[IPC_HOST], struct ipc_addr *addr);

#endif
