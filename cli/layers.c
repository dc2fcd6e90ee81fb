/* SPDX-License-Identifier: ISC */
#include "cli/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"

/* systemd's range for dynamic users: no host gives these to a person. */
#define UID_FIRST 61184U
#define UID_LAST  65519U
#define UID_LOCK  "/run/sockward-uids"
#define UID_SETS  ((UID_LAST - UID_FIRST + 1) / ROLE_COUNT)

static int
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* An ordinary user gets it through a user namespace in which it is itself. */
static int
empty_network(bool as_root)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (as_root)
		return unshare(CLONE_NEWNET);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -1;
	snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
	if (write_file("/proc/self/setgroups", "deny") < 0 ||
	    write_file("/proc/self/uid_map", map) < 0)
		return -1;
	snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
	return write_file("/proc/self/gid_map", map);
}

/* Tried in a child, so that the line at the start is true. */
static bool
can_empty_network(bool as_root)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return false;
	if (pid == 0)
		_exit(empty_network(as_root) < 0 ? 1 : 0);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/*
 * A byte of a file for each set: a crash leaves no lock behind. The file stays;
 * the directory is root's, so nobody else can hold a lock in it.
 */
static int
lock_uids(int fd, uid_t first)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = first, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &lock);
}

static bool
uids_unused(uid_t first)
{
	for (uid_t uid = first; uid < first + ROLE_COUNT; uid++)
		if (getpwuid(uid) || getgrgid(uid))
			return false;
	return true;
}

static int
choose_uids(struct suite *suite)
{
	suite->uid_lock = open(UID_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (suite->uid_lock < 0)
		return fail("%s", UID_LOCK);
	for (unsigned int i = 0; i < UID_SETS; i++) {
		unsigned int set = ((unsigned int)getpid() + i) % UID_SETS;
		uid_t first = UID_FIRST + set * ROLE_COUNT;

		if (!uids_unused(first))
			continue;
		if (lock_uids(suite->uid_lock, first) < 0)
			continue;
		for (unsigned int r = 0; r < ROLE_COUNT; r++)
			suite->programs[r].uid = first + r;
		return 0;
	}
	errno = 0;
	return fail("no %d unused uids between %u and %u", ROLE_COUNT, UID_FIRST, UID_LAST);
}

int
layers_choose(struct suite *suite)
{
	suite->as_root = geteuid() == 0;
	suite->empty_net = can_empty_network(suite->as_root);
	for (int r = 0; r < ROLE_COUNT; r++)
		suite->programs[r].uid = geteuid();
	return suite->as_root ? choose_uids(suite) : 0;
}

static long
landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

void
layers_say(const struct suite *suite)
{
	const char *between = "; missing: ";
	char line[512] = "layers: seccomp";
	long abi = landlock_abi();
	FILE *out = fmemopen(line, sizeof(line), "a");

	if (!out)
		return;
	if (abi > 0)
		fprintf(out, ", Landlock %ld", abi);
	fputs(", no capabilities", out);
	if (suite->as_root)
		fprintf(out, ", own uids %u-%u", suite->programs[0].uid,
			suite->programs[ROLE_COUNT - 1].uid);
	if (suite->empty_net)
		fputs(", empty network namespace", out);
	if (abi <= 0) {
		fprintf(out, "%sLandlock (this kernel has none)", between);
		between = ", ";
	}
	if (!suite->as_root) {
		fprintf(out, "%sown uids (not started as root)", between);
		between = ", ";
	}
	if (!suite->empty_net)
		fprintf(out, "%sempty network namespace (the kernel does not allow %s)", between,
			suite->as_root ? "CLONE_NEWNET" : "user namespaces here");
	fclose(out);
	log_note("%s", line);
}

int
layers_apply(const struct suite *suite, const struct program *program, pid_t parent)
{
	if (program->role == ROLE_LISTENER && suite->empty_net && empty_network(suite->as_root) < 0)
		return fail("empty network namespace");
	if (suite->as_root &&
	    (setgroups(0, NULL) < 0 || setresgid(program->uid, program->uid, program->uid) < 0 ||
	     setresuid(program->uid, program->uid, program->uid) < 0))
		return fail("uid %u", program->uid);
	/* After the uid: changing that clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail("PR_SET_PDEATHSIG");
	errno = 0;
	if (getppid() != parent)
		return fail("`sockward run` is gone");
	return 0;
}
