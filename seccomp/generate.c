/* SPDX-License-Identifier: ISC */
/*
 * Runs at build time, on libseccomp:
 *
 *   generate NAME source    a C file with the filter as plain BPF
 *   generate NAME golden    the listing, and libseccomp's own view of the program
 *
 * The table must be sound (table_fault()), or the build ends here.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/filter.h>

#include "seccomp/table.h"

static _Noreturn void
give_up(const char *table, const char *what, const char *why)
{
	fprintf(stderr, "generate: table %s, %s: %s\n", table, what, why);
	exit(1);
}

static uint32_t
default_action(enum otherwise otherwise)
{
	switch (otherwise) {
	case OTHERWISE_KILL:
		return SCMP_ACT_KILL_PROCESS;
	case OTHERWISE_REFUSE:
		return SCMP_ACT_ERRNO(EPERM);
	case OTHERWISE_ALLOW:
		return SCMP_ACT_ALLOW;
	}
	abort();
}

static uint32_t
row_action(const struct row *row)
{
	if (row->kind == ROW_ERRNO)
		return SCMP_ACT_ERRNO(row->number);
	return row->kind == ROW_KILL ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ALLOW;
}

static void
add(scmp_filter_ctx filter, const char *table, const struct row *row)
{
	struct scmp_arg_cmp test = {row->number, SCMP_CMP_MASKED_EQ, row->mask, row->value};
	int call = seccomp_syscall_resolve_name(row->name);
	int error;

	if (call == __NR_SCMP_ERROR)
		give_up(table, row->name, "no such call");
	if (call < 0)
		return; /* known, but not on this architecture */
	error = seccomp_rule_add_exact_array(filter, row_action(row), call,
					     row->kind == ROW_CALL_IF, &test);
	if (error)
		give_up(table, row->name, strerror(-error));
}

static scmp_filter_ctx
build(const struct table *table)
{
	const struct row *head = &table->rows[0];
	scmp_filter_ctx filter = seccomp_init(default_action(head->otherwise));
	size_t at = 0;
	const char *fault = table_fault(table, &at);

	if (fault)
		give_up(head->name, table->rows[at].name, fault);
	if (!filter || seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) < 0)
		give_up(head->name, "start", "libseccomp refuses");
	for (size_t i = 1; i < table->count; i++)
		add(filter, head->name, &table->rows[i]);
	return filter;
}

static void
write_source(scmp_filter_ctx filter, const struct row *head)
{
	struct sock_filter program[BPF_MAXINSNS];
	int fd = memfd_create("filter", MFD_CLOEXEC);
	ssize_t size;

	if (fd < 0 || seccomp_export_bpf(filter, fd) < 0)
		give_up(head->name, "export", "libseccomp refuses");
	size = pread(fd, program, sizeof(program), 0);
	if (size <= 0 || (size_t)size % sizeof(program[0]))
		give_up(head->name, "export", "not a program");
	close(fd);
	printf("/* Generated from seccomp/%s.def. */\n", head->name);
	printf("#include <linux/seccomp.h>\n\n#include \"seccomp/install.h\"\n\n");
	printf("static const struct sock_filter program[] = {\n");
	for (size_t i = 0; i < (size_t)size / sizeof(program[0]); i++)
		printf("\t{0x%02x, %u, %u, 0x%08x},\n", program[i].code, program[i].jt,
		       program[i].jf, program[i].k);
	printf("};\n\nconst struct filter filter_%s = {\n", head->name);
	printf("\t\"%s\", program, sizeof(program) / sizeof(program[0]), %s,\n};\n", head->name,
	       head->otherwise == OTHERWISE_REFUSE ? "SECCOMP_FILTER_FLAG_LOG" : "0");
}

static void
write_golden(scmp_filter_ctx filter, const struct table *table)
{
	table_list(table, stdout);
	printf("\n");
	fflush(stdout);
	if (seccomp_export_pfc(filter, STDOUT_FILENO) < 0)
		give_up(table->rows[0].name, "export", "libseccomp refuses");
}

int
main(int argc, char **argv)
{
	const struct table *table = argc == 3 ? table_find(argv[1]) : NULL;
	scmp_filter_ctx filter;

	if (!table || (strcmp(argv[2], "source") != 0 && strcmp(argv[2], "golden") != 0)) {
		fprintf(stderr, "usage: generate NAME source|golden\n");
		return 2;
	}
	filter = build(table);
	if (strcmp(argv[2], "source") == 0)
		write_source(filter, &table->rows[0]);
	else
		write_golden(filter, table);
	seccomp_release(filter);
	return fflush(stdout) == 0 ? 0 : 1;
}
