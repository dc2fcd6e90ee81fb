/* SPDX-License-Identifier: ISC */
#include "helpers/authenticator/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "helpers/authenticator/key.h"

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
directory_of(int fd, char out[PATH_MAX])
{
	char self[32];
	ssize_t n;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, out, PATH_MAX - 1);
	out[n < 0 ? 0 : n] = '\0';
	if (out[0] != '/' || strncmp(out, "/memfd:", 7) == 0)
		return NULL;
	*strrchr(out, '/') = '\0';
	return out;
}

/* Whoever passed them could read the files, and has looked at them as key_read() does. */
static void
take_key(int passed, size_t n, struct key *key)
{
	ssize_t got = pread(passed, key, sizeof(*key), (off_t)(n * sizeof(*key)));

	errno = 0;
	if (got != (ssize_t)sizeof(*key) || key->length < KEY_LEAST || key->length > KEY_MOST)
		fail_start("the keys that were passed are not those of the policy");
}

static void
load_signer(struct credentials *credentials, const struct source_grant *grant,
	    const struct key_places *places)
{
	struct signed_tokens *signer = &credentials->signers[credentials->n_signers];
	const struct source_jwt *jwt = &grant->auth.jwt;
	const char *fault = NULL;
	char path[PATH_MAX];

	errno = 0;
	if (strcmp(jwt->algorithm, "HS256") != 0)
		fail_start("grant '%s': only HS256 is supported", grant->name);
	signer->key = allocate(1, sizeof(*signer->key));
	if (places->passed >= 0)
		take_key(places->passed, credentials->n_signers, signer->key);
	else
		fault = key_read(places->dir, jwt->key_file, signer->key, path);
	if (fault)
		fail_start("grant '%s': %s (%s)", grant->name, fault, path);
	signer->rule = (struct jwt_rule){signer->key->bytes, signer->key->length, jwt->issuer,
					 jwt->audience};
	signer->grant = grant;
	credentials->n_signers++;
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
load_grant(struct credentials *credentials, const struct source_grant *grant,
	   const struct key_places *places)
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
		load_signer(credentials, grant, places);
}

static void
refuse_spare(const struct credentials *credentials, int passed)
{
	off_t end = (off_t)(credentials->n_signers * sizeof(struct key));
	char more;

	errno = 0;
	if (passed >= 0 && pread(passed, &more, 1, end) != 0)
		fail_start("more keys were passed than the policy names");
}

void
credentials_load(struct credentials *credentials, int fd, const struct key_places *places)
{
	struct report *report = allocate(1, sizeof(*report));
	struct key_places where = *places;
	struct policy_source *source;
	char room[PATH_MAX];
	size_t tokens = 0;

	if (!where.dir)
		where.dir = directory_of(fd, room);
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
		load_grant(credentials, &source->grants[i], &where);
	refuse_spare(credentials, where.passed);
}

void
credentials_free(struct credentials *credentials)
{
	for (size_t i = 0; i < credentials->n_signers; i++) {
		struct key *key = credentials->signers[i].key;

		explicit_bzero(key, sizeof(*key));
		free(key);
	}
	free(credentials->signers);
	free(credentials->tokens);
	policy_free(credentials->source);
	*credentials = (struct credentials){0};
}
