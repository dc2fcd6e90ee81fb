/* SPDX-License-Identifier: ISC */
#include <nettle/base16.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <string.h>

#include "helpers/authenticator/credentials.h"
#include "ipc/channel.h"

bool
credentials_serves(const struct source_texts *hosts, const char *host)
{
	const char *port = strrchr(host, ':');
	size_t n;

	/* The colons inside brackets are followed by more than digits. */
	if (!port || port[1 + strspn(port + 1, "0123456789")])
		port = host + strlen(host);
	n = (size_t)(port - host);
	for (size_t i = 0; i < hosts->n; i++) {
		if (strlen(hosts->items[i]) == n && memcmp(hosts->items[i], host, n) == 0)
			return true;
	}
	return false;
}

bool
credentials_admits(const struct source_grant *grant, const struct ipc_auth *auth)
{
	if (!auth->has_origin)
		return grant->origin_none;
	if (grant->origin_any)
		return true;
	for (size_t i = 0; i < grant->origins.n; i++) {
		if (strcmp(grant->origins.items[i], auth->origin) == 0)
			return true;
	}
	return false;
}

/* The index of the token with that digest, plus one; 0 when there is none. */
static size_t
find_static(const struct credentials *credentials, const uint8_t hash[TOKEN_HASH])
{
	size_t found = 0;

	for (size_t i = 0; i < credentials->n_tokens; i++) {
		size_t same = (size_t)memeql_sec(credentials->tokens[i].hash, hash, TOKEN_HASH);

		found |= (0 - same) & (i + 1);
	}
	return found;
}

static const struct source_grant *
set_static(struct ipc_verdict *verdict, const struct static_token *token)
{
	verdict->reason = REASON_NONE;
	memcpy(verdict->subject, "token:", 6);
	base16_encode_update(verdict->subject + 6, 4, token->hash);
	return token->grant;
}

static const struct source_grant *
verify_signed(const struct credentials *credentials, const char *token, uint64_t now,
	      struct ipc_verdict *verdict)
{
	struct jwt_claims claims;

	for (size_t i = 0; i < credentials->n_signers; i++) {
		const struct signed_tokens *signer = &credentials->signers[i];
		enum reason reason = jwt_verify(&signer->rule, token, now, &claims);

		if (reason == REASON_TOKEN_EXPIRED)
			verdict->reason = reason;
		if (reason != REASON_NONE)
			continue;
		verdict->reason = reason;
		verdict->lifetime_s = claims.expires - now;
		memcpy(verdict->subject, claims.subject, sizeof(verdict->subject));
		return signer->grant;
	}
	return NULL;
}

/* Returns the grant that the token leads to, or NULL with the reason set. */
static const struct source_grant *
verify(const struct credentials *credentials, const char *token, uint64_t now,
       struct ipc_verdict *verdict)
{
	const struct source_grant *grant;
	struct sha256_ctx context;
	uint8_t hash[SHA256_DIGEST_SIZE];
	size_t found;

	verdict->reason = REASON_TOKEN_WRONG;
	if (!*token)
		return NULL;
	sha256_init(&context);
	sha256_update(&context, strlen(token), (const uint8_t *)token);
	sha256_digest(&context, sizeof(hash), hash);
	found = find_static(credentials, hash);
	grant = found ? set_static(verdict, &credentials->tokens[found - 1])
		      : verify_signed(credentials, token, now, verdict);
	explicit_bzero(&context, sizeof(context));
	explicit_bzero(hash, sizeof(hash));
	return grant;
}

void
credentials_judge(const struct credentials *credentials, const struct ipc_auth *auth, uint64_t now,
		  struct ipc_verdict *verdict)
{
	const struct source_grant *grant = credentials->anonymous;

	verdict->reason = REASON_NONE;
	verdict->lifetime_s = 0;
	memset(verdict->grant, 0, sizeof(verdict->grant));
	memset(verdict->subject, 0, sizeof(verdict->subject));
	if (!credentials_serves(&credentials->source->hosts, auth->host)) {
		verdict->reason = REASON_HOST;
	} else if (auth->dialect >= DIALECT_COUNT ||
		   !(credentials->source->dialects & 1U << auth->dialect)) {
		verdict->reason = REASON_DIALECT;
	} else if (auth->has_token) {
		grant = verify(credentials, auth->token, now, verdict);
	} else if (!grant) {
		verdict->reason = REASON_TOKEN_MISSING;
	}
	if (verdict->reason)
		return;
	(void)ipc_text_set(verdict->grant, sizeof(verdict->grant), grant->name);
	if (!credentials_admits(grant, auth))
		verdict->reason = REASON_ORIGIN;
}
