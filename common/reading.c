/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/log.h"

static void
allow(int rules, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = access,
		.parent_fd = open(path, O_PATH | O_CLOEXEC),
	};

	/* What is not there cannot be read either. */
	if (beneath.parent_fd < 0 && errno == ENOENT)
		return;
	if (beneath.parent_fd < 0)
		fail_start("cannot open %s", path);
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
		fail_start("cannot add a Landlock rule");
	(void)close(beneath.parent_fd);
}

void
confine_read(int rules)
{
	/* Directories, since files are replaced; the others are where resolv.conf may lead to. */
	static const char *const paths[] = {"/etc", "/run", "/usr/lib/systemd", "/dev/urandom"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		allow(rules, paths[i], LANDLOCK_ACCESS_FS_READ_FILE);
}

void
confine_read_exec(int rules)
{
	allow(rules, "/",
	      LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
		      LANDLOCK_ACCESS_FS_EXECUTE);
}
