/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>

#include "helpers/authenticator/jwt.h"
#include "helpers/authenticator/key.h"
#include "worker/base64.h"

#define NOW 1700000000ULL

static uint8_t key[32];
static const struct jwt_rule rule = {key, sizeof(key), "me", "you"};

static void
append(char *out, const uint8_t *bytes, size_t n)
{
	struct base64_encode_ctx context;
	char text[BASE64_ENCODE_LENGTH(2048) + BASE64_ENCODE_FINAL_LENGTH + 1];
	size_t length;

	base64url_encode_init(&context);
	length = base64_encode_update(&context, text, n, bytes);
	length += base64_encode_final(&context, text + length);
	text[length] = '\0';
	text[strcspn(text, "=")] = '\0';
	strcat(out, text);
}

/* A token of these two texts, rightly signed. */
static const char *
make(const char *header, const char *payload)
{
	static char token[8192];
	struct hmac_sha256_ctx context;
	uint8_t mac[SHA256_DIGEST_SIZE];

	token[0] = '\0';
	append(token, (const uint8_t *)header, strlen(header));
	strcat(token, ".");
	append(token, (const uint8_t *)payload, strlen(payload));
	hmac_sha256_set_key(&context, sizeof(key), key);
	hmac_sha256_update(&context, strlen(token), (const uint8_t *)token);
	hmac_sha256_digest(&context, sizeof(mac), mac);
	strcat(token, ".");
	append(token, mac, sizeof(mac));
	return token;
}

static enum reason
verdict(const char *header, const char *payload)
{
	struct jwt_claims claims = {99, "untouched"};
	enum reason reason = jwt_verify(&rule, make(header, payload), NOW, &claims);

	if (reason != REASON_NONE) {
		assert_int_equal(claims.expires, 99);
		assert_string_equal(claims.subject, "untouched");
	}
	return reason;
}

static void
rfc_vectors(void **state)
{
	/* RFC 7515, A.1, and RFC 7520, 4.4 */
	static const struct {
		const char *key;
		const char *token;
	} vectors[] = {
		{"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
		 "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9"
		 "CAow",
		 "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
		 "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzO"
		 "DAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-"
		 "mB92K27uhbUJU1p"
		 "1r_wW1gFWFOEjXk"},
		{"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
		 "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9."
		 "S"
		 "XTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IH"
		 "N0"
		 "ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzI"
		 "G"
		 "5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4."
		 "s0h6KThzkfBBBkLspW1h84Vs"
		 "JZFTsPPqMDA7g1Md7p0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		uint8_t bytes[128];
		struct jwt_rule own = {bytes, 0, "", ""};
		char changed[1024];

		assert_true(base64url_decode(vectors[i].key, strlen(vectors[i].key), bytes,
					     sizeof(bytes), &own.key_length));
		assert_true(jwt_signed(&own, vectors[i].token));
		assert_int_equal(jwt_verify(&own, vectors[i].token, 0, NULL), REASON_TOKEN_WRONG);
		for (size_t at = 0; vectors[i].token[at]; at++) {
			strcpy(changed, vectors[i].token);
			changed[at] = changed[at] == 'A' ? 'B' : 'A';
			assert_false(jwt_signed(&own, changed));
		}
		bytes[5] ^= 1;
		assert_false(jwt_signed(&own, vectors[i].token));
	}
}

static void
times_at_their_edges(void **state)
{
	static const struct {
		const char *members;
		enum reason reason;
	} cases[] = {
		{"\"exp\":1700000001", REASON_NONE},
		{"\"exp\":1700000000", REASON_TOKEN_EXPIRED},
		{"\"exp\":1699999999", REASON_TOKEN_EXPIRED},
		{"\"exp\":0", REASON_TOKEN_EXPIRED},
		{"\"x\":1", REASON_TOKEN_WRONG},
		{"\"exp\":1700000001,\"nbf\":1700000060", REASON_NONE},
		{"\"exp\":1700000001,\"nbf\":1700000061", REASON_TOKEN_WRONG},
		{"\"exp\":1700000001,\"iat\":1700000060", REASON_NONE},
		{"\"exp\":1700000001,\"iat\":1700000061", REASON_TOKEN_WRONG},
		{"\"exp\":1600000000,\"iat\":1700000061", REASON_TOKEN_WRONG},
		{"\"exp\":999999999999999", REASON_NONE},
		{"\"exp\":9007199254740993", REASON_TOKEN_WRONG},
		{"\"exp\":18446744073709551617", REASON_TOKEN_WRONG},
		{"\"exp\":1.7e10", REASON_TOKEN_WRONG},
		{"\"exp\":17000000010.0", REASON_TOKEN_WRONG},
		{"\"exp\":\"1700000001\"", REASON_TOKEN_WRONG},
		{"\"exp\":-1", REASON_TOKEN_WRONG},
		{"\"exp\":1700000001,\"nbf\":null", REASON_TOKEN_WRONG},
		{"\"exp\":1700000001,\"iat\":-5", REASON_TOKEN_WRONG},
	};
	char payload[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(payload, sizeof(payload),
			 "{\"iss\":\"me\",\"aud\":\"you\",\"sub\":\"s\",%s}", cases[i].members);
		assert_int_equal(verdict("{\"alg\":\"HS256\"}", payload), cases[i].reason);
	}
}

static void
claims_are_set(void **state)
{
	struct jwt_claims claims;

	(void)state;
	assert_int_equal(
		jwt_verify(&rule,
			   make("{\"alg\":\"HS256\"}", "{\"iss\":\"me\",\"aud\":\"you\","
						       "\"sub\":\"ada\",\"exp\":1800000000}"),
			   NOW, &claims),
		REASON_NONE);
	assert_int_equal(claims.expires, 1800000000);
	assert_string_equal(claims.subject, "ada");
}

static void
headers(void **state)
{
	static const char payload[] =
		"{\"iss\":\"me\",\"aud\":\"you\",\"sub\":\"s\",\"exp\":1800000000}";
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"alg\":\"none\"}",
		"{\"alg\":\"HS512\"}",
		"{\"alg\":\"HS256\",\"crit\":[]}",
		"{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
		"{\"alg\":\"HS256\",\"b64\":true}",
		"{\"alg\":\"HS256\",\"kid\":\"../x\"}",
		"{\"alg\":\"HS256\"}x",
		"{\"alg\":\"HS256\"}//",
		"{/**/\"alg\":\"HS256\"}",
	};

	(void)state;
	assert_int_equal(verdict("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"a\"}", payload),
			 REASON_NONE);
	assert_int_equal(verdict(" {\t\"alg\" : \"HS256\"}\r\n", payload), REASON_NONE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(verdict(bad[i], payload), REASON_TOKEN_WRONG);
}

static void
subjects(void **state)
{
	char out[IPC_SUBJECT];
	char longest[IPC_SUBJECT + 1];

	(void)state;
	jwt_subject("ada", out);
	assert_string_equal(out, "ada");
	jwt_subject("a\\b\n\x7f", out);
	assert_string_equal(out, "a\\x5cb\\x0a\\x7f");
	memset(longest, 'x', sizeof(longest));
	longest[IPC_SUBJECT - 1] = '\0';
	jwt_subject(longest, out);
	assert_string_equal(out, longest);
	longest[IPC_SUBJECT - 1] = 'x';
	longest[IPC_SUBJECT] = '\0';
	jwt_subject(longest, out);
	assert_int_equal(strlen(out), 7 + 64);
	assert_memory_equal(out, "sha256:", 7);
	jwt_subject("token:12345678", out);
	assert_memory_equal(out, "sha256:", 7);
	jwt_subject("sha256:12345678", out);
	assert_string_not_equal(out, "sha256:12345678");
}

static void
keys(void **state)
{
	uint8_t bytes[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37);
	assert_null(key_fault(bytes, 32));
	assert_null(key_fault(bytes, 64));
	assert_non_null(key_fault(bytes, 31));
	assert_non_null(key_fault(bytes, 0));
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i % 7);
	assert_non_null(key_fault(bytes, 64));
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i % 8);
	assert_null(key_fault(bytes, 64));
	assert_non_null(key_fault((const uint8_t *)"a-string-secret-at-least-256-bits-long", 38));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_vectors),    cmocka_unit_test(times_at_their_edges),
		cmocka_unit_test(claims_are_set), cmocka_unit_test(headers),
		cmocka_unit_test(subjects),       cmocka_unit_test(keys),
	};

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 11 + 3);
	return cmocka_run_group_tests_name("jwt", tests, NULL, NULL);
}
