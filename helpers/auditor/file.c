/* SPDX-License-Identifier: ISC */
#include "helpers/auditor/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "helpers/auditor/verify.h"

#define PATH_MOST 4096

/* What the scan learns beside the chain. */
struct scan {
	struct trail *trail;
	uint64_t *number;
	struct sessions *sessions;
};

/* A new file is only there after a power cut when its directory was synced. */
static void
sync_directory(const char *path)
{
	char copy[PATH_MOST];
	int fd;

	if (strlen(path) >= sizeof(copy)) {
		errno = ENAMETOOLONG;
		fail_start("the audit file's path");
	}
	memcpy(copy, path, strlen(path) + 1);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		fail_start("cannot sync the directory of %s", path);
	close(fd);
}

void
file_open(struct audit_file *file, const char *path, int passed)
{
	const int flags = O_RDWR | O_APPEND;
	const char *name = path ? path : "the audit file passed as a descriptor";
	struct stat status;
	int fd = passed;

	if (path)
		fd = open(path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
	if (fd < 0 || fstat(fd, &status) < 0)
		fail_start("cannot open %s", name);
	errno = 0;
	if (!S_ISREG(status.st_mode) || (fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND)) != flags)
		fail_start("%s is no regular file opened for reading and appending", name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		fail_start("%s: another auditor writes to it", name);
	if (path && status.st_size == 0)
		sync_directory(path);
	*file = (struct audit_file){.fd = fd};
}

static void
remember(void *context, const struct line *line, const char *text, size_t length, bool proven)
{
	const struct scan *scan = context;
	uint64_t session = line_hex(line, "session");

	(void)text;
	(void)length;
	(void)proven;
	if (line_find(line, "n")) {
		scan->trail->run = line_hex(line, "run");
		*scan->number = line_number(line, "n");
	}
	if (!session)
		return;
	if (line_is(line, "event", "session-open") && sessions_add(scan->sessions, session) < 0)
		log_note("too many open sessions to remember them all");
	if (line_is(line, "event", "session-end"))
		sessions_remove(scan->sessions, session);
}

static void
append_repair(struct audit_file *file, struct trail *trail, const struct repair *repair)
{
	char line[LINE_MOST];
	size_t length = record_repair(trail, repair, line);

	if (file_append(file, line, length) < 0)
		fail_start("cannot write to the audit file");
}

/* Cuts half a line off, and keeps on record what it was. */
static void
cut_tail(struct audit_file *file, struct trail *trail, const struct verify_result *found)
{
	char cut[RECORD_CUT_MOST];
	struct repair repair = {"line-cut", found->lines, cut, found->size - found->tail_at};
	ssize_t n = pread(file->fd, cut, sizeof(cut), (off_t)found->tail_at);

	if (n < 0 || ftruncate(file->fd, (off_t)found->tail_at) < 0)
		fail_start("cannot cut half a line off the audit file");
	file->size = found->tail_at;
	log_note("line %llu of the audit file had no end: %llu bytes are cut off",
		 (unsigned long long)repair.line, (unsigned long long)repair.cut_bytes);
	append_repair(file, trail, &repair);
}

void
file_scan(struct audit_file *file, struct trail *trail, uint64_t *number, struct sessions *sessions)
{
	struct scan scan = {trail, number, sessions};
	struct verify_result found;
	struct repair broken;

	/* A passed descriptor may have been read by the auditor before this one. */
	if (lseek(file->fd, 0, SEEK_SET) < 0 || verify_file(file->fd, remember, &scan, &found) < 0)
		fail_start("cannot read the audit file");
	file->size = found.size;
	trail->chain = found.last;
	if (found.size != found.tail_at)
		cut_tail(file, trail, &found);
	if (found.fault == VERIFY_FINE || found.fault == VERIFY_TRUNCATED)
		return;
	errno = 0;
	fail("the audit file does not verify from line %llu on (%s): writing on behind it",
	     (unsigned long long)found.line, verify_sentence(found.fault));
	broken = (struct repair){.reason = "chain-broken", .line = found.line};
	append_repair(file, trail, &broken);
}

/* Takes away what a failed write left behind the last whole line. */
static int
untear(struct audit_file *file)
{
	file->torn = ftruncate(file->fd, (off_t)file->size) < 0;
	return file->torn ? -1 : 0;
}

int
file_append(struct audit_file *file, const char *lines, size_t length)
{
	size_t done = 0;

	if (file->torn && untear(file) < 0)
		return -1;
	while (done < length) {
		ssize_t n = write(file->fd, lines + done, length - done);
		int saved = errno;

		if (n < 0 && saved == EINTR)
			continue;
		if (n <= 0) {
			(void)untear(file);
			errno = n < 0 ? saved : EIO;
			return -1;
		}
		done += (size_t)n;
	}
	file->size += length;
	return 0;
}

void
file_sync(struct audit_file *file)
{
	struct stat status;

	if (fdatasync(file->fd) < 0)
		fail_start("cannot sync the audit file");
	if (fstat(file->fd, &status) < 0)
		fail_start("cannot look at the audit file");
	errno = 0;
	if (status.st_nlink == 0)
		fail_start("the audit file was removed: starting anew");
	if (!file->torn && (uint64_t)status.st_size != file->size)
		fail_start("someone else changed the size of the audit file: starting anew");
}
