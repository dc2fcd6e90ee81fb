/* SPDX-License-Identifier: ISC */
/*
 * Confinement ends the program when any step of it fails. The steps are not
 * listed here: a first run counts the calls that confine() makes, and then each
 * one of them fails once, and each one that says whether it worked lies once.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cap-ng.h>
#include <cmocka.h>
#include <linux/seccomp.h>

#include "common/confine.h"
#include "tests/unit/faults.h"

#define SURVIVED 77

/* Besides FAULTS_NEVER: the first call fails as it does where there is no Landlock. */
#define NO_LANDLOCK  (-2)
#define LANDLOCK_OFF (-3)

static struct faults *shared;

static const struct sock_filter allow_all[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
static const struct filter filter_test = {"test", allow_all, 1, 0};

/* So that a forced exit of a confined child does not start the leak check. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

static void
not_here(void)
{
	print_message("# not on this kernel, or not for this user\n");
}

static const struct confinement whole = {
	.descriptors = 64,
	.address_space = 1ULL << 47,
	.file_bytes = 0,
	.files = confine_read_exec,
	.filter = &filter_test,
};

/* Confines a child and runs @then in it. Returns its wait status. */
static int
run(const struct confinement *wanted, int fails, int lies, int (*then)(void))
{
	pid_t child;
	int status = 0;

	fflush(NULL);
	shared->calls = 0;
	shared->fails = fails;
	shared->lies = lies;
	shared->error = EPERM;
	if (fails <= NO_LANDLOCK) {
		shared->error = fails == NO_LANDLOCK ? ENOSYS : EOPNOTSUPP;
		shared->fails = 0;
	}
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		/* What is expected to fail says so; that is no news here. */
		(void)!freopen("/dev/null", "w", stderr);
		confine(wanted);
		_exit(then());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static int
survived(void)
{
	return SURVIVED;
}

static int
count_calls(void)
{
	int status = run(&whole, FAULTS_NEVER, FAULTS_NEVER, survived);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), SURVIVED);
	return shared->calls;
}

static void
each_failure_ends_the_process(void **state)
{
	int steps = count_calls();

	(void)state;
	assert_true(steps >= 14);
	for (int i = 0; i < steps; i++) {
		int status = run(&whole, i, FAULTS_NEVER, survived);
		const char *name = shared->names[i];

		if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
			fail_msg("step %d, %s, fails and the status is %#x", i, name, status);
	}
}

/* Such a kernel is a kernel, and the log says so. */
static void
a_kernel_without_landlock_will_do(void **state)
{
	(void)state;
	assert_int_equal(WEXITSTATUS(run(&whole, NO_LANDLOCK, FAULTS_NEVER, survived)), SURVIVED);
	assert_string_equal(shared->names[0], "landlock_create_ruleset");
	assert_int_equal(WEXITSTATUS(run(&whole, LANDLOCK_OFF, FAULTS_NEVER, survived)), SURVIVED);
}

/* What the kernel can be asked about is asked. */
static void
each_lie_about_privilege_ends_the_process(void **state)
{
	int steps = count_calls();
	int lies = 0;

	(void)state;
	for (int i = 0; i < steps; i++) {
		const char *name = shared->names[i];
		int status;

		if (strcmp(name, "prctl") != 0 &&
		    (strcmp(name, "capng_apply") != 0 || geteuid() != 0))
			continue;
		status = run(&whole, FAULTS_NEVER, i, survived);
		lies++;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
			fail_msg("step %d, %s, lies and the status is %#x", i, name, status);
	}
	assert_int_equal(lies, geteuid() == 0 ? 3 : 2);
}

static int
inspect(void)
{
	struct rlimit now;
	struct sigaction pipe;
	const int resources[] = {RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_NOFILE};
	const rlim_t most[] = {0, 0, 64};

	for (size_t i = 0; i < 3; i++) {
		if (__real_getrlimit((__rlimit_resource_t)resources[i], &now) < 0 ||
		    now.rlim_cur != most[i] || now.rlim_max != most[i])
			return 1;
	}
	if (__real_sigaction(SIGPIPE, NULL, &pipe) < 0 || pipe.sa_handler != SIG_IGN)
		return 2;
	if (__real_prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    __real_prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
	    __real_prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != SECCOMP_MODE_FILTER)
		return 3;
	for (unsigned long i = 0; i <= CAP_LAST_CAP; i++) {
		if (__real_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) != 0)
			return 4;
		if (capng_have_capability(CAPNG_EFFECTIVE, (unsigned int)i) ||
		    capng_have_capability(CAPNG_PERMITTED, (unsigned int)i) ||
		    capng_have_capability(CAPNG_INHERITABLE, (unsigned int)i))
			return 5;
	}
	return SURVIVED;
}

static void
everything_is_taken_away(void **state)
{
	int status = run(&whole, FAULTS_NEVER, FAULTS_NEVER, inspect);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), SURVIVED);
}

static int
bounding_set(void)
{
	for (unsigned long i = 0; i <= CAP_LAST_CAP; i++) {
		if (__real_prctl(PR_CAPBSET_READ, i, 0, 0, 0) > 0)
			return 1;
	}
	return SURVIVED;
}

static void
the_bounding_set_is_emptied_where_that_is_allowed(void **state)
{
	int status;

	(void)state;
	assert_int_equal(__real_capng_get_caps_process(), 0);
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return not_here();
	status = run(&whole, FAULTS_NEVER, FAULTS_NEVER, bounding_set);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), SURVIVED);
}

static int
reads_and_runs(void)
{
	return (__real_open("/etc/passwd", O_RDONLY) >= 0) |
	       (__real_open("/", O_RDONLY | O_DIRECTORY) >= 0) << 1 |
	       (access("/bin/true", X_OK) == 0) << 2 |
	       (__real_open("/dev/null", O_WRONLY) >= 0) << 3 |
	       (mkdir("/tmp/sockward-confine-test", 0700) == 0) << 4 |
	       (__real_open("/bin/true", O_RDONLY) >= 0) << 5;
}

static int
runs(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return errno == EACCES ? 0 : 2;
}

static void
files_are_what_was_asked_for(void **state)
{
	void (*const kinds[])(int) = {NULL, confine_read, confine_read_exec};
	const int reads[] = {4, 5, 39};
	struct confinement wanted = whole;

	(void)state;
	if (confine_landlock_abi() == 0)
		return not_here();
	for (size_t i = 0; i < 3; i++) {
		int status;

		wanted.files = kinds[i];
		status = run(&wanted, FAULTS_NEVER, FAULTS_NEVER, reads_and_runs);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), reads[i]);
	}
	/* exec(2): refused, or /bin/true itself answers 0; so a failure to run is told apart. */
	wanted.files = confine_read_exec;
	wanted.descriptors = 0;
	assert_int_equal(run(&wanted, FAULTS_NEVER, FAULTS_NEVER, runs), 0);
}

static int
cannot_run(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return errno == EACCES ? SURVIVED : 1;
}

static void
reading_is_not_running(void **state)
{
	struct confinement wanted = whole;
	int status;

	(void)state;
	if (confine_landlock_abi() == 0)
		return not_here();
	wanted.files = confine_read;
	status = run(&wanted, FAULTS_NEVER, FAULTS_NEVER, cannot_run);
	assert_int_equal(WEXITSTATUS(status), SURVIVED);
}

/* 1: bind() worked, 2: connect() was tried by the kernel. */
static int
uses_tcp(void)
{
	struct sockaddr_storage any = {.ss_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int bound = bind(fd, (struct sockaddr *)&any, 16) == 0;

	((uint8_t *)&any)[3] = 1; /* port 1 */
	((uint8_t *)&any)[4] = 127;
	((uint8_t *)&any)[7] = 1;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	return bound | (connect(fd, (struct sockaddr *)&any, 16) == 0 || errno != EACCES) << 1;
}

static void
tcp_is_for_those_who_ask(void **state)
{
	struct confinement wanted = whole;

	(void)state;
	if (confine_landlock_abi() < 4)
		return not_here();
	assert_int_equal(WEXITSTATUS(run(&wanted, FAULTS_NEVER, FAULTS_NEVER, uses_tcp)), 0);
	wanted.tcp = true;
	assert_int_equal(WEXITSTATUS(run(&wanted, FAULTS_NEVER, FAULTS_NEVER, uses_tcp)), 3);
}

static int
signals_its_parent(void)
{
	return kill(getppid(), 0) < 0 && errno == EPERM ? SURVIVED : 1;
}

static void
no_signal_leaves(void **state)
{
	(void)state;
	if (confine_landlock_abi() < 6)
		return not_here();
	assert_int_equal(WEXITSTATUS(run(&whole, FAULTS_NEVER, FAULTS_NEVER, signals_its_parent)),
			 SURVIVED);
}

/* A struct larger than a kernel knows is E2BIG there: each ABI gets its own. */
static void
landlock_is_sized_by_its_abi(void **state)
{
	static const struct {
		size_t size;
		uint64_t files, network, scope;
	} wanted[] = {
		{8, 0x1fff, 0, 0},  {8, 0x3fff, 0, 0},  {8, 0x7fff, 0, 0},  {16, 0x7fff, 3, 0},
		{16, 0xffff, 3, 0}, {24, 0xffff, 3, 3}, {24, 0xffff, 3, 3}, {24, 0xffff, 3, 3},
	};

	(void)state;
	for (int abi = 1; abi <= confine_landlock_abi() && abi <= 8; abi++) {
		memset(shared->ruleset, 0, sizeof(shared->ruleset));
		shared->abi = abi;
		assert_int_equal(WEXITSTATUS(run(&whole, FAULTS_NEVER, FAULTS_NEVER, survived)),
				 SURVIVED);
		shared->abi = 0;
		assert_int_equal(shared->ruleset_size, wanted[abi - 1].size);
		assert_int_equal(shared->ruleset[0], wanted[abi - 1].files);
		assert_int_equal(shared->ruleset[1], wanted[abi - 1].network);
		assert_int_equal(shared->ruleset[2], wanted[abi - 1].scope);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_taken_away),
		cmocka_unit_test(the_bounding_set_is_emptied_where_that_is_allowed),
		cmocka_unit_test(each_failure_ends_the_process),
		cmocka_unit_test(a_kernel_without_landlock_will_do),
		cmocka_unit_test(each_lie_about_privilege_ends_the_process),
		cmocka_unit_test(files_are_what_was_asked_for),
		cmocka_unit_test(reading_is_not_running),
		cmocka_unit_test(tcp_is_for_those_who_ask),
		cmocka_unit_test(no_signal_leaves),
		cmocka_unit_test(landlock_is_sized_by_its_abi),
	};

	shared = faults_start();
	if (!shared)
		return 1;
	return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}
