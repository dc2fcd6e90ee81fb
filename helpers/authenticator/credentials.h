/* SPDX-License-Identifier: ISC */
/*
 * Who may use which grant: the policy, digests of the static tokens, and the keys
 * of signed ones. Filled at the start, read-only from then on.
 */
#ifndef SOCKWARD_HELPERS_AUTHENTICATOR_CREDENTIALS_H
#define SOCKWARD_HELPERS_AUTHENTICATOR_CREDENTIALS_H

#include <stddef.h>
#include <stdint.h>

#include "helpers/authenticator/jwt.h"
#include "helpers/authenticator/key.h"
#include "ipc/messages.h"
#include "policy/read.h"

struct static_token {
	uint8_t hash[TOKEN_HASH]; /* SHA-256 of the token's text */
	const struct source_grant *grant;
};

struct signed_tokens {
	struct jwt_rule rule;
	struct key *key; /* owned; what the rule points to */
	const struct source_grant *grant;
};

/* Where keys come from. */
struct key_places {
	int passed;      /* a descriptor that holds the keys themselves; or -1: files do */
	const char *dir; /* of relative files; NULL: that of the policy file, if it is one */
};

struct credentials {
	struct static_token *tokens;
	size_t n_tokens;
	struct signed_tokens *signers;
	size_t n_signers;
	const struct source_grant *anonymous; /* of clients without a token, or NULL */
	struct policy_source *source;         /* owns the names */
};

/**
 * credentials_load() - read the policy, and the keys that it names.
 * @credentials: set.
 * @fd: of the policy's text.
 * @places: not needed afterwards.
 *
 * Ends the program, with what is wrong, when the policy has an error, a key is
 * missing or no secret, the keys that were passed are not as many as the policy
 * names, or two grants share a token.
 */
void credentials_load(struct credentials *credentials, int fd, const struct key_places *places);

/**
 * credentials_judge() - may this client use a grant, and which?
 * @auth: what its handshake said; its texts are ipc_text_ok().
 * @now: seconds since the epoch.
 * @verdict: reason, grant, subject and lifetime_s are set; all of them in each case.
 *
 * In this order: Host, dialect, token, origin. A static token is compared with
 * all digests in constant time, with no early exit.
 */
void credentials_judge(const struct credentials *credentials, const struct ipc_auth *auth,
		       uint64_t now, struct ipc_verdict *verdict);

/**
 * credentials_serves() - is this a Host that the policy serves?
 * @host: the Host header, lower case, port and all.
 *
 * Exact but for the port, of which any is served; brackets of an IPv6 literal belong
 * to the name.
 */
bool credentials_serves(const struct source_texts *hosts, const char *host);

/**
 * credentials_admits() - may a page of that origin (or a program, which sends none)
 * use that grant?
 */
bool credentials_admits(const struct source_grant *grant, const struct ipc_auth *auth);

/**
 * credentials_free() - wipe and give back everything.
 */
void credentials_free(struct credentials *credentials);

#endif
