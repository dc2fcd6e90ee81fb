/* SPDX-License-Identifier: ISC */
/*
 * A listener of one connection, which systemd accepted (Accept=yes): it begins the one
 * session, waits for its end, reports it and ends too.
 */
#include "listener/listener.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "common/log.h"

#define BROKER_MS 10000 /* to wait for one */

void
alone_take(int fd)
{
	socklen_t size = sizeof(listener.alone_from);

	listener.is_alone = listener.by_exec = true;
	listener.alone = fd;
	/* One that is gone already has no address. */
	(void)getpeername(fd, (struct sockaddr *)&listener.alone_from, &size);
	/* Others begin at the same time: ids by the time of day could meet. */
	if (getrandom(&listener.next_id, sizeof(listener.next_id), 0) < 0 ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		fail_start("cannot serve the connection");
}

bool
alone_over(void)
{
	if (!listener.is_alone)
		return false;
	if (listener.alone >= 0 && listener.broker_state == IPC_OPEN && doors_begun()) {
		door_take(listener.alone, &listener.alone_from);
		listener.alone = -1;
	}
	if (listener.alone >= 0)
		return listener.now - listener.started >= BROKER_MS;
	return listener.used == 0; /* its end was reported */
}
