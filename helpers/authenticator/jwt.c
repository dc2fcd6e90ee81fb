/* SPDX-License-Identifier: ISC */
#include "helpers/authenticator/jwt.h"

#include <nettle/base16.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "policy/json.h"
#include "worker/base64.h"

#define KID_MOST 64

/* The parts of a token, as they came. */
struct parts {
	const char *header;
	size_t header_length;
	const char *payload;
	size_t payload_length;
	const char *signature;
	size_t signature_length;
	size_t signed_length; /* header, dot, payload */
};

static bool
split(const char *token, struct parts *parts)
{
	const char *first = strchr(token, '.');
	const char *second = first ? strchr(first + 1, '.') : NULL;

	if (!second || strchr(second + 1, '.'))
		return false;
	parts->header = token;
	parts->header_length = (size_t)(first - token);
	parts->payload = first + 1;
	parts->payload_length = (size_t)(second - first - 1);
	parts->signature = second + 1;
	parts->signature_length = strlen(second + 1);
	parts->signed_length = (size_t)(second - token);
	return true;
}

static bool
signed_by(const struct jwt_rule *rule, const struct parts *parts)
{
	struct hmac_sha256_ctx context;
	uint8_t claimed[SHA256_DIGEST_SIZE];
	uint8_t right[SHA256_DIGEST_SIZE];
	size_t length = 0;
	bool same;

	if (!base64url_decode(parts->signature, parts->signature_length, claimed, sizeof(claimed),
			      &length) ||
	    length != sizeof(claimed))
		return false;
	hmac_sha256_set_key(&context, rule->key_length, rule->key);
	hmac_sha256_update(&context, parts->signed_length, (const uint8_t *)parts->header);
	hmac_sha256_digest(&context, sizeof(right), right);
	same = memeql_sec(claimed, right, sizeof(right));
	explicit_bzero(&context, sizeof(context));
	explicit_bzero(right, sizeof(right));
	return same;
}

bool
jwt_signed(const struct jwt_rule *rule, const char *token)
{
	struct parts parts;

	return split(token, &parts) && signed_by(rule, &parts);
}

/* The policy's reader takes comments; in a token they are no JSON. */
static bool
commented(const char *text, size_t length)
{
	bool inside = false;

	for (size_t i = 0; i < length; i++) {
		if (inside && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			inside = !inside;
		else if (!inside && text[i] == '/')
			return true;
	}
	return false;
}

static const struct json *
object(const char *encoded, size_t length, struct arena *arena)
{
	char text[IPC_TOKEN];
	struct report report = {0};
	const struct json *json;
	size_t n = 0;

	if (!base64url_decode(encoded, length, (uint8_t *)text, sizeof(text), &n) ||
	    commented(text, n))
		return NULL;
	json = json_read(text, n, arena, &report);
	return json && json->kind == JSON_OBJECT ? json : NULL;
}

static const struct json *
member(const struct json *json, const char *name)
{
	for (const struct json *one = json->first; one; one = one->next) {
		if (strcmp(one->key, name) == 0)
			return one;
	}
	return NULL;
}

static bool
is_text(const struct json *json, const char *text)
{
	return json && json->kind == JSON_STRING && strcmp(json->text, text) == 0;
}

/* A key's name is never used: it must only be one that could do no harm. */
static bool
plain_kid(const struct json *kid)
{
	size_t n = kid->kind == JSON_STRING ? strlen(kid->text) : 0;

	return n > 0 && n <= KID_MOST &&
	       strspn(kid->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789._-") == n;
}

static bool
header_right(const struct json *header)
{
	if (!header || !is_text(member(header, "alg"), "HS256"))
		return false;
	for (const struct json *one = header->first; one; one = one->next) {
		if (strcmp(one->key, "alg") == 0)
			continue;
		if (strcmp(one->key, "typ") == 0 && one->kind == JSON_STRING &&
		    strcasecmp(one->text, "JWT") == 0)
			continue;
		if (strcmp(one->key, "kid") == 0 && plain_kid(one))
			continue;
		return false;
	}
	return true;
}

static bool
not_after(const struct json *time, uint64_t latest)
{
	return !time || (time->kind == JSON_NUMBER && time->whole && time->number <= latest);
}

static enum reason
judge(const struct jwt_rule *rule, const struct json *payload, uint64_t now,
      struct jwt_claims *claims)
{
	const struct json *expires = payload ? member(payload, "exp") : NULL;
	const struct json *subject = payload ? member(payload, "sub") : NULL;

	if (!expires || expires->kind != JSON_NUMBER || !expires->whole || !subject ||
	    subject->kind != JSON_STRING || !*subject->text)
		return REASON_TOKEN_WRONG;
	if (!is_text(member(payload, "iss"), rule->issuer) ||
	    !is_text(member(payload, "aud"), rule->audience) ||
	    !not_after(member(payload, "nbf"), now + JWT_SKEW) ||
	    !not_after(member(payload, "iat"), now + JWT_SKEW))
		return REASON_TOKEN_WRONG;
	if (expires->number <= now)
		return REASON_TOKEN_EXPIRED;
	claims->expires = expires->number;
	jwt_subject(subject->text, claims->subject);
	return REASON_NONE;
}

enum reason
jwt_verify(const struct jwt_rule *rule, const char *token, uint64_t now, struct jwt_claims *claims)
{
	enum reason reason = REASON_TOKEN_WRONG;
	struct arena arena = {0};
	struct parts parts;

	if (!split(token, &parts) || !signed_by(rule, &parts))
		return REASON_TOKEN_WRONG;
	if (header_right(object(parts.header, parts.header_length, &arena)))
		reason = judge(rule, object(parts.payload, parts.payload_length, &arena), now,
			       claims);
	arena_free(&arena);
	return reason;
}

static void
hash_subject(const char *sub, char out[IPC_SUBJECT])
{
	struct sha256_ctx context;
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_init(&context);
	sha256_update(&context, strlen(sub), (const uint8_t *)sub);
	sha256_digest(&context, sizeof(digest), digest);
	memset(out, 0, IPC_SUBJECT);
	memcpy(out, "sha256:", 7);
	base16_encode_update(out + 7, sizeof(digest), digest);
}

void
jwt_subject(const char *sub, char out[IPC_SUBJECT])
{
	size_t n = 0;

	memset(out, 0, IPC_SUBJECT);
	for (const char *at = sub; *at; at++) {
		bool plain = *at >= ' ' && *at <= '~' && *at != '\\';

		if (n + (plain ? 1 : 4) >= IPC_SUBJECT) {
			hash_subject(sub, out);
			return;
		}
		if (plain)
			out[n++] = *at;
		else
			n += (size_t)snprintf(out + n, 5, "\\x%02x", (unsigned char)*at);
	}
	if (strncmp(out, "sha256:", 7) == 0 || strncmp(out, "token:", 6) == 0)
		hash_subject(sub, out);
}
