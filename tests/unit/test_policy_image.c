/* SPDX-License-Identifier: ISC */
/*
 * An image that is cut, bent or made up must be refused, or be safe to judge by:
 * run under AddressSanitizer, where a byte out of bounds ends the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/check.h"
#include "tests/unit/policy_make.h"

static const char text[] =
	"{\"version\":1,\"hosts\":[\"gw.example.com\",\"127.0.0.1\"],\"dialects\":[\"raw\"],"
	"\"audit\":{\"sync\":true},\"grants\":{"
	"\"one\":{\"auth\":\"none\",\"origins\":[\"none\",\"https://a.example\"],\"allow\":["
	"{\"to\":\"10.0.0.0/8:443\",\"protocols\":[\"tcp\"]},"
	"{\"to\":\"[2a00::/16]:1-99\",\"protocols\":[\"udp\"]},"
	"{\"to\":\"db.internal:443\",\"protocols\":[\"tcp\"],\"private\":true},"
	"{\"to\":\"*.example.com:443\",\"protocols\":[\"tls\"]},"
	"{\"to\":\"*:443\",\"protocols\":[\"tcp\",\"udp\"]}],"
	"\"deny\":[{\"to\":\"bad.example:443\"},{\"to\":\"*:25\"}]},"
	"\"two\":{\"auth\":{\"tokens\":[\"sha256:"
	"00000000000000000000000000000000000000000000000000000000000000aa\"]},"
	"\"origins\":[\"*\"],\"explain\":true}}}";

struct made {
	char *image;
	size_t size;
};

static int
set_up(void **state)
{
	static struct made made;
	struct policy policy;

	made.image = policy_make(text, &policy, &made.size);
	*state = &made;
	return 0;
}

static int
tear_down(void **state)
{
	struct made *made = *state;

	free(made->image);
	return 0;
}

/* Use all of it, as the broker may. */
static void
use(const struct policy *policy)
{
	static const char *const names[] = {"db.internal", "a.example.com", "bad.example",
					    "localhost", NULL};
	struct ipc_addr addrs[] = {{.family = 4, .ip = {10, 0, 0, 1}},
				   {.family = 6, .ip = {0x2a, 0}},
				   {.family = 4, .ip = {8, 8, 8, 8}}};
	struct policy_verdict verdict;

	for (uint32_t grant = 0; grant < policy->header->grants && grant < 4; grant++) {
		for (size_t i = 0; i < 5; i++) {
			for (size_t j = 0; j < 4; j++) {
				struct policy_question question = {
					names[i], j < 3 ? &addrs[j] : NULL, 443, PROTOCOL_TCP};

				addrs[j % 3].port = 443;
				policy_judge(policy, grant, &question, &verdict);
				if (verdict.rule != IMAGE_NONE)
					assert_true(strlen(policy->rules[verdict.rule].text) <
						    IPC_RULE);
			}
		}
		assert_true(strlen(policy->grants[grant].name) < IPC_GRANT);
	}
	(void)policy_grant(policy, "two");
}

static void
seal(char *image, size_t size)
{
	struct image_header *header = (void *)image;
	const size_t summed = offsetof(struct image_header, limits);

	header->checksum = image_checksum(image + summed, size - summed);
}

/* An allocation of exactly that size, so that reading behind it shows. */
static char *
copy(const struct made *made, size_t size)
{
	char *image = malloc(size ? size : 1);

	assert_non_null(image);
	memcpy(image, made->image, size);
	return image;
}

static void
test_good(void **state)
{
	const struct made *made = *state;
	struct policy policy;

	assert_null(image_open(&policy, made->image, made->size));
	assert_int_equal(policy.header->grants, 2);
	assert_int_equal(policy.header->rules, 7);
	assert_int_equal(policy.header->audit_sync, 1);
	assert_string_equal(policy.grants[1].name, "two");
	assert_string_equal(policy.rules[1].text, "*:25");
	assert_true(policy.grants[0].denies == 2 && policy.grants[0].rules.n == 7);
	assert_int_equal(policy.grants[1].rules.n, 0);
	assert_true(policy.grants[1].explain);
	assert_int_equal(policy.grants[0].sessions, 100);
	assert_int_equal(policy.grants[0].terms.bytes_per_minute, 10 << 20);
	use(&policy);
}

/* The same text gives the same bytes. */
static void
test_deterministic(void **state)
{
	const struct made *made = *state;
	struct policy policy;
	size_t size;
	char *again = policy_make(text, &policy, &size);

	assert_int_equal(size, made->size);
	assert_memory_equal(again, made->image, size);
	free(again);
}

static void
test_truncated(void **state)
{
	const struct made *made = *state;
	struct policy policy, before;

	memset(&policy, 0xa5, sizeof(policy));
	before = policy;
	for (size_t size = 0; size < made->size; size++) {
		char *image = copy(made, size);

		assert_non_null(image_open(&policy, image, size));
		/* And as a forger would: size and checksum made to fit. */
		if (size >= sizeof(struct image_header)) {
			((struct image_header *)(void *)image)->size = (uint32_t)size;
			seal(image, size);
			assert_non_null(image_open(&policy, image, size));
		}
		free(image);
	}
	assert_memory_equal(&policy, &before, sizeof(policy));
}

static void
test_longer(void **state)
{
	const struct made *made = *state;
	char *image = calloc(1, made->size + 8);
	struct policy policy;

	assert_non_null(image);
	memcpy(image, made->image, made->size);
	assert_non_null(image_open(&policy, image, made->size + 8));
	/* Nothing but header, grants and rules is in an image. */
	((struct image_header *)(void *)image)->size = (uint32_t)made->size + 8;
	seal(image, made->size + 8);
	assert_non_null(image_open(&policy, image, made->size + 8));
	free(image);
}

static void
test_unaligned(void **state)
{
	const struct made *made = *state;
	char *space = calloc(1, made->size + 8);
	struct policy policy;

	assert_non_null(space);
	for (size_t shift = 1; shift < 8; shift++) {
		memcpy(space + shift, made->image, made->size);
		assert_non_null(image_open(&policy, space + shift, made->size));
	}
	free(space);
}

/* Without a new checksum every changed byte shows, whatever it is. */
static void
test_checksum(void **state)
{
	const struct made *made = *state;
	char *image = copy(made, made->size);
	struct policy policy;

	for (size_t at = 0; at < made->size; at++) {
		for (int bit = 0; bit < 8; bit++) {
			image[at] = (char)(image[at] ^ 1 << bit);
			assert_non_null(image_open(&policy, image, made->size));
			image[at] = (char)(image[at] ^ 1 << bit);
		}
	}
	assert_null(image_open(&policy, image, made->size));
	free(image);
}

/* With a new checksum: refused, or safe to use. */
static void
test_flipped(void **state)
{
	const struct made *made = *state;
	char *image = copy(made, made->size);
	struct policy policy;

	for (size_t at = 0; at < made->size; at++) {
		for (int value = 0; value < 256; value++) {
			char old = image[at];

			image[at] = (char)value;
			seal(image, made->size);
			if (!image_open(&policy, image, made->size))
				use(&policy);
			image[at] = old;
		}
	}
	free(image);
}

/* Each field of 32 bits with each value that is wrong in its own way. */
static void
test_words(void **state)
{
	static const uint32_t values[] = {
		0,          1,          2,          3,          7,          8,         0x7f,
		0x80,       0xff,       0x100,      0x7fff,     0xffff,     0x10000,   0x7fffffff,
		0x80000000, 0xfffffff8, 0xfffffffc, 0xffffffff, 0x55555556, 0x24924925};
	const struct made *made = *state;
	char *image = copy(made, made->size);
	struct policy policy;

	for (size_t at = 0; at + 4 <= made->size; at += 2) {
		uint32_t old;

		memcpy(&old, image + at, sizeof(old));
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]) + 2; i++) {
			uint32_t value = i < sizeof(values) / sizeof(values[0]) ? values[i]
					 : i % 2 ? (uint32_t)made->size
						 : (uint32_t)made->size - 1;

			memcpy(image + at, &value, sizeof(value));
			seal(image, made->size);
			if (!image_open(&policy, image, made->size))
				use(&policy);
		}
		memcpy(image + at, &old, sizeof(old));
	}
	free(image);
}

struct field {
	size_t at;
	size_t size;
	uint32_t value;
};

#define HEADER(member, v)                                                                          \
	{                                                                                          \
		offsetof(struct image_header, member), sizeof(((struct image_header *)0)->member), \
			v                                                                          \
	}
#define GRANT(member, v)                                                                           \
	{                                                                                          \
		offsetof(struct image_grant, member), sizeof(((struct image_grant *)0)->member), v \
	}
#define RULE(member, v)                                                                          \
	{                                                                                        \
		offsetof(struct image_rule, member), sizeof(((struct image_rule *)0)->member), v \
	}

/* Refused though the checksum is right; untouched output. */
static void
assert_wrong(const struct made *made, size_t base, const struct field *field)
{
	char *image = copy(made, made->size);
	struct policy policy, before;
	uint64_t value = field->value;

	memset(&policy, 0x5a, sizeof(policy));
	before = policy;
	memcpy(image + base + field->at, &value, field->size);
	seal(image, made->size);
	assert_non_null(image_open(&policy, image, made->size));
	assert_memory_equal(&policy, &before, sizeof(policy));
	free(image);
}

static void
test_header_fields(void **state)
{
	const struct made *made = *state;
	/* clang-format off */
	const struct field wrong[] = {
		HEADER(magic, 0), HEADER(version, 0), HEADER(version, 1), HEADER(version, IMAGE_VERSION - 1), HEADER(version, IMAGE_VERSION + 1), HEADER(size, 0),
		HEADER(size, (uint32_t)made->size - 1), HEADER(size, (uint32_t)made->size + 1),
		HEADER(grants, 0), HEADER(grants, 1), HEADER(grants, 3), HEADER(grants, 0x10000000),
		HEADER(rules, 0), HEADER(rules, 6), /* of 7 */ HEADER(rules, 8),
		HEADER(rules, 0xffffffff), HEADER(limits.sessions, 0),
		HEADER(limits.sessions_per_source, 0), HEADER(limits.handshake_ms, 0),
		HEADER(audit_sync, 2),
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_wrong(made, 0, &wrong[i]);
}

static void
test_grant_fields(void **state)
{
	const struct made *made = *state;
	const struct image_header *header = (void *)made->image;
	/* clang-format off */
	const struct field wrong[] = {
		GRANT(name[IPC_GRANT - 1], 'x'),
		GRANT(rules.at, 8), GRANT(rules.n, 8), GRANT(rules.at, 0xffffffff),
		GRANT(rules.n, 0xffffffff), GRANT(denies, 8), GRANT(denies, 0xffffffff), GRANT(explain, 2),
		GRANT(sessions, 0), GRANT(terms.channels, 0),
		GRANT(terms.channels, IMAGE_CHANNELS + 1), GRANT(terms.message_bytes, 0),
		GRANT(terms.connect_timeout_ms, 0),
	};
	/* clang-format on */

	for (uint32_t grant = 0; grant < header->grants; grant++) {
		for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
			assert_wrong(made, sizeof(*header) + grant * sizeof(struct image_grant),
				     &wrong[i]);
	}
}

static void
test_rule_fields(void **state)
{
	const struct made *made = *state;
	const struct image_header *header = (void *)made->image;
	const size_t rules = sizeof(*header) + header->grants * sizeof(struct image_grant);
	/* clang-format off */
	const struct field wrong[] = {
		RULE(text[IPC_RULE - 1], 'x'), RULE(name[IPC_HOST - 1], 'x'),
		RULE(kind, 0), RULE(kind, 5), RULE(kind, 255), RULE(protocols, 0),
		RULE(protocols, 32), RULE(protocols, 255), RULE(is_private, 2), RULE(bits, 129),
		RULE(pad, 1), RULE(port_low, 0), RULE(port_low, 65535), RULE(port_high, 0),
	};
	/* clang-format on */

	/* The second allow rule is a range of IPv6: at most 128 bits, ports 1 to 99. */
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_wrong(made, rules + 3 * sizeof(struct image_rule), &wrong[i]);
	for (uint32_t rule = 0; rule < header->rules; rule++) {
		for (size_t i = 0; i < 8; i++)
			assert_wrong(made, rules + rule * sizeof(struct image_rule), &wrong[i]);
	}
	/* A range of IPv4 with 33 bits; of a family that does not exist; that is private. */
	assert_wrong(made, rules + 2 * sizeof(struct image_rule), &(struct field)RULE(bits, 33));
	assert_wrong(made, rules + 2 * sizeof(struct image_rule), &(struct field)RULE(family, 5));
	assert_wrong(made, rules + 2 * sizeof(struct image_rule),
		     &(struct field)RULE(is_private, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),          cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_truncated),     cmocka_unit_test(test_longer),
		cmocka_unit_test(test_unaligned),     cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_flipped),       cmocka_unit_test(test_words),
		cmocka_unit_test(test_header_fields), cmocka_unit_test(test_grant_fields),
		cmocka_unit_test(test_rule_fields),
	};

	return cmocka_run_group_tests_name("policy_image", tests, set_up, tear_down);
}
