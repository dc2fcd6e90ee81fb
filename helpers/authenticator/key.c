/* SPDX-License-Identifier: ISC */
#include "helpers/authenticator/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_LEAST 8 /* different ones: a random key of 32 bytes has 30 */

/* Keys that stand in documentation, as they are copied from there. */
static const char *const samples[] = {
	"a-string-secret-at-least-256-bits-long",
	"your-256-bit-secret-your-256-bit-secret",
	"your-256-bit-secret-your-256-bit-secret-",
	"GQDstcKsx0NHjPOuXOYg5MbeJ1XT0uFiwDVvVBrk",
	/* RFC 7515, A.1, and RFC 7520, 3.5 */
	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
	"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
	"0123456789abcdef0123456789abcdef",
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	"abcdefghijklmnopqrstuvwxyz012345",
	"abcdefghijklmnopqrstuvwxyz123456",
	"changemechangemechangemechangeme",
	"please-change-me-please-change-me",
	"my-super-secret-key-my-super-secret-key",
	"supersecretkeysupersecretkeysupersecretkey",
	"secretsecretsecretsecretsecretsecret",
	"this-is-a-secret-key-for-jwt-tokens",
};

const char *
key_fault(const uint8_t *key, size_t length)
{
	bool seen[256] = {false};
	size_t different = 0;

	if (length < KEY_LEAST)
		return "the key is shorter than 32 bytes";
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		if (strlen(samples[i]) == length && memcmp(samples[i], key, length) == 0)
			return "the key is a sample that anyone knows";
	}
	for (size_t i = 0; i < length; i++) {
		different += !seen[key[i]];
		seen[key[i]] = true;
	}
	return different < BYTES_LEAST ? "the key has too few different bytes to be random" : NULL;
}

static const char *
status_fault(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return "the key file cannot be looked at";
	errno = 0;
	if (!S_ISREG(status.st_mode))
		return "the key file is no regular file";
	if (status.st_mode & S_IRWXO)
		return "the key file is open to everyone: chmod o= it";
	if (status.st_size > KEY_MOST)
		return "the key file is longer than 4096 bytes";
	return NULL;
}

static const char *
find(const char *dir, const char *file, char path[PATH_MAX])
{
	bool beside = dir && file[0] != '/';
	int n = snprintf(path, PATH_MAX, "%s%s%s", beside ? dir : "", beside ? "/" : "", file);

	if (!dir && file[0] != '/')
		return "the key file is relative, and the policy lies nowhere";
	return n < 0 || n >= PATH_MAX ? "the path of the key file is too long" : NULL;
}

static const char *
read_from(int fd, struct key *key)
{
	const char *fault = status_fault(fd);
	size_t n = 0;
	ssize_t got = 1;

	while (!fault && got > 0 && n < KEY_MOST) {
		got = read(fd, key->bytes + n, KEY_MOST - n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (got < 0)
		return "the key file cannot be read";
	if (n && key->bytes[n - 1] == '\n')
		key->bytes[--n] = 0;
	key->length = (uint32_t)n;
	return fault ? fault : key_fault(key->bytes, n);
}

const char *
key_read(const char *dir, const char *file, struct key *key, char path[PATH_MAX])
{
	const char *fault;
	int fd;

	errno = 0;
	fault = find(dir, file, path);
	if (fault)
		return fault;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return "the key file cannot be opened";
	fault = read_from(fd, key);
	(void)close(fd);
	return fault;
}
