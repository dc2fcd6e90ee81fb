/* SPDX-License-Identifier: ISC */
/*
 * sockward-worker --template | --session [--trust FILE]
 *
 * Descriptor 3 is the spawn channel or a session's channel; 0, 1 and 2 are
 * /dev/null, and there are no others. All of it is checked, everything else is
 * closed, FILE is mapped, and the process confined, before a byte of a client is read.
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
#include "worker/trust.h"

#define CHANNEL     3
#define DESCRIPTORS 1024
#define MEMORY      (256UL << 20)

static struct session session;
static struct trust trust;

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
	bool template = argc >= 2 && strcmp(argv[1], "--template") == 0;
	bool trusts = argc == 4 && strcmp(argv[2], "--trust") == 0;

	if ((argc != 2 && !trusts) || (!template && strcmp(argv[1], "--session") != 0))
		fail_start("usage: sockward-worker --template | --session [--trust FILE], started "
			   "by sockward-listener");
	check_descriptors();
	/* Without it TLS is refused, and all else goes on; the listener has said so. */
	if (trusts)
		(void)trust_map(&trust, argv[3]);
	if (!json_prepare())
		fail_start("json-c cannot be prepared");
	confine(&wanted);
	session.trust = &trust;
	if (template) {
		(void)trust_read(&trust);
		template_seal();
	}
	return template ? template_run(CHANNEL, &session) : template_session(CHANNEL, &session);
}
