/* SPDX-License-Identifier: ISC */
/* Attacks on files, processes and the kernel, and what a worker finds in itself. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

/* --- what is there ------------------------------------------------------------- */

/* close(2) is allowed, and tells which descriptors there were. */
static void
inventory(struct hostile *h)
{
	long others = 0;

	for (int fd = 0; fd < 4096; fd++) {
		if (fd == h->client || fd == h->channel)
			continue;
		if (close(fd) == 0)
			say(h, "descriptor", fd);
		others += fd > 2 && errno != EBADF;
	}
	say(h, "others", others);
	for (char **one = environ; one && *one; one++)
		say(h, *one, 0);
}

/* Holds the token of its client, and itself, to be looked at from outside. */
static void
hold(struct hostile *h)
{
	say(h, "holding", 0);
	(void)wait_readable(h->client, (int)param(h, "ms"));
}

/* Echoes, so that the driver sees whether other sessions still work. */
static void
echo(struct hostile *h)
{
	char bytes[512];
	ssize_t n;

	while (wait_readable(h->client, 60000) && (n = read(h->client, bytes, sizeof(bytes))) > 0)
		(void)!write(h->client, bytes, (size_t)n);
}

/* --- files and programs -------------------------------------------------------- */

static void
files(struct hostile *h)
{
	const char *paths[] = {"/",
			       "/etc/passwd",
			       "/dev/null",
			       "/proc/self/mem",
			       "/proc/1/environ",
			       "/proc/net/tcp",
			       "/tmp/sockward-hostile"};
	struct {
		uint64_t flags, mode, resolve;
	} how = {0};
	struct stat st;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		say(h, paths[i], open(paths[i], i == 6 ? O_WRONLY | O_CREAT : O_RDONLY, 0600));
	say(h, "openat2", syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how)));
	say(h, "stat", stat("/etc/passwd", &st));
	say(h, "access", access("/etc/passwd", F_OK));
}

static void
run_program(struct hostile *h)
{
	char *const args[] = {(char[]){"true"}, NULL};

	say(h, "execve", execve("/bin/true", args, NULL));
}

static void
run_descriptor(struct hostile *h)
{
	char *const args[] = {(char[]){"x"}, NULL};

	say(h, "execveat", syscall(SYS_execveat, h->client, "", args, args, AT_EMPTY_PATH));
}

static void
fork_raw(struct hostile *h)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	say(h, "clone", pid);
}

static void
fork_by_clone3(struct hostile *h)
{
	uint64_t args[11] = {0};
	long pid;

	args[4] = SIGCHLD;
	pid = syscall(SYS_clone3, args, sizeof(args));
	if (pid == 0)
		_exit(0);
	say(h, "clone3", pid);
}

/* --- other processes ----------------------------------------------------------- */

static pid_t
target(const struct hostile *h)
{
	return (pid_t)param(h, "pid");
}

static void
kill_it(struct hostile *h)
{
	say(h, "kill", kill(target(h), SIGKILL));
}

static void
kill_by_pidfd(struct hostile *h)
{
	int fd = (int)syscall(SYS_pidfd_open, target(h), 0);

	say(h, "pidfd_open", fd);
	say(h, "pidfd_send_signal", syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
}

static void
steal_descriptor(struct hostile *h)
{
	int fd = (int)syscall(SYS_pidfd_open, target(h), 0);

	for (int other = 3; other < 8; other++)
		say(h, "pidfd_getfd", syscall(SYS_pidfd_getfd, fd, other, 0));
}

static void
trace_it(struct hostile *h)
{
	say(h, "ptrace", ptrace(PTRACE_SEIZE, target(h), 0, 0));
}

static void
read_it(struct hostile *h)
{
	char here[16];
	struct iovec local = {here, sizeof(here)};
	/* A template's children share its layout: this address is good in a sibling. */
	struct iovec remote = {h, sizeof(here)};

	say(h, "process_vm_readv", process_vm_readv(target(h), &local, 1, &remote, 1, 0));
}

static void
write_it(struct hostile *h)
{
	struct iovec both = {h, 1};

	say(h, "process_vm_writev", process_vm_writev(target(h), &both, 1, &both, 1, 0));
}

/* --- the kernel ---------------------------------------------------------------- */

static void
memory_runs(struct hostile *h)
{
	say(h, "mmap",
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0) == MAP_FAILED
		    ? -1
		    : 0);
}

static void
memory_is_made_to_run(struct hostile *h)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	say(h, "mmap", page == MAP_FAILED ? -1 : 0);
	say(h, "mprotect", mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static void
ring(struct hostile *h)
{
	struct io_uring_params params = {0};

	say(h, "io_uring_setup", syscall(SYS_io_uring_setup, 8, &params));
}

static void
bpf_map(struct hostile *h)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY};

	attr.key_size = attr.value_size = 4;
	attr.max_entries = 1;
	say(h, "bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static void
memory_file(struct hostile *h)
{
	say(h, "memfd_create", memfd_create("x", 0));
}

#if defined(__x86_64__)
static void
x32_call(struct hostile *h)
{
	say(h, "x32 getpid", syscall(0x40000000L + SYS_getpid));
}

static void
call_32(struct hostile *h)
{
	long result = 20; /* getpid */

	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	say(h, "int 0x80", result);
}
#endif

#define CALL(name, ...)                 \
	{                               \
		name, NULL, __VA_ARGS__ \
	}
#define RUN(name, how)        \
	{                     \
		name, how, 0, \
		{             \
			0     \
		}             \
	}

const struct attack attacks_system[] = {
	RUN("inventory", inventory),
	RUN("hold", hold),
	RUN("echo", echo),
	RUN("files", files),
	RUN("execve", run_program),
	RUN("execveat", run_descriptor),
	RUN("clone", fork_raw),
	RUN("clone3", fork_by_clone3),
	RUN("kill", kill_it),
	RUN("pidfd-signal", kill_by_pidfd),
	RUN("pidfd-getfd", steal_descriptor),
	RUN("ptrace", trace_it),
	RUN("vm-read", read_it),
	RUN("vm-write", write_it),
	RUN("mmap-exec", memory_runs),
	RUN("mprotect-exec", memory_is_made_to_run),
	RUN("io-uring", ring),
	RUN("bpf", bpf_map),
	RUN("memfd", memory_file),
	CALL("tgkill", SYS_tgkill, {1, 1, SIGKILL}),
	CALL("perf", SYS_perf_event_open, {0}),
	CALL("userfaultfd", SYS_userfaultfd, {1}),
	CALL("keyctl", SYS_keyctl, {0}),
	CALL("add-key", SYS_add_key, {0}),
	CALL("unshare", SYS_unshare, {CLONE_NEWUSER}),
	CALL("setns", SYS_setns, {0}),
	CALL("mount", SYS_mount, {0}),
	CALL("chroot", SYS_chroot, {0}),
	CALL("prctl", SYS_prctl, {4 /* PR_SET_DUMPABLE */, 1}),
	CALL("seccomp", SYS_seccomp, {1}),
	CALL("fcntl", SYS_fcntl, {0, F_SETOWN, 1}),
	CALL("setuid", SYS_setuid, {0}),
	CALL("personality", SYS_personality, {0x0400000 /* READ_IMPLIES_EXEC */}),
	CALL("getpid", SYS_getpid, {0}),
	CALL("vmsplice", SYS_vmsplice, {0}),
	CALL("shmget", SYS_shmget, {0, 4096, 0600}),
#if defined(__x86_64__)
	RUN("x32", x32_call),
	RUN("int80", call_32),
	CALL("fork", SYS_fork, {0}),
	CALL("arch-prctl", SYS_arch_prctl, {0}),
#endif
	{NULL, NULL, 0, {0}},
};
