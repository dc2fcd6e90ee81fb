/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/log.h"

static void
allow(int rules, uint64_t access)
{
	struct landlock_path_beneath_attr root = {
		.allowed_access = access,
		.parent_fd = open("/", O_PATH | O_CLOEXEC | O_DIRECTORY),
	};

	if (root.parent_fd < 0)
		fail_start("cannot open /");
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &root, 0) < 0)
		fail_start("cannot add a Landlock rule");
	(void)close(root.parent_fd);
}

void
confine_read(int rules)
{
	allow(rules, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
}

void
confine_read_exec(int rules)
{
	allow(rules, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
			     LANDLOCK_ACCESS_FS_EXECUTE);
}
