/* SPDX-License-Identifier: ISC */
#include "cli/policy_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "policy/compile.h"
#include "policy/json.h"
#include "policy/read.h"
#include "policy/report.h"

/* A byte more than is taken, so that a longer file is seen to be one. */
static char *
read_text(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(JSON_SIZE + 1);
	ssize_t n = 1;

	*size = 0;
	while (text && n > 0 && *size <= JSON_SIZE) {
		n = read(fd, text + *size, JSON_SIZE + 1 - *size);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			*size += (size_t)n;
	}
	if (!text || n < 0) {
		fail("cannot read the policy %s", path);
		free(text);
		text = NULL;
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* Whoever gets a descriptor for reading cannot open the same for writing. */
static int
keep(const char *name, const void *bytes, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	if (write(fd, bytes, size) != (ssize_t)size || fchmod(fd, 0400) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
compile(const struct policy_source *source)
{
	void *image;
	size_t size;
	int fd;

	if (policy_compile(source, &image, &size) < 0)
		return fail("the policy cannot be compiled");
	fd = keep("policy-image", image, size);
	free(image);
	return fd < 0 ? fail("the policy's image cannot be kept") : fd;
}

static struct policy_source *
read_source(const char *path, const char *text, size_t size)
{
	struct report *report = calloc(1, sizeof(*report));
	struct policy_source *source;

	if (!report) {
		fail("the policy %s", path);
		return NULL;
	}
	source = policy_read(text, size, report);
	report_print(report, path, stderr);
	free(report);
	return source;
}

int
policy_files_make(const char *path, struct policy_files *files)
{
	struct policy_files made = {-1, -1};
	struct policy_source *source;
	size_t size;
	char *text = read_text(path, &size);
	int result = -1;

	if (!text)
		return -1;
	source = read_source(path, text, size);
	if (!source)
		goto out;
	made.image = compile(source);
	policy_free(source);
	if (made.image < 0)
		goto out;
	made.text = keep("policy-text", text, size);
	if (made.text < 0) {
		fail("the policy's text cannot be kept");
		close(made.image);
		goto out;
	}
	*files = made;
	result = 0;
out:
	explicit_bzero(text, size);
	free(text);
	return result;
}

void
policy_files_close(struct policy_files *files)
{
	close(files->image);
	close(files->text);
	*files = (struct policy_files){-1, -1};
}
