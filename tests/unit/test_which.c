/* SPDX-License-Identifier: ISC */
/* Which suite a person means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/which.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
tenants(void **state)
{
	static const char *const good[] = {"a", "demo", "0", "sixteenletters16"};
	static const char *const bad[] = {"",      "seventeenletters1",
					  "Demo",  "a-b",
					  "a b",   "a/b",
					  "..",    "a.json",
					  "dem\n", "a\tb",
					  "é",     "*",
					  "demo@"};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(which_tenant(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(which_tenant(bad[i]));
}

static void
policies(void **state)
{
	static const struct {
		const char *what;
		const char *path; /* NULL: refused */
		const char *tenant;
	} cases[] = {
		{"demo", SYSCONFDIR "/sockward/demo.json", "demo"},
		{"-", "-", ""},
		{"demo.json", "demo.json", ""},
		{"./demo", "./demo", ""},
		{"/tmp/demo.json", "/tmp/demo.json", ""},
		{SYSCONFDIR "/sockward/demo.json", SYSCONFDIR "/sockward/demo.json", "demo"},
		{SYSCONFDIR "/sockward/Demo.json", SYSCONFDIR "/sockward/Demo.json", ""},
		{SYSCONFDIR "/sockward/demo.old", SYSCONFDIR "/sockward/demo.old", ""},
		{SYSCONFDIR "/sockward/a/demo.json", SYSCONFDIR "/sockward/a/demo.json", ""},
		{SYSCONFDIR "/sockward/.json", SYSCONFDIR "/sockward/.json", ""},
		{SYSCONFDIR "/sockward/seventeenletters1.json",
		 SYSCONFDIR "/sockward/seventeenletters1.json", ""},
		{"", NULL, NULL},
		{"Demo", NULL, NULL},
		{"seventeenletters1", NULL, NULL},
		{"demo.conf", NULL, NULL},
	};
	char path[WHICH_PATH];
	char tenant[TENANT_SIZE];
	char long_path[WHICH_PATH + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int result = which_policy(cases[i].what, path, tenant);

		assert_int_equal(result, cases[i].path ? 0 : -1);
		if (!cases[i].path)
			continue;
		assert_string_equal(path, cases[i].path);
		assert_string_equal(tenant, cases[i].tenant);
	}
	memset(long_path, '/', WHICH_PATH);
	long_path[WHICH_PATH] = '\0';
	assert_int_equal(which_policy(long_path, path, tenant), -1);
	long_path[WHICH_PATH - 1] = '\0';
	assert_int_equal(which_policy(long_path, path, tenant), 0);
	assert_string_equal(path, long_path);
}

static void
options(void **state)
{
	static const char *const cases[][2] = {
		{"/run/sockward/demo", "--tenant demo"},
		{"/run/sockward/Demo", "--runtime-dir /run/sockward/Demo"},
		{"/run/sockward/", "--runtime-dir /run/sockward/"},
		{"/tmp/sockward-a", "--runtime-dir /tmp/sockward-a"},
	};
	char option[WHICH_OPTION];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		which_option(cases[i][0], option);
		assert_string_equal(option, cases[i][1]);
	}
}

static void
environment(const char *dir, const char *tenant)
{
	unsetenv("SOCKWARD_RUNTIME_DIR");
	unsetenv("SOCKWARD_TENANT");
	if (dir)
		setenv("SOCKWARD_RUNTIME_DIR", dir, 1);
	if (tenant)
		setenv("SOCKWARD_TENANT", tenant, 1);
}

/* What is on the command line comes before the environment, wholly. */
static void
named(void **state)
{
	static const struct {
		struct which which;
		const char *env_dir, *env_tenant;
		const char *dir; /* NULL: refused */
	} cases[] = {
		{{"/d", NULL}, NULL, NULL, "/d"},
		{{NULL, "demo"}, NULL, NULL, "/run/sockward/demo"},
		{{NULL, NULL}, "/e", NULL, "/e"},
		{{NULL, NULL}, NULL, "demo", "/run/sockward/demo"},
		{{NULL, NULL}, "/e", "demo", "/e"},
		{{NULL, NULL}, "", "demo", "/run/sockward/demo"},
		{{NULL, "demo"}, "/e", "second", "/run/sockward/demo"},
		{{"/d", NULL}, "/e", "second", "/d"},
		{{NULL, "../demo"}, NULL, NULL, NULL},
		{{NULL, ""}, NULL, NULL, NULL},
		{{NULL, NULL}, NULL, "Demo", NULL},
	};
	char dir[CONTROL_DIR];
	char too_long[CONTROL_DIR + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		environment(cases[i].env_dir, cases[i].env_tenant);
		assert_true(which_named(&cases[i].which));
		assert_int_equal(which_suite(&cases[i].which, dir), cases[i].dir ? 0 : -1);
		if (cases[i].dir)
			assert_string_equal(dir, cases[i].dir);
	}
	environment(NULL, NULL);
	assert_false(which_named(&(struct which){NULL, NULL}));
	memset(too_long, 'a', CONTROL_DIR);
	too_long[CONTROL_DIR] = '\0';
	assert_int_equal(which_suite(&(struct which){too_long, NULL}, dir), -1);
	too_long[CONTROL_DIR - 1] = '\0';
	assert_int_equal(which_suite(&(struct which){too_long, NULL}, dir), 0);
	assert_string_equal(dir, too_long);
}

static void
trails(void **state)
{
	char path[WHICH_PATH] = "untouched";

	(void)state;
	environment(NULL, NULL);
	assert_int_equal(which_trail(NULL, path), 0);
	assert_int_equal(which_trail("a/b", path), -1);
	assert_string_equal(path, "untouched");
	assert_int_equal(which_trail("demo", path), 1);
	assert_string_equal(path, "/var/log/sockward/demo/audit.jsonl");
	environment("/d", "second");
	assert_int_equal(which_trail(NULL, path), 1);
	assert_string_equal(path, "/var/log/sockward/second/audit.jsonl");
	assert_int_equal(which_trail("demo", path), 1);
	assert_string_equal(path, "/var/log/sockward/demo/audit.jsonl");
	environment(NULL, NULL);
}

static int
serve(const char *base, const char *name, mode_t mode)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char dir[64];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(dir, sizeof(dir), "%s/%s", base, name);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chmod(dir, mode), 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/control.sock", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static size_t
count(const struct which_suites *suites, const char *base, const char *name)
{
	char dir[64];
	size_t n = 0;

	snprintf(dir, sizeof(dir), "%s/%s", base, name);
	for (size_t i = 0; i < suites->n; i++)
		n += strcmp(suites->dirs[i], dir) == 0;
	return n;
}

/* Others may be running here: what counts is which of ours are among them. */
static void
found(void **state)
{
	static const char *const names[] = {"sockward-a", "sockward-b", "sockward-open",
					    "sockward-gone", "other"};
	char base[] = "/tmp/which-XXXXXX";
	char path[CONTROL_DIR];
	struct which_suites suites;
	struct which none = {NULL, NULL};
	int fds[COUNT(names)];

	(void)state;
	assert_non_null(mkdtemp(base));
	setenv("XDG_RUNTIME_DIR", base, 1);
	for (size_t i = 0; i < COUNT(names); i++)
		fds[i] = serve(base, names[i], i == 2 ? 0777 : 0700);
	close(fds[3]);
	assert_int_equal(which_suites(&none, &suites), 0);
	assert_int_equal(count(&suites, base, "sockward-a"), 1);
	assert_int_equal(count(&suites, base, "sockward-b"), 1);
	/* Everybody may write there; nobody answers; and it is not called so. */
	assert_int_equal(count(&suites, base, "sockward-open"), 0);
	assert_int_equal(count(&suites, base, "sockward-gone"), 0);
	assert_int_equal(count(&suites, base, "other"), 0);
	assert_int_equal(which_suite(&none, path), -1);
	for (size_t i = 0; i < COUNT(names); i++) {
		if (i != 3)
			close(fds[i]);
		snprintf(path, sizeof(path), "%s/%s/control.sock", base, names[i]);
		assert_int_equal(unlink(path), 0);
		*strrchr(path, '/') = '\0';
		assert_int_equal(rmdir(path), 0);
	}
	assert_int_equal(rmdir(base), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tenants), cmocka_unit_test(policies), cmocka_unit_test(options),
		cmocka_unit_test(named),   cmocka_unit_test(trails),   cmocka_unit_test(found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
