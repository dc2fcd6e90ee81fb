/* SPDX-License-Identifier: ISC */
/* The front proxies of a policy: what is read, what is not, and what the image has. */
#include "tests/unit/policy_wrong.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/compile.h"

#define PROXIES(list) TOP("'proxies':[\n" list "]")
#define FOUR          "'10.0.0.1','10.0.0.2','10.0.0.3','10.0.0.4'"
#define OVERLAP       "an earlier one shares addresses with it"

static void
test_wrong(void **state)
{
	static const struct wrong wrong[] = {
		{TOP("'proxies':'192.0.2.1'"), 2, 11, "`proxies' must be an array", ""},
		{TOP("'proxies':null"), 2, 11, "`proxies' must be an array", ""},
		{PROXIES("1"), 3, 1, "an element of `proxies' must be a string", ""},
		{PROXIES("''"), 3, 1, "this is no address", "192.0.2.0/24"},
		{PROXIES("'*'"), 3, 1, "this is no address", ""},
		{PROXIES("'lb.example'"), 3, 1, "this is no address", ""},
		{PROXIES("'192.0.2.1:80'"), 3, 1, "this is no address", ""},
		{PROXIES("'192.0.2.01'"), 3, 1, "this is no address", ""},
		{PROXIES("'[2001:db8::1]'"), 3, 1, "this is no address", "2001:db8::/32"},
		{PROXIES("'fe80::1%eth0'"), 3, 1, "this is no address", ""},
		{PROXIES("'Unix'"), 3, 1, "this is no address", ""},
		{PROXIES("'unix:/run/x'"), 3, 1, "this is no address", ""},
		{PROXIES("'192.0.2.1/24'"), 3, 1, "bits behind the prefix are set", "192.0.2.0/24"},
		{PROXIES("'192.0.2.0/33'"), 3, 1, "the length of the prefix is wrong", ""},
		{PROXIES("'192.0.2.0/'"), 3, 1, "the length of the prefix is wrong", ""},
		{PROXIES("'0.0.0.0/0'"), 3, 1, "these are all addresses there are", "your proxies"},
		{PROXIES("'::/0'"), 3, 1, "these are all addresses there are", ""},
		{PROXIES("'::ffff:192.0.2.1'"), 3, 1, "this can never match", "IPv4"},
		{PROXIES("'::ffff:0:0/96'"), 3, 1, "this can never match", "IPv4"},
		{PROXIES("'192.0.2.1','192.0.2.1'"), 3, 13, OVERLAP, "leave one"},
		{PROXIES("'192.0.2.0/24','192.0.2.1'"), 3, 16, OVERLAP, ""},
		{PROXIES("'192.0.2.1','192.0.2.0/24'"), 3, 13, OVERLAP, ""},
		{PROXIES("'2001:db8::/32','2001:db8:1::/48'"), 3, 17, OVERLAP, ""},
		{PROXIES("'unix','unix'"), 3, 8, OVERLAP, ""},
		{TOP("'proxies':[" FOUR "," FOUR "," FOUR "," FOUR ",'unix']"), 2, 11,
		 "`proxies' has more than 16 elements", ""},
	};

	(void)state;
	CHECK(wrong);
}

static void
expect(const struct ipc_range *range, uint8_t family, uint8_t bits, uint8_t first)
{
	assert_int_equal(range->family, family);
	assert_int_equal(range->bits, bits);
	assert_int_equal(range->ip[0], first);
}

static void
test_right(void **state)
{
	struct policy_source *source =
		read_text(PROXIES("'192.0.2.10','10.1.0.0/24','2001:db8::/64','unix','64.0.0.0/2',"
				  "'::1'"));
	const struct ipc_range *ranges;
	struct policy policy;
	void *image;
	size_t size;

	(void)state;
	assert_non_null(source);
	assert_int_equal(source->n_proxies, 6);
	assert_int_equal(policy_compile(source, &image, &size), 0);
	assert_null(image_open(&policy, image, size));
	ranges = policy.header->limits.proxies;
	expect(&ranges[0], 4, 32, 192);
	expect(&ranges[1], 4, 24, 10);
	expect(&ranges[2], 6, 64, 0x20);
	expect(&ranges[3], IPC_RANGE_UNIX, 0, 0);
	expect(&ranges[4], 4, 2, 64);
	expect(&ranges[5], 6, 128, 0);
	for (size_t i = 6; i < IPC_PROXIES; i++)
		expect(&ranges[i], 0, 0, 0);
	free(image);
	policy_free(source);
}

static void
test_none(void **state)
{
	struct policy_source *source = read_text(TOP("'proxies':[]"));

	(void)state;
	assert_non_null(source);
	assert_int_equal(source->n_proxies, 0);
	policy_free(source);
}

/* As many as there can be, and each at its place. */
static void
test_most(void **state)
{
	struct policy_source *source = read_text(
		PROXIES("'1.0.0.1','1.0.0.2','1.0.0.3','1.0.0.4','1.0.0.5','1.0.0.6','1.0.0.7',"
			"'1.0.0.8','1.0.0.9','1.0.0.10','1.0.0.11','1.0.0.12','1.0.0.13',"
			"'1.0.0.14','1.0.0.15','1.0.0.16'"));

	(void)state;
	assert_non_null(source);
	assert_int_equal(source->n_proxies, IPC_PROXIES);
	assert_int_equal(source->proxies[IPC_PROXIES - 1].ip[3], 16);
	policy_free(source);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_most),
	};

	return cmocka_run_group_tests_name("policy_proxies", tests, NULL, NULL);
}
