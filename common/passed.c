/* SPDX-License-Identifier: ISC */
#include "common/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

size_t
fds_passed(struct passed_fd *out, size_t most)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	char *end = NULL;
	size_t n;

	if (!pid || !count)
		return 0;
	errno = 0;
	n = strtoul(count, &end, 10);
	if (atol(pid) != getpid())
		fail_start("LISTEN_PID is %s, but this process is %ld", pid, (long)getpid());
	if (*end || n > most)
		fail_start("LISTEN_FDS is '%s'; at most %zu descriptors are taken", count, most);
	for (size_t i = 0; i < n; i++) {
		size_t length = names ? strcspn(names, ":") : 0;

		out[i].fd = FDS_FIRST + (int)i;
		if (fcntl(out[i].fd, F_SETFD, FD_CLOEXEC) < 0)
			fail_start("descriptor %d of LISTEN_FDS", out[i].fd);
		if (length >= sizeof(out[i].name))
			fail_start("a name in LISTEN_FDNAMES is longer than 63 bytes");
		memset(out[i].name, 0, sizeof(out[i].name));
		memcpy(out[i].name, length ? names : "unknown", length ? length : 7);
		if (names)
			names += length + (names[length] == ':');
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return n;
}

static int
option(int fd, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

bool
fds_is_socket(int fd, int family, int type, bool listening)
{
	return option(fd, SO_TYPE) == type && option(fd, SO_ACCEPTCONN) == (listening ? 1 : 0) &&
	       (!family || option(fd, SO_DOMAIN) == family);
}
