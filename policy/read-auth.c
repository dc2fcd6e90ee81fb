/* SPDX-License-Identifier: ISC */
#include "policy/reading.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

/* Tokens that stand in examples, or that nobody should choose. */
static const char *const known_tokens[] = {
	"",          "admin",   "changeme", "change-me", "default",    "demo",  "dev",
	"dev-token", "example", "letmein",  "my-token",  "mytoken",    "pass",  "password",
	"sample",    "secret",  "sockward", "test",      "test-token", "token", "your-token",
	"0",         "1",       "123456",   "12345678"};

static void
hash_text(const char *text, uint8_t hash[TOKEN_HASH])
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, strlen(text), (const uint8_t *)text);
	sha256_digest(&sha, TOKEN_HASH, hash);
}

static bool
read_hash(const char *text, uint8_t hash[TOKEN_HASH])
{
	static const char digits[] = "0123456789abcdef";

	if (strncmp(text, "sha256:", 7) != 0 || strlen(text) != 7 + 2 * TOKEN_HASH ||
	    strspn(text + 7, digits) != 2 * TOKEN_HASH)
		return false;
	for (size_t i = 0; i < TOKEN_HASH; i++) {
		long high = strchr(digits, text[7 + 2 * i]) - digits;
		long low = strchr(digits, text[8 + 2 * i]) - digits;

		hash[i] = (uint8_t)(high * 16 + low);
	}
	return true;
}

static void
read_token(struct reading *reading, const struct json *json, struct source_token *token)
{
	uint8_t known[TOKEN_HASH];

	token->at = json->at;
	if (!read_hash(json->text, token->hash)) {
		/* Not shown: a person may have put the token itself here. */
		report_error(
			reading->report, json->at,
			"write \"sha256:\" and 64 hexadecimal digits in lower case: `printf %s "
			"TOKEN | sha256sum', or `sockward token new'",
			"this is no hash of a token");
		return;
	}
	for (size_t i = 0; i < sizeof(known_tokens) / sizeof(known_tokens[0]); i++) {
		hash_text(known_tokens[i], known);
		if (memcmp(known, token->hash, TOKEN_HASH) != 0)
			continue;
		if (i == 0)
			report_error(reading->report, json->at,
				     "make one with `sockward token new'",
				     "this is the hash of an empty token");
		else
			report_error(
				reading->report, json->at, "make one with `sockward token new'",
				"this is the hash of `%s', which everybody knows", known_tokens[i]);
	}
}

static void
read_tokens(struct reading *reading, const struct json *json, void *into)
{
	struct source_auth *auth = into;

	if (!read_list(reading, json, JSON_STRING, TOKENS_MOST, "`tokens'"))
		return;
	auth->tokens = arena_take(reading->arena, json->n, sizeof(*auth->tokens));
	for (const struct json *at = json->first; at; at = at->next)
		read_token(reading, at, &auth->tokens[auth->n_tokens++]);
}

static void
read_text(struct reading *reading, const struct json *json, const char **out)
{
	if (json->kind != JSON_STRING)
		report_error(reading->report, json->at, NULL, "`%s' must be a string, and is %s",
			     json->key, json_kind_name(json->kind));
	else if (json->text[0] == '\0')
		report_error(reading->report, json->at, NULL, "`%s' is empty", json->key);
	else
		*out = json->text;
}

static void
read_algorithm(struct reading *reading, const struct json *json, void *into)
{
	struct source_jwt *jwt = into;

	read_text(reading, json, &jwt->algorithm);
	if (jwt->algorithm && strcmp(jwt->algorithm, "HS256") != 0)
		report_error(reading->report, json->at, "there is HS256",
			     "there is no algorithm `%s'", jwt->algorithm);
}

static void
read_key_file(struct reading *reading, const struct json *json, void *into)
{
	read_text(reading, json, &((struct source_jwt *)into)->key_file);
}

static void
read_issuer(struct reading *reading, const struct json *json, void *into)
{
	read_text(reading, json, &((struct source_jwt *)into)->issuer);
}

static void
read_audience(struct reading *reading, const struct json *json, void *into)
{
	read_text(reading, json, &((struct source_jwt *)into)->audience);
}

static void
read_jwt(struct reading *reading, const struct json *json, void *into)
{
	static const struct field fields[] = {
		{"algorithm", "the key fixes it, never the token: \"HS256\"", read_algorithm},
		{"key_file", "name the file that holds the key", read_key_file},
		{"issuer", "the `iss' that a token must have", read_issuer},
		{"audience", "the `aud' that a token must have", read_audience},
	};
	struct source_auth *auth = into;

	auth->jwt.present = true;
	read_object(reading, json, "`jwt'", fields, 4, &auth->jwt);
}

void
read_auth(struct reading *reading, const struct json *json, void *into)
{
	static const struct field fields[] = {
		{"tokens", NULL, read_tokens},
		{"jwt", NULL, read_jwt},
	};
	struct source_auth *auth = &((struct source_grant *)into)->auth;
	size_t before = reading->report->errors;

	if (json->kind == JSON_STRING && strcmp(json->text, "none") == 0) {
		auth->none = true;
		return;
	}
	if (json->kind != JSON_OBJECT) {
		report_error(reading->report, json->at,
			     "write {\"tokens\": [\"sha256:...\"]}, or \"none\" to admit clients "
			     "without a token",
			     "`auth' must be an object or \"none\"");
		return;
	}
	read_object(reading, json, "`auth'", fields, 2, auth);
	if (auth->n_tokens == 0 && !auth->jwt.present && reading->report->errors == before)
		report_error(reading->report, json->at,
			     "list the hash of a token, or write \"auth\": \"none\"",
			     "nobody can use this grant: `auth' has no token and no jwt");
}

static void
check_token(struct reading *reading, size_t grant, size_t index)
{
	const struct source_grant *grants = reading->source->grants;
	const struct source_token *token = &grants[grant].auth.tokens[index];
	char hint[64];

	for (size_t i = 0; i <= grant; i++) {
		size_t n = i < grant ? grants[i].auth.n_tokens : index;

		for (size_t j = 0; j < n; j++) {
			const struct source_token *old = &grants[i].auth.tokens[j];

			if (memcmp(old->hash, token->hash, TOKEN_HASH) != 0)
				continue;
			snprintf(hint, sizeof(hint), "the first one is in line %u", old->at.line);
			report_error(reading->report, token->at, hint,
				     "this token stands here for the second time");
			return;
		}
	}
}

void
auth_check(struct reading *reading)
{
	const struct policy_source *source = reading->source;
	const struct source_grant *none = NULL;

	for (size_t i = 0; i < source->n_grants; i++) {
		const struct source_grant *grant = &source->grants[i];

		if (grant->auth.none && none)
			report_error(reading->report, grant->at,
				     "a client without a token must get one certain grant",
				     "the grants `%s' and `%s' both have \"auth\": \"none\"",
				     none->name, grant->name);
		if (grant->auth.none)
			none = grant;
		for (size_t j = 0; j < grant->auth.n_tokens; j++)
			check_token(reading, i, j);
	}
}
