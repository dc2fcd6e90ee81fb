/* SPDX-License-Identifier: ISC */
/*
 * The judgement's own contract: malformed questions, outputs on failure, the
 * helpers. Which rule decides about what is in tests/policy/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/check.h"
#include "policy/host.h"
#include "policy/special.h"
#include "tests/unit/policy_make.h"

static const char text[] = "{\"version\":1,\"hosts\":[\"h\"],\"dialects\":[\"raw\"],\"grants\":{"
			   "\"g\":{\"auth\":\"none\",\"origins\":[\"none\"],\"allow\":["
			   "{\"to\":\"8.8.8.8:443\",\"protocols\":[\"tcp\"]},"
			   "{\"to\":\"10.0.0.0/8:443\",\"protocols\":[\"tcp\"]},"
			   "{\"to\":\"db.internal:443\",\"protocols\":[\"tcp\"],\"private\":true},"
			   "{\"to\":\"*:443\",\"protocols\":[\"tcp\",\"udp\"]}],"
			   "\"deny\":[{\"to\":\"bad.example:443\",\"protocols\":[\"tcp\"]}]}}}";

struct made {
	void *image;
	struct policy policy;
};

static int
set_up(void **state)
{
	static struct made made;

	made.image = policy_make(text, &made.policy, NULL);
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

static struct ipc_addr
v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
	return (struct ipc_addr){.family = 4, .port = port, .ip = {a, b, c, d}};
}

static struct policy_verdict
judge(void **state, const char *name, const struct ipc_addr *addr, uint16_t port, uint8_t protocol)
{
	const struct made *made = *state;
	struct policy_question question = {name, addr, port, protocol};
	struct policy_verdict verdict;

	memset(&verdict, 0xa5, sizeof(verdict));
	policy_judge(&made->policy, 0, &question, &verdict);
	return verdict;
}

static void
assert_refused(struct policy_verdict verdict, enum reason reason)
{
	assert_int_equal(verdict.reason, reason);
	assert_int_equal(verdict.rule, IMAGE_NONE);
	assert_string_equal(verdict.text, "");
	assert_false(verdict.named);
}

static void
test_malformed(void **state)
{
	struct ipc_addr good = v4(8, 8, 8, 8, 443), other = v4(8, 8, 8, 8, 80), bad = good;

	assert_refused(judge(state, NULL, NULL, 443, PROTOCOL_TCP), REASON_NAME_INVALID);
	assert_refused(judge(state, "a.example", NULL, 0, PROTOCOL_TCP), REASON_PORT_CLOSED);
	/* The address must carry the port that is judged. */
	assert_refused(judge(state, NULL, &other, 443, PROTOCOL_TCP), REASON_NAME_INVALID);
	for (unsigned int family = 0; family < 256; family++) {
		bad.family = (uint8_t)family;
		if (family != 4 && family != 6)
			assert_refused(judge(state, NULL, &bad, 443, PROTOCOL_TCP),
				       REASON_NAME_INVALID);
	}
}

static void
test_protocols(void **state)
{
	struct ipc_addr good = v4(1, 1, 1, 1, 443);

	/* A request names exactly one bit. */
	for (unsigned int bits = 0; bits < 256; bits++) {
		struct policy_verdict verdict = judge(state, NULL, &good, 443, (uint8_t)bits);
		bool allowed = bits == PROTOCOL_TCP || bits == PROTOCOL_UDP;

		assert_int_equal(verdict.reason == REASON_NONE, allowed);
	}
}

static void
test_no_grant(void **state)
{
	const struct made *made = *state;
	struct ipc_addr good = v4(8, 8, 8, 8, 443);
	struct policy_question question = {NULL, &good, 443, PROTOCOL_TCP};
	struct policy_verdict verdict;

	policy_judge(&made->policy, 1, &question, &verdict);
	assert_refused(verdict, REASON_NO_RULE);
	policy_judge(&made->policy, IMAGE_NONE, &question, &verdict);
	assert_refused(verdict, REASON_NO_RULE);
	assert_int_equal(policy_grant(&made->policy, "g"), 0);
	assert_int_equal(policy_grant(&made->policy, "G"), IMAGE_NONE);
	assert_int_equal(policy_grant(&made->policy, ""), IMAGE_NONE);
}

static void
test_named(void **state)
{
	struct ipc_addr single = v4(8, 8, 8, 8, 443), wide = v4(8, 8, 8, 9, 443);
	struct ipc_addr inside = v4(10, 0, 0, 1, 443); /* a range does not mean the server's own */

	assert_true(judge(state, NULL, &single, 443, PROTOCOL_TCP).named);
	assert_false(judge(state, NULL, &wide, 443, PROTOCOL_TCP).named);
	assert_int_equal(judge(state, NULL, &inside, 443, PROTOCOL_TCP).reason, REASON_NONE);
	assert_false(judge(state, NULL, &inside, 443, PROTOCOL_TCP).named);
	assert_false(judge(state, NULL, &inside, 443, PROTOCOL_UDP).named);
	assert_true(judge(state, "db.internal", &wide, 443, PROTOCOL_TCP).named);
	assert_int_equal(judge(state, "db.internal", &wide, 443, PROTOCOL_TCP).rule, 3);
}

static void
test_deny(void **state)
{
	struct ipc_addr single = v4(8, 8, 8, 8, 443);
	struct policy_verdict verdict = judge(state, "bad.example", &single, 443, PROTOCOL_TCP);

	assert_int_equal(verdict.reason, REASON_RULE_DENIES);
	assert_int_equal(verdict.rule, 0);
	assert_false(verdict.named);
	assert_int_equal(judge(state, "bad.example", NULL, 443, PROTOCOL_TCP).reason,
			 REASON_RULE_DENIES);
	assert_int_equal(judge(state, "bad.example", &single, 443, PROTOCOL_UDP).reason,
			 REASON_NONE);
	assert_int_equal(judge(state, NULL, &single, 443, PROTOCOL_TCP).reason, REASON_NONE);
}

static void
test_prefix(void **state)
{
	uint8_t net[16], ip[16];

	(void)state;
	for (unsigned int bits = 0; bits <= 128; bits++) {
		for (unsigned int flip = 0; flip < 128; flip++) {
			memset(net, 0x5a, sizeof(net));
			memcpy(ip, net, sizeof(ip));
			ip[flip / 8] = (uint8_t)(ip[flip / 8] ^ 0x80U >> flip % 8);
			assert_int_equal(prefix_holds(net, bits, ip), flip >= bits);
		}
		assert_true(prefix_holds(net, bits, net));
	}
}

static void
test_special_ranges(void **state)
{
	const uint8_t ten[16] = {10}, wide[16] = {8}, metadata[16] = {169, 254, 169, 254};
	const struct special_block *block;

	(void)state;
	assert_string_equal(special_find(4, ten, 32)->name, "private-10");
	assert_string_equal(special_find(4, ten, 8)->name, "private-10");
	assert_null(special_find(4, ten, 7));
	assert_null(special_find(4, wide, 32));
	block = special_find(4, metadata, 32);
	assert_int_equal(block->class, BLOCK_METADATA);
	block = special_find(4, metadata, 31);
	assert_string_equal(block->name, "link-local");
	/* Another family's bytes mean something else. */
	assert_string_equal(special_find(6, ten, 128)->name, "unallocated-v6");
}

static void
test_special_names(void **state)
{
	static const char *const special[] = {
		"a",           "localhost", "x.localhost", ".localhost", "home.arpa",  ".home.arpa",
		"x.home.arpa", "a.b.local", "x.internal",  ".internal",  ".x.internal"};
	static const char *const plain[] = {"a.b",        ".com",       "com.",
					    "x.arpa",     ".arpa",      "local.com",
					    "xlocal.com", "x.homearpa", "x.notlocal"};

	(void)state;
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		assert_true(special_name(special[i]));
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		assert_false(special_name(plain[i]));
}

static void
test_host_outputs(void **state)
{
	char name[IPC_HOST], untouched[IPC_HOST], long_name[IPC_HOST];
	struct ipc_addr addr, before;

	(void)state;
	memset(name, 0xa5, sizeof(name));
	memset(untouched, 0xa5, sizeof(untouched));
	memset(&addr, 0xa5, sizeof(addr));
	before = addr;
	assert_int_equal(policy_host("", name, &addr), HOST_INVALID);
	assert_int_equal(policy_host("a..b", name, &addr), HOST_INVALID);
	assert_memory_equal(name, untouched, sizeof(name));
	assert_memory_equal(&addr, &before, sizeof(addr));
	assert_int_equal(policy_host("a.example.", name, &addr), HOST_NAME);
	assert_string_equal(name, "a.example");
	for (size_t i = strlen(name); i < sizeof(name); i++)
		assert_int_equal(name[i], 0);
	assert_memory_equal(&addr, &before, sizeof(addr));
	memcpy(untouched, name, sizeof(name));
	assert_int_equal(policy_host("192.0.2.7", name, &addr), HOST_ADDRESS);
	assert_memory_equal(name, untouched, sizeof(name));
	before = v4(192, 0, 2, 7, 0);
	assert_memory_equal(&addr, &before, sizeof(addr));
	assert_int_equal(policy_host("2001:db8::1", name, &addr), HOST_ADDRESS);
	assert_int_equal(addr.family, 6);
	assert_int_equal(addr.port, 0);
	assert_int_equal(addr.ip[15], 1);
	memset(long_name, 'a', sizeof(long_name));
	long_name[IPC_HOST - 1] = '\0';
	assert_int_equal(policy_host(long_name, name, &addr), HOST_INVALID);
}

/* Every byte but those of names is refused, wherever it stands. */
static void
test_host_bytes(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-.";
	char name[IPC_HOST];
	struct ipc_addr addr;

	(void)state;
	for (int c = 1; c < 256; c++) {
		char host[] = "aXb.example";

		host[1] = (char)c;
		assert_int_equal(policy_host(host, name, &addr),
				 strchr(letters, c) ? HOST_NAME : HOST_INVALID);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_malformed),      cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_no_grant),       cmocka_unit_test(test_named),
		cmocka_unit_test(test_deny),           cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_special_ranges), cmocka_unit_test(test_special_names),
		cmocka_unit_test(test_host_outputs),   cmocka_unit_test(test_host_bytes),
	};

	return cmocka_run_group_tests_name("policy_check", tests, set_up, tear_down);
}
