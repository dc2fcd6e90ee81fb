/* SPDX-License-Identifier: ISC */
/*
 * Tries the filters from the inside. For each program: confine as it does, in a
 * child per probe, make one call by its number, and see whether the kernel answers
 * as the table says: every call number there is, every neighbour of every tested
 * argument, a list of calls that is written here and not taken from the tables,
 * and the entries of other architectures. No call here can succeed in doing
 * anything: descriptors are -1 and pointers lead nowhere.
 */
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/confine.h"
#include "seccomp/table.h"
#include "tests/hostile/probe.h"

#define NUMBERS     600 /* call numbers are below this */
#define FAULTS_MOST 20  /* shown of one test */

/* What a probe ends with; an errno lies between. */
enum {
	ANSWER_OK = 0,
	ANSWER_KILLED = 500,
	ANSWER_CRASHED
};

struct subject {
	const char *name;
	struct confinement confinement;
	const struct filter *on_top;
	const char *tables[2]; /* the filter; what is on top of it */
};

static const struct subject subjects[] = {
	{"listener", {.files = confine_read_exec, .filter = &filter_listener}, NULL, {"listener"}},
	{"worker template", {.filter = &filter_worker}, NULL, {"worker"}},
	{"worker session", {.filter = &filter_worker}, &filter_session, {"worker", "session"}},
	{"broker", {.tcp = true, .filter = &filter_broker}, NULL, {"broker"}},
	{"resolver",
	 {.files = confine_read, .tcp = true, .filter = &filter_resolver},
	 NULL,
	 {"resolver"}},
	{"resolver's lookup",
	 {.files = confine_read, .tcp = true, .filter = &filter_resolver},
	 &filter_lookup,
	 {"resolver", "lookup"}},
	{"authenticator", {.filter = &filter_authenticator}, NULL, {"authenticator"}},
	{"auditor", {.file_bytes = RLIM_INFINITY, .filter = &filter_auditor}, NULL, {"auditor"}},
};
#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

static struct {
	int tests;
	int failed;
	int faults; /* of the present test */
} tap;

static void
fault(const struct call *call, int wanted, int got)
{
	if (tap.faults++ < FAULTS_MOST)
		printf("# %s, call %ld: should answer %d, and answers %d\n", call->name,
		       call->number, wanted, got);
}

static void
conclude(const struct subject *subject, const char *what)
{
	tap.tests++;
	tap.failed += tap.faults > 0;
	printf("%sok %d - %s: %s\n", tap.faults ? "not " : "", tap.tests, subject->name, what);
	tap.faults = 0;
}

/* Runs @entry in a confined child; @quiet keeps refusals out of the kernel's log. */
static int
probe(const struct subject *subject, const struct call *call, bool quiet)
{
	struct filter filter = *subject->confinement.filter;
	struct confinement confinement = subject->confinement;
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(255);
		if (quiet)
			filter.flags = 0;
		confinement.filter = &filter;
		confine(&confinement);
		if (subject->on_top && filter_install(subject->on_top) < 0)
			_exit(255);
		_exit(call->enter(call));
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? ANSWER_KILLED : ANSWER_CRASHED;
	return WEXITSTATUS(status);
}

/* A row that decides alone; CALL_IF rows on one call are looked through for a match. */
static const struct row *
find(const struct table *table, long number, const uint64_t *args)
{
	for (size_t i = 1; i < table->count; i++) {
		const struct row *row = &table->rows[i];

		if (seccomp_syscall_resolve_name(row->name) != number)
			continue;
		if (row->kind != ROW_CALL_IF || (args[row->number] & row->mask) == row->value)
			return row;
	}
	return NULL;
}

static int
answer_of(const struct table *table, long number, const uint64_t *args)
{
	const struct row *row = find(table, number, args);

	if (row && row->kind == ROW_ERRNO)
		return (int)row->number;
	if (row)
		return row->kind == ROW_KILL ? ANSWER_KILLED : ANSWER_OK;
	switch (table->rows[0].otherwise) {
	case OTHERWISE_KILL:
		return ANSWER_KILLED;
	case OTHERWISE_REFUSE:
		return EPERM;
	case OTHERWISE_ALLOW:
		return ANSWER_OK;
	}
	abort();
}

static int
wanted_answer(const struct subject *subject, long number, const uint64_t *args)
{
	int answer = answer_of(table_find(subject->tables[0]), number, args);
	int top = ANSWER_OK;

	if (subject->tables[1])
		top = answer_of(table_find(subject->tables[1]), number, args);
	return top == ANSWER_KILLED ? top : answer;
}

/* An allowed call reaches the kernel, which has its own complaints but not these. */
static bool
as_wanted(int wanted, int got)
{
	return wanted == ANSWER_OK ? got != ANSWER_KILLED && got != EPERM && got != EACCES
				   : got == wanted;
}

/*
 * Kernels from 6.14 on let uretprobe(2), and from 6.18 on uprobe(2), past every
 * filter. Outside the kernel's own trampolines they do nothing but fail: SIGILL, ENXIO.
 */
static bool
exempt_by_the_kernel(long number)
{
#if defined(__x86_64__)
	return number == 335 || number == 336;
#else
	(void)number;
	return false;
#endif
}

static void
check(const struct subject *subject, const struct call *call, int wanted)
{
	int got = probe(subject, call, true);

	if (exempt_by_the_kernel(call->number) && (got == ANSWER_CRASHED || got == ENXIO))
		return;
	if (!as_wanted(wanted, got))
		fault(call, wanted, got);
}

/* A child of vfork(2) would return on its parent's stack. */
static bool
safe(const struct subject *subject, long number, const uint64_t *args)
{
	return number != SYS_vfork || wanted_answer(subject, number, args) != ANSWER_OK;
}

static void
every_number(const struct subject *subject)
{
	struct call call = {.name = "any", .enter = call_enter};

	memset(call.args, 0xff, sizeof(call.args));
	for (call.number = 0; call.number < NUMBERS; call.number++) {
		if (safe(subject, call.number, call.args))
			check(subject, &call, wanted_answer(subject, call.number, call.args));
	}
	conclude(subject, "every call number is answered as its table says");
}

/* The tested value, and what differs from it in each one of 64 bits. */
static void
neighbours(const struct subject *subject, const struct row *row)
{
	struct call call = {.name = row->name, .enter = call_enter};

	call.number = seccomp_syscall_resolve_name(row->name);
	if (call.number < 0)
		return;
	memset(call.args, 0xff, sizeof(call.args));
	for (int bit = -1; bit < 64; bit++) {
		uint64_t value = row->value ^ (bit < 0 ? 0 : 1ULL << bit);

		call.args[row->number] = value;
		check(subject, &call, wanted_answer(subject, call.number, call.args));
	}
}

static void
every_neighbour(const struct subject *subject)
{
	const struct table *table = table_find(subject->tables[0]);

	for (size_t i = 1; i < table->count; i++) {
		if (table->rows[i].kind == ROW_CALL_IF)
			neighbours(subject, &table->rows[i]);
	}
	conclude(subject, "every neighbour of a tested argument is denied");
}

static void
forbidden_list(const struct subject *subject)
{
	bool kills = subject->confinement.filter == &filter_worker;
	unsigned int role = 1U << (subject - subjects);

	for (size_t i = 0; i < forbidden_count; i++) {
		struct call call = {.name = forbidden[i].name, .enter = call_enter};
		int wanted = kills ? ANSWER_KILLED : EPERM;
		int got;

		if (forbidden[i].has & role)
			continue;
		call.number = forbidden[i].number;
		got = probe(subject, &call, false);
		/* A filter on top of one that refuses may end the process instead. */
		if (subject->on_top && got == ANSWER_KILLED)
			continue;
		if (forbidden[i].libc && got != ANSWER_OK && got != ANSWER_CRASHED)
			continue;
		if (got != wanted)
			fault(&call, wanted, got);
	}
	conclude(subject, "calls that it must never have");
}

static void
other_entries(const struct subject *subject)
{
	for (size_t i = 0; i < entries_count; i++) {
		int got = probe(subject, &entries[i], true);

		/* A kernel without the 32-bit entry answers it with a fault. */
		if (got != ANSWER_KILLED && !(entries[i].may_crash && got == ANSWER_CRASHED))
			fault(&entries[i], ANSWER_KILLED, got);
	}
	conclude(subject, "entries of other architectures end the process");
}

int
main(void)
{
	printf("1..%zu\n", SUBJECTS * 4);
	for (size_t i = 0; i < SUBJECTS; i++) {
		every_number(&subjects[i]);
		every_neighbour(&subjects[i]);
		forbidden_list(&subjects[i]);
		other_entries(&subjects[i]);
	}
	return tap.failed ? 1 : 0;
}
