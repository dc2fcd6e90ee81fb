/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/hostile/probe.h"

/* Bits of the subjects of probe.c, in its order. */
enum {
	LISTENER = 1,
	TEMPLATE = 2,
	SESSION = 4,
	BROKER = 8,
	RESOLVER = 16,
	LOOKUP = 32,
	AUTHENTICATOR = 64,
	AUDITOR = 128,
};

#define NOBODY 0
#define NEVER(call, who)                        \
	{                                       \
#call, SYS_##call, false, (who) \
	}
#define LIBC(call, who)                        \
	{                                      \
#call, SYS_##call, true, (who) \
	}

/* clang-format off */
const struct forbidden forbidden[] = {
	/* sockets: for those who have the network, or a helper to speak to */
	NEVER(socket, LISTENER | BROKER | RESOLVER | LOOKUP),
	NEVER(socketpair, LISTENER),
	NEVER(connect, LISTENER | BROKER | RESOLVER | LOOKUP),
	NEVER(bind, BROKER),
	NEVER(listen, BROKER),
	NEVER(accept, NOBODY),
	NEVER(accept4, LISTENER | BROKER | RESOLVER | AUTHENTICATOR | AUDITOR),
	NEVER(sendto, LISTENER | BROKER | RESOLVER | LOOKUP | AUTHENTICATOR | AUDITOR),
	NEVER(sendmsg, LISTENER | TEMPLATE | BROKER | RESOLVER),
	NEVER(sendmmsg, NOBODY),
	NEVER(recvmmsg, NOBODY),
	NEVER(setsockopt, BROKER | RESOLVER | LOOKUP),
	NEVER(getsockopt, LISTENER | BROKER | RESOLVER | LOOKUP | AUTHENTICATOR | AUDITOR),
	LIBC(ioctl, NOBODY),
	NEVER(fcntl, LISTENER | RESOLVER | LOOKUP),
	NEVER(splice, NOBODY),
	NEVER(tee, NOBODY),
	NEVER(vmsplice, NOBODY),

	/* files */
	LIBC(openat, LISTENER | RESOLVER | LOOKUP),
	LIBC(openat2, NOBODY),
	NEVER(open_by_handle_at, NOBODY),
	NEVER(name_to_handle_at, NOBODY),
	LIBC(statx, NOBODY),
	LIBC(readlinkat, LISTENER),
	NEVER(mknodat, NOBODY),
	NEVER(mkdirat, NOBODY),
	NEVER(unlinkat, NOBODY),
	NEVER(renameat2, NOBODY),
	NEVER(linkat, NOBODY),
	NEVER(symlinkat, NOBODY),
	NEVER(fchmodat, NOBODY),
	NEVER(fchownat, NOBODY),
	NEVER(truncate, NOBODY),
	NEVER(getdents64, NOBODY),
	NEVER(inotify_init1, NOBODY),
	NEVER(fanotify_init, NOBODY),
	NEVER(chroot, NOBODY),
	NEVER(pivot_root, NOBODY),
	NEVER(mount, NOBODY),
	NEVER(umount2, NOBODY),
	NEVER(move_mount, NOBODY),
	NEVER(open_tree, NOBODY),
	NEVER(fsopen, NOBODY),
	NEVER(memfd_create, NOBODY),
	NEVER(memfd_secret, NOBODY),

	/* programs and processes */
	NEVER(execve, NOBODY),
	NEVER(execveat, LISTENER),
	NEVER(clone, LISTENER | TEMPLATE | RESOLVER),
	NEVER(clone3, NOBODY),
	NEVER(unshare, NOBODY),
	NEVER(setns, NOBODY),
	NEVER(kill, NOBODY),
	NEVER(tkill, NOBODY),
	NEVER(tgkill, NOBODY),
	NEVER(rt_sigqueueinfo, NOBODY),
	NEVER(rt_tgsigqueueinfo, NOBODY),
	NEVER(pidfd_open, LISTENER),
	NEVER(pidfd_send_signal, LISTENER),
	NEVER(pidfd_getfd, NOBODY),
	NEVER(ptrace, NOBODY),
	NEVER(process_vm_readv, NOBODY),
	NEVER(process_vm_writev, NOBODY),
	NEVER(process_madvise, NOBODY),
	NEVER(kcmp, NOBODY),
	NEVER(prctl, LISTENER | RESOLVER),
	NEVER(setitimer, RESOLVER),
	NEVER(setuid, NOBODY),
	NEVER(setresuid, NOBODY),
	NEVER(setresgid, NOBODY),
	NEVER(setgroups, NOBODY),
	NEVER(setsid, NOBODY),
	NEVER(setpriority, NOBODY),
	NEVER(sched_setscheduler, LISTENER),
	NEVER(capset, LISTENER),
	NEVER(prlimit64, LISTENER),
	NEVER(personality, NOBODY),

	/* the kernel's larger surfaces */
	NEVER(io_uring_setup, NOBODY),
	NEVER(io_uring_enter, NOBODY),
	NEVER(io_uring_register, NOBODY),
	NEVER(io_setup, NOBODY),
	NEVER(bpf, NOBODY),
	NEVER(perf_event_open, NOBODY),
	NEVER(userfaultfd, NOBODY),
	NEVER(keyctl, NOBODY),
	NEVER(add_key, NOBODY),
	NEVER(request_key, NOBODY),
	NEVER(shmget, NOBODY),
	NEVER(shmat, NOBODY),
	NEVER(msgget, NOBODY),
	NEVER(semget, NOBODY),
	NEVER(mq_open, NOBODY),
	NEVER(pkey_mprotect, NOBODY),
	NEVER(remap_file_pages, NOBODY),
	NEVER(init_module, NOBODY),
	NEVER(finit_module, NOBODY),
	NEVER(kexec_load, NOBODY),
	NEVER(reboot, NOBODY),
	NEVER(swapon, NOBODY),
	NEVER(acct, NOBODY),
	NEVER(syslog, NOBODY),
	NEVER(settimeofday, NOBODY),
	NEVER(clock_settime, NOBODY),
	NEVER(adjtimex, NOBODY),
	NEVER(sethostname, NOBODY),
	NEVER(quotactl, NOBODY),
	NEVER(seccomp, LISTENER | TEMPLATE | RESOLVER),
#if defined(__x86_64__)
	LIBC(open, NOBODY),
	LIBC(stat, NOBODY),
	NEVER(creat, NOBODY),
	NEVER(fork, NOBODY),
	NEVER(vfork, NOBODY),
	NEVER(iopl, NOBODY),
	NEVER(ioperm, NOBODY),
	NEVER(modify_ldt, NOBODY),
	NEVER(arch_prctl, LISTENER),
	NEVER(uselib, NOBODY),
#endif
};
/* clang-format on */
const size_t forbidden_count = sizeof(forbidden) / sizeof(forbidden[0]);

int
call_enter(const struct call *call)
{
	const uint64_t *a = call->args;
	long result = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);

	return result < 0 ? errno : 0;
}

#if defined(__x86_64__)
/* The 32-bit entry, which any 64-bit process has. Arguments are all 0. */
static int
enter_32(const struct call *call)
{
	long result = call->number;

	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 : "b"(0L), "c"(0L), "d"(0L), "S"(0L), "D"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	return result < 0 && result > -4096 ? (int)-result : 0;
}

#define X32(call, number)                                                   \
	{                                                                   \
		"x32 " call, 0x40000000L + (number), {0}, false, call_enter \
	}
#define I386(call, number)                                      \
	{                                                       \
		"int 0x80 " call, (number), {0}, true, enter_32 \
	}

const struct call entries[] = {
	X32("read", 0),          X32("write", 1),        X32("socket", 41),
	X32("connect", 42),      X32("exit_group", 231), X32("execve", 520),
	X32("ptrace", 521),      X32("sendmsg", 518),    X32("process_vm_readv", 539),
	I386("exit", 1),         I386("read", 3),        I386("open", 5),
	I386("execve", 11),      I386("getpid", 20),     I386("socketcall", 102),
	I386("exit_group", 252), I386("socket", 359),
};
const size_t entries_count = sizeof(entries) / sizeof(entries[0]);
#else
const struct call entries[1];
const size_t entries_count = 0;
#endif
