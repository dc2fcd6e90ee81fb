/* SPDX-License-Identifier: ISC */
/* Tables that must be refused, and what stands in those that are shipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "seccomp/table.h"

#define HEAD(limit)                                                                    \
	{                                                                              \
		.kind = ROW_TABLE, .name = "test", .number = (limit), .reason = "test" \
	}
#define ALLOW(call)                                            \
	{                                                      \
		.kind = ROW_CALL, .name = (call), .reason = "" \
	}
#define REFUSE(call, error)                                                           \
	{                                                                             \
		.kind = ROW_ERRNO, .name = (call), .number = (error), .reason = "why" \
	}
#define WHEN(call, arg, m, v)                                                                    \
	{                                                                                        \
		.kind = ROW_CALL_IF, .name = (call), .number = (arg), .mask = (m), .value = (v), \
		.condition = "", .reason = "why"                                                 \
	}
#define FAULT(rows, at) fault_of(rows, sizeof(rows) / sizeof((rows)[0]), at)

static const char *
fault_of(const struct row *rows, size_t count, size_t at)
{
	struct table table = {rows, count};
	size_t row = 999;
	const char *fault = table_fault(&table, &row);

	if (fault)
		assert_int_equal(row, at);
	else
		assert_int_equal(row, 999);
	return fault;
}

static void
sound_tables_pass(void **state)
{
	const struct row rows[] = {
		HEAD(2),
		ALLOW("read"),
		WHEN("socket", 0, UINT64_MAX, 1),
		WHEN("socket", 0, UINT64_MAX, 2),
		REFUSE("open", 13),
	};
	const struct table table = {rows, 5};

	(void)state;
	assert_null(FAULT(rows, 0));
	assert_int_equal(table_allowed(&table), 2);
}

static void
narrow_beside_unconditional(void **state)
{
	const struct row before[] = {HEAD(9), ALLOW("mmap"), WHEN("mmap", 2, 4, 0)};
	const struct row after[] = {HEAD(9), WHEN("mmap", 2, 4, 0), ALLOW("read"), ALLOW("mmap")};
	const struct row refused[] = {HEAD(9), WHEN("mmap", 2, 4, 0), REFUSE("mmap", 13)};

	(void)state;
	assert_string_equal(FAULT(before, 2), "a narrow rule vanishes beside an unconditional one");
	assert_string_equal(FAULT(after, 3), "a narrow rule vanishes beside an unconditional one");
	assert_string_equal(FAULT(refused, 2),
			    "a narrow rule vanishes beside an unconditional one");
}

static void
repeated_rows(void **state)
{
	const struct row twice[] = {HEAD(9), ALLOW("read"), ALLOW("read")};
	const struct row both[] = {HEAD(9), ALLOW("open"), REFUSE("open", 13)};
	const struct row same[] = {HEAD(9), WHEN("a", 0, 1, 1), WHEN("a", 0, 1, 1)};
	const struct row ored[] = {HEAD(9), WHEN("a", 0, 1, 1), WHEN("a", 1, 1, 1)};

	(void)state;
	assert_non_null(FAULT(twice, 2));
	assert_non_null(FAULT(both, 2));
	assert_non_null(FAULT(same, 2));
	assert_string_equal(FAULT(ored, 2), "tests of two arguments are ORed, not ANDed");
}

static void
impossible_and_unexplained_rows(void **state)
{
	const struct row never[] = {HEAD(9), WHEN("a", 0, 1, 2)};
	const struct row seventh[] = {HEAD(9), WHEN("a", 6, 1, 1)};
	const struct row no_errno[] = {HEAD(9), REFUSE("open", 0)};
	const struct row no_reason[] = {HEAD(9),
					{.kind = ROW_KILL, .name = "clone3", .reason = ""}};
	const struct row headless[] = {ALLOW("read")};
	const struct row two_heads[] = {HEAD(9), HEAD(9)};

	(void)state;
	assert_string_equal(FAULT(never, 1), "nothing can pass this test");
	assert_non_null(FAULT(seventh, 1));
	assert_non_null(FAULT(no_errno, 1));
	assert_non_null(FAULT(no_reason, 1));
	assert_non_null(FAULT(headless, 0));
	assert_non_null(FAULT(two_heads, 1));
	assert_non_null(FAULT(headless, 0));
}

static void
the_limit_counts_calls(void **state)
{
	const struct row rows[] = {HEAD(1), WHEN("a", 0, 1, 1), WHEN("a", 0, 1, 0), ALLOW("b")};

	(void)state;
	assert_string_equal(FAULT(rows, 3), "more calls are allowed than the table's limit");
}

static void
shipped_tables(void **state)
{
	static const struct {
		const char *name;
		size_t most;
		enum otherwise otherwise;
	} wanted[] = {
		{"listener", 76, OTHERWISE_REFUSE}, {"worker", 28, OTHERWISE_KILL},
		{"session", 0, OTHERWISE_ALLOW},    {"broker", 30, OTHERWISE_REFUSE},
		{"resolver", 48, OTHERWISE_REFUSE}, {"authenticator", 24, OTHERWISE_REFUSE},
		{"auditor", 32, OTHERWISE_REFUSE},  {"lookup", 0, OTHERWISE_ALLOW},
	};

	(void)state;
	assert_int_equal(tables_count, 8);
	for (size_t i = 0; i < tables_count; i++) {
		const struct table *table = table_find(wanted[i].name);
		size_t row;

		assert_non_null(table);
		assert_null(table_fault(table, &row));
		assert_true(table_allowed(table) <= wanted[i].most);
		assert_int_equal(table->rows[0].otherwise, wanted[i].otherwise);
	}
	assert_null(table_find("nobody"));
}

/* Whatever a session inherits allows none of these; template rows are in session.def. */
static void
a_worker_never_gets(void **state)
{
	static const char *const never[] = {
		"socket",
		"socketpair",
		"connect",
		"bind",
		"listen",
		"accept",
		"accept4",
		"sendto",
		"sendmmsg",
		"setsockopt",
		"getsockopt",
		"ioctl",
		"open",
		"openat",
		"openat2",
		"creat",
		"execve",
		"execveat",
		"clone3",
		"fork",
		"vfork",
		"io_uring_setup",
		"io_uring_enter",
		"io_uring_register",
		"ptrace",
		"process_vm_readv",
		"process_vm_writev",
		"pidfd_open",
		"pidfd_getfd",
		"pidfd_send_signal",
		"prctl",
		"bpf",
		"mount",
		"unshare",
		"setns",
		"fcntl",
		"kill",
		"tkill",
		"tgkill",
		"memfd_create",
		"userfaultfd",
		"perf_event_open",
	};
	const struct table *worker = table_find("worker");
	const struct table *session = table_find("session");

	(void)state;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		for (size_t j = 1; j < worker->count; j++) {
			if (strcmp(worker->rows[j].name, never[i]) == 0)
				assert_int_equal(worker->rows[j].kind, ROW_ERRNO);
		}
	}
	for (size_t j = 1; j < session->count; j++)
		assert_int_equal(session->rows[j].kind, ROW_KILL);
}

/* Does a table allow all that a row of another one does? */
static bool
covers(const struct table *table, const struct row *row)
{
	for (size_t i = 1; i < table->count; i++) {
		const struct row *ours = &table->rows[i];

		if (strcmp(ours->name, row->name) != 0)
			continue;
		if (ours->kind == ROW_CALL)
			return true;
		if (ours->kind == ROW_CALL_IF && row->kind == ROW_CALL_IF &&
		    ours->number == row->number && ours->mask == row->mask &&
		    ours->value == row->value)
			return true;
	}
	return false;
}

/* The template is executed under the listener's filter: all that a worker may must pass it. */
static void
a_worker_has_nothing_that_its_listener_has_not(void **state)
{
	const struct table *worker = table_find("worker");
	const struct table *listener = table_find("listener");

	(void)state;
	for (size_t i = 1; i < worker->count; i++) {
		const struct row *row = &worker->rows[i];

		if (row->kind == ROW_ERRNO)
			continue;
		if (!covers(listener, row))
			fail_msg("the listener may not call %s", row->name);
	}
}

static void
the_listing_says_all(void **state)
{
	const struct row rows[] = {
		HEAD(2),
		ALLOW("read"),
		{.kind = ROW_CALL_IF,
		 .name = "mmap",
		 .condition = "argument 2 & 4 == 0",
		 .mask = 4,
		 .number = 2,
		 .reason = "why"},
		{.kind = ROW_ERRNO,
		 .name = "open",
		 .number = 13,
		 .condition = "EACCES",
		 .reason = "libc"},
		{.kind = ROW_KILL, .name = "clone3", .reason = "no"},
	};
	const struct table table = {rows, 5};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	table_list(&table, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "# test: test\n"
				  "allow  read\n"
				  "allow  mmap if argument 2 & 4 == 0 -- why\n"
				  "errno  open EACCES -- libc\n"
				  "kill   clone3 -- no\n"
				  "other  kill the process\n"
				  "arch   any other, x32 and 32-bit entry: kill the process\n"
				  "count  2 allowed, 2 at most\n");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_tables_pass),
		cmocka_unit_test(narrow_beside_unconditional),
		cmocka_unit_test(repeated_rows),
		cmocka_unit_test(impossible_and_unexplained_rows),
		cmocka_unit_test(the_limit_counts_calls),
		cmocka_unit_test(shipped_tables),
		cmocka_unit_test(a_worker_never_gets),
		cmocka_unit_test(a_worker_has_nothing_that_its_listener_has_not),
		cmocka_unit_test(the_listing_says_all),
	};

	return cmocka_run_group_tests_name("seccomp tables", tests, NULL, NULL);
}
