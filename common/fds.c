/* SPDX-License-Identifier: ISC */
#include "common/fds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int
fds_connect(const char *path, int type)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	int fd;

	errno = ENAMETOOLONG;
	if (length >= sizeof(name.sun_path))
		return -1;
	memcpy(name.sun_path, path, length);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&name, size) == 0)
		return fd;
	close(fd); /* which keeps errno when it succeeds */
	return -1;
}

void
fds_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	int fd = path ? fds_connect(path, SOCK_DGRAM) : -1;

	/* Where there is nobody to tell, -1 is no descriptor to either. */
	(void)send(fd, state, strlen(state), MSG_NOSIGNAL);
	close(fd);
}
