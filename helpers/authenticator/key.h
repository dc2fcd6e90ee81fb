/* SPDX-License-Identifier: ISC */
/* Keys that tokens are signed with: read at the start, and refused when they are no secret. */
#ifndef SOCKWARD_HELPERS_AUTHENTICATOR_KEY_H
#define SOCKWARD_HELPERS_AUTHENTICATOR_KEY_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_LEAST 32 /* bytes: what RFC 7518, 3.2 asks of HS256 */
#define KEY_MOST  4096

/*
 * Also how keys are passed on by --key-fd: one for each grant with "jwt", in the
 * policy's order, and nothing else.
 */
struct key {
	uint32_t length; /* KEY_LEAST to KEY_MOST */
	uint8_t bytes[KEY_MOST];
};

/**
 * key_fault() - is this a key that could be a secret?
 * @key: @length bytes.
 *
 * Returns NULL, or what is wrong with it, as a constant sentence: too short, one
 * of the samples of documentation, too few different bytes.
 */
const char *key_fault(const uint8_t *key, size_t length);

/**
 * key_read() - read a key from its file.
 * @dir: where a relative file is; NULL: nowhere.
 * @file: as the policy says it. All its bytes are the key, but for one newline at
 *        the end.
 * @key: set on success; else it may hold a part of the key.
 * @path: receives where it was looked for, to be told when something is wrong.
 *
 * Returns NULL, or what is wrong, as a constant sentence; errno is then 0, or says
 * more. A file that others than its owner and group can use is refused.
 */
const char *key_read(const char *dir, const char *file, struct key *key, char path[PATH_MAX]);

#endif
