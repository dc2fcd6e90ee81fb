/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/confine.h"

/* All zero: what is not used yet takes no memory, and no room in the file. */
struct broker broker;

/* The loop looks at both at least each TICK_MS, so that none comes too early to be seen. */
static void
signalled(int number)
{
	/* SIGHUP: a new image is in the file of descriptor 0. */
	*(number == SIGHUP ? &broker.reload : &broker.stop) = 1;
}

int
main(int argc, char **argv)
{
	/* A log on standard error may be a file. */
	struct confinement wanted = {.file_bytes = 1 << 30, .tcp = true, .filter = &filter_broker};
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	struct stat door;

	if (argc != 2 || chdir(argv[1]) < 0 || stat("broker.sock", &door) < 0)
		fail_start("usage: sockward-broker RUNTIME-DIR <POLICY-IMAGE");
	for (enum ipc_channel i = 0; i <= IPC_AUDITOR; i++)
		broker.peers[i] = (struct peer){-1, i, IPC_DEAD, peer_message, 0, false};
	for (uint32_t i = 0; i < LISTENERS_MOST; i++)
		broker.listeners[i] =
			(struct peer){-1, IPC_LISTENER, IPC_DEAD, peer_message, 0, false};
	broker.policy.header = &policy_none;
	broker.listener_uid = door.st_uid; /* whose the door is, may come in */
	broker.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (broker.epoll < 0 || getrandom(&broker.instance, sizeof(broker.instance), 0) < 0 ||
	    signal(SIGHUP, signalled) == SIG_ERR || signal(SIGTERM, signalled) == SIG_ERR)
		fail_start("cannot start");
	broker.door.ready = door_listener;
	if (!pid || atol(pid) != getpid() || !count || strcmp(count, "1") != 0 ||
	    listen(FDS_FIRST, SOMAXCONN) < 0 || peer_open(&broker.door, FDS_FIRST, EPOLLIN) < 0)
		fail_start("needs one listening AF_UNIX SOCK_SEQPACKET socket (LISTEN_FDS)");
	confine(&wanted);
	record_new(EVENT_START, REASON_NONE, NULL);
	policy_load();
	fds_notify("READY=1");
	loop_run();
	return 0;
}
