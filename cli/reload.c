/* SPDX-License-Identifier: ISC */
#include "cli/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "policy/image.h"

#define READ_LOOKS 100

static bool
wants_sync(const struct suite *suite)
{
	struct image_header header;

	return pread(suite->policy.image, &header, sizeof(header), 0) == sizeof(header) &&
	       header.audit_sync;
}

static int
for_reading(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int
policy_open(struct suite *suite)
{
	suite->sync = wants_sync(suite);
	suite->image = for_reading(suite->policy.image);
	suite->text = for_reading(suite->policy.text);
	suite->keys = for_reading(suite->policy.keys);
	if (suite->image < 0 || suite->text < 0 || suite->keys < 0)
		return fail("the policy cannot be handed on");
	return 0;
}

/* The broker holds the old image's descriptor: the bytes change, not the file. */
static int
overwrite(int to, int from)
{
	struct stat st;
	off_t at = 0;

	if (fstat(from, &st) < 0 || ftruncate(to, 0) < 0 || lseek(to, 0, SEEK_SET) < 0)
		return -1;
	while (at < st.st_size)
		if (sendfile(to, from, &at, (size_t)(st.st_size - at)) <= 0)
			return -1;
	return 0;
}

/*
 * The offset of descriptor 0 is shared with the broker. It must be at the end, and
 * stay there for a moment, before the bytes change under it again.
 */
static void
wait_read(const struct suite *suite)
{
	const struct timespec pause = {0, 5000000};
	struct stat st;

	for (int i = 0; i < READ_LOOKS; i++) {
		off_t at = lseek(suite->image, 0, SEEK_CUR);

		nanosleep(&pause, NULL);
		if (fstat(suite->image, &st) < 0 || at >= st.st_size)
			return;
	}
}

static void
restart(struct program *program)
{
	if (program->state != PROGRAM_UP && program->state != PROGRAM_STARTING)
		return;
	program->state = PROGRAM_STOPPING;
	program->restart = true;
	program_signal(program, SIGTERM);
}

void
suite_reload(struct suite *suite)
{
	struct policy_files next;

	if (policy_files_make(suite->policy_path, &next) < 0) {
		errno = 0;
		fail("%s is not valid; THE OLD POLICY STAYS IN FORCE", suite->policy_path);
		return;
	}
	wait_read(suite);
	/* Half of an image is refused by its checksum: the broker keeps the old one. */
	if (overwrite(suite->policy.image, next.image) < 0 ||
	    overwrite(suite->policy.text, next.text) < 0 ||
	    overwrite(suite->policy.keys, next.keys) < 0) {
		fail("the policy cannot be handed on; THE OLD POLICY STAYS IN FORCE");
		policy_files_close(&next);
		return;
	}
	policy_files_close(&next);
	(void)lseek(suite->image, 0, SEEK_SET);
	if (suite->programs[ROLE_BROKER].state == PROGRAM_UP)
		program_signal(&suite->programs[ROLE_BROKER], SIGHUP);
	else
		restart(&suite->programs[ROLE_BROKER]);
	restart(&suite->programs[ROLE_AUTHENTICATOR]);
	if (wants_sync(suite) != suite->sync) {
		suite->sync = !suite->sync;
		restart(&suite->programs[ROLE_AUDITOR]);
	}
	log_note("%s was read again", suite->policy_path);
}
