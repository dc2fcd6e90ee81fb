/* SPDX-License-Identifier: ISC */
#include "helpers/authenticator/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "helpers/authenticator/key.h"

#define PATH_MOST 4096

static void *
allocate(size_t n, size_t size)
{
	void *memory = calloc(n ? n : 1, size);

	if (!memory)
		fail_start("no memory for the credentials");
	return memory;
}

/* The directory where the policy file lies; a pipe or a memfd lies nowhere. */
static const char *
directory_of(int fd, char out[PATH_MOST])
{
	char self[32];
	ssize_t n;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, out, PATH_MOST - 1);
	out[n < 0 ? 0 : n] = '\0';
	if (out[0] != '/' || strncmp(out, "/memfd:", 7) == 0)
		return NULL;
	*strrchr(out, '/') = '\0';
	return out;
}

static void
key_path(const char *file, int fd, const char *keys, char out[PATH_MOST])
{
	char room[PATH_MOST];
	const char *where = file[0] == '/' ? "" : keys ? keys : directory_of(fd, room);
	int n;

	errno = 0;
	if (!where)
		fail_start("key_file '%s' is relative, the policy comes from no file, and there "
			   "is no --key-dir",
			   file);
	n = snprintf(out, PATH_MOST, "%s%s%s", where, file[0] == '/' ? "" : "/", file);
	if (n < 0 || n >= PATH_MOST)
		fail_start("the path of key_file '%s' is too long", file);
}

static void
load_signer(struct signed_tokens *signer, const struct source_grant *grant, int fd,
	    const char *keys)
{
	const struct source_jwt *jwt = &grant->auth.jwt;
	uint8_t *key = allocate(1, KEY_MOST);
	char path[PATH_MOST];
	const char *fault;

	key_path(jwt->key_file, fd, keys, path);
	if (strcmp(jwt->algorithm, "HS256") != 0)
		fail_start("grant '%s': only HS256 is supported", grant->name);
	signer->rule = (struct jwt_rule){key, 0, jwt->issuer, jwt->audience};
	signer->grant = grant;
	fault = key_read(path, key, &signer->rule.key_length);
	if (fault)
		fail_start("grant '%s': %s (%s)", grant->name, fault, path);
}

static void
refuse_shared(const struct credentials *credentials, const struct static_token *token)
{
	for (const struct static_token *other = credentials->tokens; other < token; other++) {
		errno = 0;
		if (memcmp(other->hash, token->hash, TOKEN_HASH) == 0)
			fail_start("grants '%s' and '%s' share a token", other->grant->name,
				   token->grant->name);
	}
}

static void
load_grant(struct credentials *credentials, const struct source_grant *grant, int fd,
	   const char *keys)
{
	errno = 0;
	if (strlen(grant->name) >= IPC_GRANT)
		fail_start("a grant's name is longer than %d bytes", IPC_GRANT - 1);
	for (size_t i = 0; i < grant->auth.n_tokens; i++) {
		struct static_token *token = &credentials->tokens[credentials->n_tokens];

		memcpy(token->hash, grant->auth.tokens[i].hash, TOKEN_HASH);
		token->grant = grant;
		refuse_shared(credentials, token);
		credentials->n_tokens++;
	}
	if (grant->auth.none)
		credentials->anonymous = grant;
	if (grant->auth.jwt.present)
		load_signer(&credentials->signers[credentials->n_signers++], grant, fd, keys);
}

void
credentials_load(struct credentials *credentials, int fd, const char *keys)
{
	struct report *report = allocate(1, sizeof(*report));
	struct policy_source *source;
	size_t tokens = 0;

	/* A file's descriptor may have been read by the process before this one. */
	(void)lseek(fd, 0, SEEK_SET);
	source = policy_read_fd(fd, report);
	errno = 0;
	if (!source) {
		report_print(report, "policy", stderr);
		fail_start("the policy has errors");
	}
	free(report);
	for (size_t i = 0; i < source->n_grants; i++)
		tokens += source->grants[i].auth.n_tokens;
	*credentials = (struct credentials){.source = source};
	credentials->tokens = allocate(tokens, sizeof(*credentials->tokens));
	credentials->signers = allocate(source->n_grants, sizeof(*credentials->signers));
	for (size_t i = 0; i < source->n_grants; i++)
		load_grant(credentials, &source->grants[i], fd, keys);
}

void
credentials_free(struct credentials *credentials)
{
	for (size_t i = 0; i < credentials->n_signers; i++) {
		void *key = (void *)(uintptr_t)credentials->signers[i].rule.key;

		explicit_bzero(key, KEY_MOST);
		free(key);
	}
	free(credentials->signers);
	free(credentials->tokens);
	policy_free(credentials->source);
	*credentials = (struct credentials){0};
}
