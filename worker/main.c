/* SPDX-License-Identifier: ISC */
/*
 * sockward-worker --template | --session
 *
 * Descriptor 3 is the spawn channel or a session's channel; 0, 1 and 2 are
 * /dev/null, and there are no others. All of it is checked, everything else is
 * closed, and the process confined, before a byte of a client is read.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/confine.h"
#include "common/fds.h"
#include "common/log.h"
#include "worker/json.h"
#include "worker/session.h"
#include "worker/template.h"

#define CHANNEL     3
#define DESCRIPTORS 1024
#define MEMORY      (256UL << 20)

static struct session session;

static void
check_descriptors(void)
{
	const int keep[] = {CHANNEL};
	struct stat st;

	for (int fd = 0; fd < CHANNEL; fd++) {
		if (fstat(fd, &st) < 0)
			fail_start("descriptor %d", fd);
		if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
			fail_start("descriptor %d is not /dev/null", fd);
	}
	if (!fds_is_socket(CHANNEL, AF_UNIX, SOCK_SEQPACKET, false))
		fail_start("descriptor 3 is not a SOCK_SEQPACKET channel");
	if (fcntl(CHANNEL, F_SETFL, O_NONBLOCK) < 0)
		fail_start("descriptor 3");
	fds_close_all_but(keep, 1);
}

int
main(int argc, char **argv)
{
	const struct confinement wanted = {
		.descriptors = DESCRIPTORS,
		.address_space = MEMORY,
		.filter = &filter_worker,
	};
	bool template = argc == 2 && strcmp(argv[1], "--template") == 0;

	if (!template && (argc != 2 || strcmp(argv[1], "--session") != 0))
		fail_start("usage: sockward-worker --template | --session, started by "
			   "sockward-listener");
	check_descriptors();
	if (!json_prepare())
		fail_start("json-c cannot be prepared");
	confine(&wanted);
	return template ? template_run(CHANNEL, &session) : template_session(CHANNEL, &session);
}
