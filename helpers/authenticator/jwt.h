/* SPDX-License-Identifier: ISC */
/*
 * JSON Web Tokens (RFC 7519) in the compact form of RFC 7515, HS256 alone, read
 * strictly. The grant's key fixes the algorithm. The signature is checked first,
 * over the bytes as they came: no parser sees anything that the holder of the
 * key did not write.
 */
#ifndef SOCKWARD_HELPERS_AUTHENTICATOR_JWT_H
#define SOCKWARD_HELPERS_AUTHENTICATOR_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/messages.h"
#include "ipc/words.h"

#define JWT_SKEW 60 /* seconds that another clock may be ahead of ours: nbf, iat */

/* How a grant takes tokens. */
struct jwt_rule {
	const uint8_t *key;
	size_t key_length; /* bytes */
	const char *issuer;
	const char *audience;
};

struct jwt_claims {
	uint64_t expires; /* seconds since the epoch */
	char subject[IPC_SUBJECT];
};

/**
 * jwt_signed() - are these three parts, the last of them the HS256 signature of
 * the others by that key? Compared in constant time; nothing else is looked at.
 */
bool jwt_signed(const struct jwt_rule *rule, const char *token);

/**
 * jwt_verify() - is this a valid token of that grant?
 * @token: NUL-terminated, at most IPC_TOKEN - 1 bytes.
 * @now: seconds since the epoch.
 * @claims: set when REASON_NONE, else untouched.
 *
 * Needs: three parts in canonical base64url; a header of alg HS256 and at most
 * typ JWT and a plain kid; claims iss and aud, each a string that is the rule's;
 * sub, a string; exp, a whole number, with no leeway; nbf and iat whole numbers,
 * where present. Returns REASON_NONE; REASON_TOKEN_EXPIRED when nothing but exp is
 * wrong; or REASON_TOKEN_WRONG.
 */
enum reason jwt_verify(const struct jwt_rule *rule, const char *token, uint64_t now,
		       struct jwt_claims *claims);

/**
 * jwt_subject() - a sub claim as it goes on record.
 * @sub: NUL-terminated.
 * @out: printable ASCII as it is, but for backslash; all other bytes as \xNN. What
 *       would not fit, or could be taken for another kind of subject, becomes
 *       "sha256:" and 64 hex digits.
 */
void jwt_subject(const char *sub, char out[IPC_SUBJECT]);

#endif
