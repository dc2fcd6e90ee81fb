/* SPDX-License-Identifier: ISC */
/*
 * As much of TOML 1.0 as wasmnet's policies are made of: one table, whose values are
 * strings, lists of strings and whole numbers; comments. All else is an error, at its
 * place, though TOML may have it.
 */
#ifndef SOCKWARD_POLICY_IMPORT_TOML_H
#define SOCKWARD_POLICY_IMPORT_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/arena.h"
#include "policy/report.h"

#define TOML_MEMBERS 64   /* of the table at most */
#define TOML_STRINGS 4096 /* in one list at most */

enum toml_kind {
	TOML_STRING,
	TOML_NUMBER,
	TOML_LIST,
};

struct toml_string {
	struct place at;
	const char *text; /* decoded; holds no NUL but the last */
};

struct toml_member {
	struct place at; /* of its key */
	const char *key;
	enum toml_kind kind;
	struct place value_at;
	uint64_t number;                   /* TOML_NUMBER */
	const struct toml_string *strings; /* TOML_LIST; of a TOML_STRING there is one */
	size_t n;                          /* strings */
};

struct toml {
	struct toml_member members[TOML_MEMBERS];
	size_t n;
};

/**
 * toml_read() - read a text that has one table.
 * @text: any bytes. @size: how many; at most JSON_SIZE are taken.
 * @table: its name. A text without it is read too, as if it were empty.
 * @arena: owns the strings. @toml: zeroed; receives the members, in order.
 * @report: receives the first error.
 *
 * Returns false after an error.
 */
bool toml_read(const char *text, size_t size, const char *table, struct arena *arena,
	       struct toml *toml, struct report *report);

#endif
