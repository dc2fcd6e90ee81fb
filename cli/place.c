/* SPDX-License-Identifier: ISC */
#include "cli/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/parse.h"
#include "common/fds.h"
#include "common/log.h"

#define TCP_BACKLOG  4096
#define DOOR_BACKLOG 128

static const struct {
	const char *name;
	enum role comes; /* who connects; ROLE_COUNT: the starting user */
} doors[DOOR_COUNT] = {
	[DOOR_BROKER] = {"broker", ROLE_LISTENER},
	[DOOR_CONTROL] = {"control", ROLE_COUNT},
	[DOOR_RESOLVER] = {"resolver", ROLE_BROKER},
	[DOOR_AUTHENTICATOR] = {"authenticator", ROLE_BROKER},
	[DOOR_AUDITOR] = {"auditor", ROLE_BROKER},
	[DOOR_STATUS] = {"status", ROLE_COUNT},
	[DOOR_METRICS] = {"metrics", ROLE_COUNT},
};

const char *
suite_door_name(enum door door)
{
	return doors[door].name;
}

static void
path_of(const struct suite *suite, const char *name, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(out->sun_path, sizeof(out->sun_path), "%s/%s.sock", suite->dir, name);
}

/* A directory that the user named: it must be the user's own. */
static int
use_dir(struct suite *suite)
{
	struct stat st;
	int fd = open(suite->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fstat(fd, &st) < 0) {
		fail("%s", suite->dir);
		goto out;
	}
	if (st.st_uid != geteuid() || (st.st_mode & 022)) {
		errno = 0;
		fail("%s: the runtime directory must be yours and writable by nobody else",
		     suite->dir);
		goto out;
	}
	if (suite->as_root && fchmod(fd, (st.st_mode & 07777) | 0111) < 0) {
		fail("%s", suite->dir);
		goto out;
	}
	return close(fd);
out:
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The programs run elsewhere, as others: the path must be whole. */
static int
whole_path(struct suite *suite, const char *dir)
{
	char *whole = realpath(dir, NULL);
	size_t n = whole ? strlen(whole) : 0;

	if (n == 0)
		return fail("%s", dir);
	if (n < sizeof(suite->dir))
		strcpy(suite->dir, whole);
	free(whole);
	errno = ENAMETOOLONG;
	return n < sizeof(suite->dir) ? 0 : fail("%s", dir);
}

static int
make_dir(struct suite *suite)
{
	/* Where the programs have other uids, they could not pass root's own. */
	const char *base = suite->as_root ? NULL : getenv("XDG_RUNTIME_DIR");
	char dir[SUITE_DIR];
	int n;

	if (base && *base != '/')
		base = NULL;
	if (suite->asked_dir)
		n = snprintf(dir, sizeof(dir), "%s", suite->asked_dir);
	else if (base)
		n = snprintf(dir, sizeof(dir), "%s/sockward-%ld", base, (long)getpid());
	else
		n = snprintf(dir, sizeof(dir), "/tmp/sockward-XXXXXX");
	if (n <= 0 || (size_t)n >= sizeof(dir)) {
		errno = 0;
		return fail("the runtime directory's path must have 1 to %d bytes", SUITE_DIR - 1);
	}
	if (!suite->asked_dir && !base ? !mkdtemp(dir) : mkdir(dir, 0700) < 0) {
		if (errno != EEXIST)
			return fail("cannot make the runtime directory %s", dir);
		return whole_path(suite, dir) < 0 ? -1 : use_dir(suite);
	}
	if (whole_path(suite, dir) < 0) {
		(void)rmdir(dir);
		return -1;
	}
	suite->dir_made = true;
	if (suite->as_root && chmod(dir, 0711) < 0)
		return fail("%s", dir);
	return 0;
}

/* A socket file that nobody listens on is what a killed suite left. */
static int
clear_stale(const struct sockaddr_un *path)
{
	struct stat st;
	int fd;

	if (lstat(path->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : fail("%s", path->sun_path);
	if (!S_ISSOCK(st.st_mode)) {
		errno = 0;
		return fail("%s is in the way, and no socket", path->sun_path);
	}
	fd = fds_connect(path->sun_path, SOCK_SEQPACKET);
	if (fd >= 0 || errno == EAGAIN) {
		if (fd >= 0)
			close(fd);
		errno = 0;
		return fail("another suite is running here: %s answers", path->sun_path);
	}
	return unlink(path->sun_path) < 0 ? fail("%s", path->sun_path) : 0;
}

/* Owned and closed to others before the first connection can be made. */
static int
bind_at(const struct suite *suite, const char *name, int type, mode_t mode, uid_t owner)
{
	struct sockaddr_un path;
	int fd;

	path_of(suite, name, &path);
	if (clear_stale(&path) < 0)
		return -1;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail("socket");
	if (bind(fd, (struct sockaddr *)&path, sizeof(path)) < 0) {
		fail("%s", path.sun_path);
		close(fd);
		return -1;
	}
	if (chmod(path.sun_path, mode) < 0 ||
	    (suite->as_root && chown(path.sun_path, owner, (gid_t)owner) < 0) ||
	    (type == SOCK_SEQPACKET && listen(fd, DOOR_BACKLOG) < 0)) {
		fail("%s", path.sun_path);
		unlink(path.sun_path);
		close(fd);
		return -1;
	}
	return fd;
}

/* Short: with the longest directory they still fit into sun_path. */
const char *
suite_notify_name(enum role role)
{
	static const char *const names[ROLE_COUNT] = {
		[ROLE_AUDITOR] = "ready-audit",        [ROLE_RESOLVER] = "ready-names",
		[ROLE_AUTHENTICATOR] = "ready-tokens", [ROLE_BROKER] = "ready-broker",
		[ROLE_LISTENER] = "ready-listener",
	};

	return names[role];
}

/* One for each, so that none can fill another's, and nobody else any. */
static int
make_notify(struct suite *suite, enum role role)
{
	uid_t owner = suite->programs[role].uid;
	int fd = bind_at(suite, suite_notify_name(role), SOCK_DGRAM, 0600, owner);
	int on = 1;

	suite->notify[role] = fd;
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return fail("SO_PASSCRED");
	return 0;
}

int
place_make(struct suite *suite)
{
	mode_t mask = umask(077);
	int result = make_dir(suite);

	for (int i = 0; i < DOOR_COUNT && result == 0; i++) {
		uid_t owner = doors[i].comes == ROLE_COUNT ? geteuid()
							   : suite->programs[doors[i].comes].uid;

		suite->doors[i] = bind_at(suite, doors[i].name, SOCK_SEQPACKET, 0600, owner);
		result = suite->doors[i] < 0 ? -1 : 0;
	}
	for (int r = 0; r < ROLE_COUNT && result == 0; r++)
		result = make_notify(suite, (enum role)r);
	umask(mask);
	return result;
}

static int
listen_tcp(struct listen_at *at)
{
	int on = 1;

	at->fd = socket(at->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (at->fd < 0)
		return -1;
	if (setsockopt(at->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -1;
	if (at->addr.ss_family == AF_INET6 &&
	    setsockopt(at->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -1;
	if (bind(at->fd, (struct sockaddr *)&at->addr, at->length) < 0)
		return -1;
	if (listen(at->fd, TCP_BACKLOG) < 0)
		return -1;
	at->length = sizeof(at->addr);
	return getsockname(at->fd, (struct sockaddr *)&at->addr, &at->length);
}

int
place_listen(struct suite *suite)
{
	for (size_t i = 0; i < suite->listen_count; i++) {
		char text[ADDRESS_TEXT];

		show_address(&suite->listens[i].addr, text);
		if (listen_tcp(&suite->listens[i]) < 0)
			return fail("cannot listen on %s", text);
	}
	return 0;
}

int
place_audit(struct suite *suite)
{
	char path[SUITE_DIR + 16];
	const char *file = suite->audit_path;
	struct stat st;

	if (!file) {
		snprintf(path, sizeof(path), "%s/audit.jsonl", suite->dir);
		file = path;
	}
	suite->audit = open(file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (suite->audit < 0)
		return fail("cannot open the audit file %s", file);
	if (fstat(suite->audit, &st) < 0 || !S_ISREG(st.st_mode)) {
		errno = 0;
		return fail("the audit file %s is no regular file", file);
	}
	/* A directory that was asked for stays, and the records in it. */
	suite->audit_made = !suite->audit_path && !suite->asked_dir;
	return 0;
}

static void
remove_socket(const struct suite *suite, const char *name, int fd)
{
	struct sockaddr_un path;

	if (fd < 0)
		return;
	path_of(suite, name, &path);
	(void)unlink(path.sun_path);
	close(fd);
}

void
place_remove(struct suite *suite)
{
	char path[SUITE_DIR + 16];

	for (int i = 0; i < DOOR_COUNT; i++)
		remove_socket(suite, doors[i].name, suite->doors[i]);
	for (int r = 0; r < ROLE_COUNT; r++)
		remove_socket(suite, suite_notify_name((enum role)r), suite->notify[r]);
	if (suite->audit_made) {
		snprintf(path, sizeof(path), "%s/audit.jsonl", suite->dir);
		(void)unlink(path);
	}
	/* Not empty when the audit file is in it: then it stays. */
	if (suite->dir_made)
		(void)rmdir(suite->dir);
}
