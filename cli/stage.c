/* SPDX-License-Identifier: ISC */
/* What a policy is for the programs, as files: for a service manager, which opens them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/policy_files.h"
#include "common/log.h"
#include "policy/image.h"

#define PARTS 4

/* One part, with the file that it goes to. */
struct part {
	const char *name;
	int from;
	int to;
};

/* The file stays and its bytes change: the broker holds it, and reads it again. */
static int
overwrite(const struct part *part)
{
	struct stat st;
	off_t at = 0;

	if (fstat(part->from, &st) < 0 || ftruncate(part->to, 0) < 0)
		return -1;
	while (at < st.st_size) {
		if (sendfile(part->to, part->from, &at, (size_t)(st.st_size - at)) <= 0)
			return -1;
	}
	return fsync(part->to);
}

/* Room for the new bytes, beside the old ones for now; where that cannot be asked, it is hoped. */
static int
reserve(const struct part *part)
{
	struct stat st;

	if (fstat(part->from, &st) < 0)
		return -1;
	if (!st.st_size || fallocate(part->to, FALLOC_FL_KEEP_SIZE, 0, st.st_size) == 0)
		return 0;
	return errno == EOPNOTSUPP ? 0 : -1;
}

/* For EnvironmentFile=: what the policy wants of the auditor. */
static int
options_for(int image)
{
	static const char sync[] = "AUDITOR_OPTIONS=--sync\n";
	static const char none[] = "AUDITOR_OPTIONS=\n";
	struct image_header header;
	const char *text = none;
	int fd = memfd_create("options", MFD_CLOEXEC);

	if (pread(image, &header, sizeof(header), 0) == sizeof(header) && header.audit_sync)
		text = sync;
	if (fd >= 0 && write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int
open_part(int dir, struct part *part)
{
	struct stat st;

	part->to = openat(dir, part->name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
			  0600);
	if (part->to < 0 || fstat(part->to, &st) < 0)
		return -1;
	errno = EINVAL;
	return S_ISREG(st.st_mode) && st.st_nlink == 1 ? 0 : -1;
}

static int
put_parts(const char *into, struct part parts[PARTS])
{
	int dir = open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = 0;

	if (dir < 0)
		return fail("%s", into);
	/* All are open before the first one changes. */
	for (size_t i = 0; i < PARTS && result == 0; i++)
		if (open_part(dir, &parts[i]) < 0)
			result = fail("cannot write %s/%s", into, parts[i].name);
	/* A disk that is full is seen while they still fit each other. */
	for (size_t i = 0; i < PARTS && result == 0; i++)
		if (reserve(&parts[i]) < 0)
			result = fail("no room for %s/%s: nothing changes", into, parts[i].name);
	/* The image is last: a broker that reads it finds the rest in place. */
	for (size_t i = 0; i < PARTS && result == 0; i++)
		if (overwrite(&parts[i]) < 0)
			result = fail("%s/%s is not written whole: stage the policy again", into,
				      parts[i].name);
	for (size_t i = 0; i < PARTS; i++)
		if (parts[i].to >= 0)
			close(parts[i].to);
	close(dir);
	return result;
}

int
policy_files_stage(const char *path, const char *into)
{
	struct part parts[PARTS] = {
		{"text", -1, -1}, {"keys", -1, -1}, {"options", -1, -1}, {"image", -1, -1}};
	struct policy_files files;
	int options;
	int result;

	if (policy_files_make(path, &files) < 0)
		return -1;
	options = options_for(files.image);
	parts[0].from = files.text;
	parts[1].from = files.keys;
	parts[2].from = options;
	parts[3].from = files.image;
	result = options < 0 ? fail("the policy's options cannot be kept") : put_parts(into, parts);
	if (options >= 0)
		close(options);
	policy_files_close(&files);
	return result;
}
