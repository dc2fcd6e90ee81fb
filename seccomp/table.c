/* SPDX-License-Identifier: ISC */
#include "seccomp/table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <asm/ioctls.h>

#define TABLE(table, rest, most, about) \
	{.kind = ROW_TABLE,             \
	 .name = #table,                \
	 .number = (most),              \
	 .otherwise = OTHERWISE_##rest, \
	 .reason = (about)},
#define CALL(call, why) {.kind = ROW_CALL, .name = #call, .reason = (why)},
#define CALL_IF(call, arg, bits, equal, why)                      \
	{.kind = ROW_CALL_IF,                                     \
	 .name = #call,                                           \
	 .number = (arg),                                         \
	 .mask = (bits),                                          \
	 .value = (equal),                                        \
	 .condition = "argument " #arg " & " #bits " == " #equal, \
	 .reason = (why)},
#define ERRNO(call, error, why) \
	{.kind = ROW_ERRNO, .name = #call, .number = (error), .condition = #error, .reason = (why)},
#define KILL(call, why) {.kind = ROW_KILL, .name = #call, .reason = (why)},

/* All bits of an argument; for tests of the whole value. */
#define ALL UINT64_MAX

static const struct row listener_rows[] = {
#include "seccomp/listener.def"
};
static const struct row worker_rows[] = {
#include "seccomp/worker.def"
};
static const struct row session_rows[] = {
#include "seccomp/session.def"
};
static const struct row broker_rows[] = {
#include "seccomp/broker.def"
};
static const struct row resolver_rows[] = {
#include "seccomp/resolver.def"
};
static const struct row lookup_rows[] = {
#include "seccomp/lookup.def"
};
static const struct row authenticator_rows[] = {
#include "seccomp/authenticator.def"
};
static const struct row auditor_rows[] = {
#include "seccomp/auditor.def"
};

#define ROWS(name)                                                        \
	{                                                                 \
		name##_rows, sizeof(name##_rows) / sizeof(name##_rows[0]) \
	}

const struct table tables[] = {
	ROWS(listener), ROWS(worker), ROWS(session),       ROWS(broker),
	ROWS(resolver), ROWS(lookup), ROWS(authenticator), ROWS(auditor),
};
const size_t tables_count = sizeof(tables) / sizeof(tables[0]);

const struct table *
table_find(const char *name)
{
	for (size_t i = 0; i < tables_count; i++) {
		if (strcmp(tables[i].rows[0].name, name) == 0)
			return &tables[i];
	}
	return NULL;
}

/* Why two rows on one call cannot stand in one table, or NULL. */
static const char *
clash(const struct row *a, const struct row *b)
{
	if (a->kind != ROW_CALL_IF && b->kind != ROW_CALL_IF)
		return "the call has a row already";
	if (a->kind != b->kind)
		return "a narrow rule vanishes beside an unconditional one";
	if (a->number != b->number)
		return "tests of two arguments are ORed, not ANDed";
	if (a->mask == b->mask && a->value == b->value)
		return "the call has this row already";
	return NULL;
}

static const char *
row_fault(const struct row *row)
{
	if (row->kind == ROW_TABLE)
		return "a second head";
	if (!row->name || !*row->name)
		return "a row without a call";
	if (row->kind != ROW_CALL && (!row->reason || !*row->reason))
		return "a row out of the ordinary without a reason";
	if (row->kind == ROW_CALL_IF && row->number > 5)
		return "a call has six arguments";
	if (row->kind == ROW_CALL_IF && (row->value & ~row->mask))
		return "nothing can pass this test";
	if (row->kind == ROW_ERRNO && (row->number == 0 || row->number > 4095))
		return "no errno";
	return NULL;
}

const char *
table_fault(const struct table *table, size_t *row)
{
	const char *fault = NULL;

	if (!table->count || table->rows[0].kind != ROW_TABLE) {
		*row = 0;
		return "a table begins with its head";
	}
	for (size_t i = 1; i < table->count; i++) {
		fault = row_fault(&table->rows[i]);
		for (size_t j = 1; j < i && !fault; j++) {
			if (strcmp(table->rows[i].name, table->rows[j].name) == 0)
				fault = clash(&table->rows[i], &table->rows[j]);
		}
		if (fault) {
			*row = i;
			return fault;
		}
	}
	if (table_allowed(table) > table->rows[0].number) {
		*row = table->count - 1;
		return "more calls are allowed than the table's limit";
	}
	return NULL;
}

static bool
allows(const struct row *row)
{
	return row->kind == ROW_CALL || row->kind == ROW_CALL_IF;
}

size_t
table_allowed(const struct table *table)
{
	size_t n = 0;

	for (size_t i = 1; i < table->count; i++) {
		bool counted = !allows(&table->rows[i]);

		for (size_t j = 1; j < i && !counted; j++)
			counted = strcmp(table->rows[i].name, table->rows[j].name) == 0;
		n += !counted;
	}
	return n;
}

static void
list_row(const struct row *row, FILE *out)
{
	static const char *const verb[] = {
		[ROW_CALL] = "allow",
		[ROW_CALL_IF] = "allow",
		[ROW_ERRNO] = "errno",
		[ROW_KILL] = "kill",
	};

	fprintf(out, "%-6s %s", verb[row->kind], row->name);
	if (row->kind == ROW_CALL_IF)
		fprintf(out, " if %s", row->condition);
	if (row->kind == ROW_ERRNO)
		fprintf(out, " %s", row->condition);
	fprintf(out, "%s%s\n", *row->reason ? " -- " : "", row->reason);
}

void
table_list(const struct table *table, FILE *out)
{
	static const char *const otherwise[] = {
		[OTHERWISE_KILL] = "kill the process",
		[OTHERWISE_REFUSE] = "errno EPERM, and a line in the kernel's log",
		[OTHERWISE_ALLOW] = "allow",
	};
	const struct row *head = &table->rows[0];

	fprintf(out, "# %s: %s\n", head->name, head->reason);
	for (size_t i = 1; i < table->count; i++)
		list_row(&table->rows[i], out);
	fprintf(out, "other  %s\n", otherwise[head->otherwise]);
	fprintf(out, "arch   any other, x32 and 32-bit entry: kill the process\n");
	fprintf(out, "count  %zu allowed, %u at most\n", table_allowed(table), head->number);
}
