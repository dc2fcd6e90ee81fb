/* SPDX-License-Identifier: ISC */
/*
 * What is special: addresses (policy/special.data), names (policy/names.data) and
 * ports (policy/ports.data). Pure functions, part of the judgement; the compiler
 * and explain use them too, so that no second list exists.
 */
#ifndef SOCKWARD_POLICY_SPECIAL_H
#define SOCKWARD_POLICY_SPECIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/messages.h"
#include "policy/image.h"

enum block_class {
	BLOCK_PRIVATE = 1, /* opened by a private name rule, or by a range inside it */
	BLOCK_LOCAL,    /* of this host or its link: by a private rule for one name, or a range */
	BLOCK_SPECIAL,  /* opened by a range inside it */
	BLOCK_METADATA, /* likewise, and every block is a single address */
	BLOCK_NEVER,    /* opened by nothing */
};

struct special_block {
	uint8_t family; /* 4 or 6 */
	uint8_t bits;
	uint8_t class;
	uint8_t ip[16];
	const char *name; /* the reason on record */
};

/**
 * special_find() - the block that decides about an address, or NULL when it is ordinary.
 * @family: 4 or 6. @ip: the address, 4 or 16 bytes of it used.
 * @bits: 32 or 128 for an address. With less: the block that holds the whole
 *        range of that length; smaller blocks inside the range do not count.
 */
const struct special_block *special_find(unsigned int family, const uint8_t *ip, unsigned int bits);

/* By port: bits of enum protocol for which a rule must name that port alone. */
extern const uint8_t closed_ports[65536];

/**
 * special_name() - is this a name that "*" does not match?
 * @text: a canonical name, or the end of names with its leading dot.
 *
 * Such are single labels, and the domains of policy/names.data.
 */
bool special_name(const char *text);

/**
 * prefix_holds() - is an address, or the start of a range, inside a range?
 * @ip: the range's first address. @bits: how many of its bits count.
 * @address: what to compare; as many bytes as @bits needs are read.
 */
bool prefix_holds(const uint8_t *ip, unsigned int bits, const uint8_t *address);

/**
 * rule_opens() - does an allow rule open the special block of an address it matches?
 */
bool rule_opens(const struct image_rule *rule, const struct special_block *block);

#endif
