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
#include "helpers/authenticator/key.h"
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

static int
put_key(int fd, const struct source_grant *grant, const char *dir)
{
	struct key key = {0};
	char path[PATH_MAX];
	const char *fault = key_read(dir, grant->auth.jwt.key_file, &key, path);
	int result = 0;

	if (fault)
		result = fail("grant '%s': %s (%s)", grant->name, fault, path);
	else if (write(fd, &key, sizeof(key)) != (ssize_t)sizeof(key))
		result = fail("grant '%s': the key cannot be kept", grant->name);
	explicit_bzero(&key, sizeof(key));
	return result;
}

/*
 * Read by the user who starts the suite: the authenticator may have a uid of its
 * own, which may not. And a key that is wrong is seen before anything runs on it.
 */
static int
keep_keys(const struct policy_source *source, const char *policy)
{
	int fd = memfd_create("policy-keys", MFD_CLOEXEC);
	char *dir = realpath(policy, NULL);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (fd < 0 || fchmod(fd, 0400) < 0) {
		fail("the policy's keys cannot be kept");
		goto bad;
	}
	if (slash)
		slash[slash == dir] = '\0';
	for (size_t i = 0; i < source->n_grants; i++)
		if (source->grants[i].auth.jwt.present && put_key(fd, &source->grants[i], dir) < 0)
			goto bad;
	free(dir);
	return fd;
bad:
	free(dir);
	if (fd >= 0)
		close(fd);
	return -1;
}

int
policy_files_make(const char *path, struct policy_files *files)
{
	struct policy_files made = {-1, -1, -1};
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
	if (made.image >= 0)
		made.keys = keep_keys(source, path);
	policy_free(source);
	if (made.keys < 0)
		goto out;
	made.text = keep("policy-text", text, size);
	if (made.text < 0) {
		fail("the policy's text cannot be kept");
		goto out;
	}
	*files = made;
	result = 0;
out:
	if (result < 0)
		policy_files_close(&made);
	explicit_bzero(text, size);
	free(text);
	return result;
}

void
policy_files_close(struct policy_files *files)
{
	int *all[] = {&files->image, &files->text, &files->keys};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (*all[i] >= 0)
			close(*all[i]);
		*all[i] = -1;
	}
}
