/* SPDX-License-Identifier: ISC */
/* Inside the import: what its files share. */
#ifndef SOCKWARD_POLICY_IMPORT_PARTS_H
#define SOCKWARD_POLICY_IMPORT_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ipc/messages.h"
#include "policy/arena.h"
#include "policy/import-toml.h"

struct import_rule {
	bool deny;
	bool left_out;
	unsigned int from; /* line in the file that is imported; 0: a default */
	unsigned int line; /* in the policy as written last; 0: not there */
	uint8_t protocols; /* bits of enum protocol; of one that denies it does not matter */
	bool is_private;
	char to[IPC_RULE];
};

struct import {
	const char *file;
	FILE *notes;
	struct arena arena;
	struct toml toml;
	bool failed;
	bool deny_all;

	struct import_rule *rules;
	size_t n;
	size_t most;
	char *(*write)(struct import *import); /* as import_write() */

	uint32_t channels;
	uint32_t connect_timeout_s;
	uint64_t mbps;     /* millions of bits in a second; 0: no limit */
	uint32_t bind_low; /* 0: nothing */
	uint32_t bind_high;

	const struct import_manifest *manifest; /* of webnetstack; else NULL */
	struct import_mark {
		unsigned int line; /* in the policy as written last; 0: nothing */
		struct place from;
	} token, origins;
};

struct import_writer {
	FILE *out;
	unsigned int line; /* that is written now */
};

/**
 * import_note() - say what changes. @line: in the file that is imported; 0: of no line.
 * @format: as printf(3); what is not printable comes out as a question mark.
 */
void import_note(const struct import *import, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * import_wrong() - the same for an error; the import has failed.
 */
void import_wrong(struct import *import, struct place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * import_rules() - make rules of a list of wasmnet's. @list: of its strings, in order.
 */
void import_rules(struct import *import, const struct toml_string *list, size_t n, bool deny);

/**
 * import_put() - write a text, and count its lines.
 */
void import_put(struct import_writer *w, const char *text);

/**
 * import_put_rules() - write the rules that deny, or that allow, one in a line.
 */
void import_put_rules(struct import_writer *w, struct import *import, bool deny);

/**
 * import_sound() - write until the policy is sound: rules that say nothing are left out,
 * with a note. What is wrong otherwise fails the import.
 *
 * Returns the text, to be freed by the caller; or NULL.
 */
char *import_sound(struct import *import);

/**
 * import_write() - write the policy of wasmnet's. Returns it, NUL-terminated, to be freed by the
 * caller; or NULL when memory is short.
 */
char *import_write(struct import *import);

#endif
