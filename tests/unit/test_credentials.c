/* SPDX-License-Identifier: ISC */
/*
 * Static tokens are compared in constant time. That is not measured but shown:
 * ld --wrap counts the comparisons, and each question makes the same ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <nettle/sha2.h>

#include "helpers/authenticator/credentials.h"
#include "ipc/channel.h"

#define TOKENS 50

static struct {
	size_t compared;
	size_t bytes;
	struct policy_source source;
	struct source_grant grants[TOKENS];
	char names[TOKENS][16];
	struct static_token tokens[TOKENS];
	const char *host;
} box;

int __real_nettle_memeql_sec(const void *a, const void *b, size_t n);
int __wrap_nettle_memeql_sec(const void *a, const void *b, size_t n);

int
__wrap_nettle_memeql_sec(const void *a, const void *b, size_t n)
{
	box.compared++;
	box.bytes += n;
	return __real_nettle_memeql_sec(a, b, n);
}

static void
name_token(char out[32], size_t i)
{
	(void)snprintf(out, 32, "token number %zu", i);
}

static void
fill(struct credentials *credentials)
{
	box.host = "gw";
	box.source.hosts = (struct source_texts){&box.host, 1};
	box.source.dialects = 1U << DIALECT_RAW;
	for (size_t i = 0; i < TOKENS; i++) {
		struct sha256_ctx context;
		char token[32];

		name_token(token, i);
		sha256_init(&context);
		sha256_update(&context, strlen(token), (const uint8_t *)token);
		sha256_digest(&context, TOKEN_HASH, box.tokens[i].hash);
		(void)snprintf(box.names[i], sizeof(box.names[i]), "grant%zu", i);
		box.grants[i].name = box.names[i];
		box.grants[i].origin_none = true;
		box.tokens[i].grant = &box.grants[i];
	}
	*credentials = (struct credentials){.tokens = box.tokens, .n_tokens = TOKENS};
	credentials->source = &box.source;
}

static uint32_t
ask(const struct credentials *credentials, const char *token, struct ipc_verdict *verdict)
{
	struct ipc_auth auth = {.dialect = DIALECT_RAW, .has_token = 1};

	assert_int_equal(ipc_text_set(auth.host, sizeof(auth.host), "gw"), 0);
	assert_int_equal(ipc_text_set(auth.token, sizeof(auth.token), token), 0);
	memset(verdict, 0xee, sizeof(*verdict));
	box.compared = box.bytes = 0;
	credentials_judge(credentials, &auth, 1700000000, verdict);
	assert_true(ipc_text_ok(verdict->grant, sizeof(verdict->grant)));
	assert_true(ipc_text_ok(verdict->subject, sizeof(verdict->subject)));
	assert_int_equal(verdict->lifetime_s, 0);
	return verdict->reason;
}

static void
every_token_is_compared_with_all(void **state)
{
	struct credentials credentials;
	struct ipc_verdict verdict;
	char token[32];

	(void)state;
	fill(&credentials);
	for (size_t i = 0; i < TOKENS; i++) {
		name_token(token, i);
		assert_int_equal(ask(&credentials, token, &verdict), REASON_NONE);
		assert_string_equal(verdict.grant, box.names[i]);
		assert_int_equal(strlen(verdict.subject), 6 + 8);
		assert_int_equal(box.compared, TOKENS);
		assert_int_equal(box.bytes, TOKENS * TOKEN_HASH);
		token[strlen(token) - 1] ^= 0x40;
		assert_int_equal(ask(&credentials, token, &verdict), REASON_TOKEN_WRONG);
		assert_string_equal(verdict.grant, "");
		assert_int_equal(box.compared, TOKENS);
		assert_int_equal(box.bytes, TOKENS * TOKEN_HASH);
	}
}

static void
no_tokens_at_all(void **state)
{
	struct credentials credentials;
	struct ipc_verdict verdict;

	(void)state;
	fill(&credentials);
	credentials.n_tokens = 0;
	assert_int_equal(ask(&credentials, "token number 0", &verdict), REASON_TOKEN_WRONG);
	assert_int_equal(ask(&credentials, "", &verdict), REASON_TOKEN_WRONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_token_is_compared_with_all),
		cmocka_unit_test(no_tokens_at_all),
	};

	return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
