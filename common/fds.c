/* SPDX-License-Identifier: ISC */
#include "common/fds.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int
fds_connect(const char *path, int type)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	bool fits = strlen(path) < sizeof(name.sun_path);
	int fd = fits ? socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;

	(void)strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0)
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
