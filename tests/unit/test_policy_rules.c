/* SPDX-License-Identifier: ISC */
/* Rules: how they are written, and which of them say nothing. */
#include "tests/unit/policy_wrong.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RULE(to)     "{'to':'" to "','protocols':['tcp']}"
#define PRIVATE(to)  "{'to':'" to "','protocols':['tcp'],'private':true}"
#define AFTER(a, b)  ALLOW(a ",\n" b)
#define DENIED(d, a) GRANT("'deny':[" d "],'allow':[\n" a "]")

static void
test_members(void **state)
{
	static const struct wrong wrong[] = {
		{GRANT("'allow':{}"), 2, 9, "`allow' must be an array", ""},
		{ALLOW("'*:80'"), 3, 1, "an element of `allow' must be an object", ""},
		{ALLOW("{'protocols':['tcp']}"), 3, 1, "a rule lacks `to'", "HOST:PORT"},
		{ALLOW("{'to':'*:80'}"), 3, 1, "a rule lacks `protocols'", "udp"},
		{ALLOW("{'to':'*:80','protocols':[]}"), 3, 26, "for no protocol", ""},
		{ALLOW("{'to':'*:80','protocols':['sctp']}"), 3, 27, "no protocol `sctp'", "tls"},
		{ALLOW("{'to':'*:80','protocols':['tcp','tcp']}"), 3, 33, "second time", ""},
		{ALLOW("{'to':'*:80','protocols':'tcp'}"), 3, 26, "must be an array", ""},
		{ALLOW("{'to':80,'protocols':['tcp']}"), 3, 7, "`to' must be a string", ""},
		{ALLOW("{'to':'*:80','protocols':['tcp'],'port':1}"), 3, 34, "a rule has no `port'",
		 "to, protocols, private"},
		{ALLOW("{'to':'*:80','protocols':['tcp'],'private':1}"), 3, 44,
		 "`private' must be true or false", ""},
		{ALLOW("{'to':'*:80','protocols':['tcp'],'private':true}"), 3, 1,
		 "`private' cannot stand with `*'", "name"},
		{ALLOW("{'to':'10.0.0.0/8:80','protocols':['tcp'],'private':true}"), 3, 1,
		 "`private' is for names", "leave it out"},
		{DENY("{'to':'a.example:80','private':true}"), 3, 22, "a rule has no `private'",
		 "to, protocols"},
	};

	(void)state;
	CHECK(wrong);
}

static void
test_ports(void **state)
{
	static const struct wrong wrong[] = {
		{TO("example.com"), 3, 7, "the port is missing", "example.com:443"},
		{TO("[::1]"), 3, 7, "the port is missing", ""},
		{TO(":80"), 3, 7, "the port is missing", ""},
		{TO("example.com:"), 3, 7, "this is no port", "8000-8099"},
		{TO("example.com:http"), 3, 7, "this is no port", ""},
		{TO("example.com:0"), 3, 7, "port 0 can never match", "from 1"},
		{TO("example.com:0-9"), 3, 7, "port 0 can never match", ""},
		{TO("example.com:080"), 3, 7, "this is no port", ""},
		{TO("example.com:65536"), 3, 7, "this is no port", ""},
		{TO("example.com:90-80"), 3, 7, "does not rise", "lower port first"},
		{TO("example.com:80-80"), 3, 7, "does not rise", "alone"},
		{TO("example.com:80-"), 3, 7, "no range of ports", ""},
		{TO("example.com:80,81"), 3, 7, "this is no port", ""},
	};

	(void)state;
	CHECK(wrong);
}

static void
test_hosts(void **state)
{
	static const struct wrong wrong[] = {
		{TO("2001:db8::1:80"), 3, 7, "too many colons", "brackets"},
		{TO("[2001:db8::1]/64:80"), 3, 7, "no IPv6 address in brackets", "/32]"},
		{TO("[127.0.0.1]:80"), 3, 7, "no IPv6 address in brackets", ""},
		{TO("[fe80::1%eth0]:80"), 3, 7, "this is no address", ""},
		{TO("8.8.8.0/33:80"), 3, 7, "length of the prefix", "0 to 32"},
		{TO("8.8.8.0/08:80"), 3, 7, "length of the prefix", ""},
		{TO("8.8.8.0/:80"), 3, 7, "length of the prefix", ""},
		{TO("8.8.8.8/24:80"), 3, 7, "bits behind the prefix are set", "8.8.8.0/24"},
		{TO("[2a00::1/32]:80"), 3, 7, "bits behind the prefix are set", "2a00::/32"},
		{TO("example.com/24:80"), 3, 7, "this is no address", ""},
		{TO("127.1:80"), 3, 7, "neither a name nor an address", "four numbers"},
		{TO("0x7f000001:80"), 3, 7, "neither a name nor an address", "four numbers"},
		{TO("010.0.0.1:80"), 3, 7, "neither a name nor an address", "leading zeros"},
		{TO("a..example:80"), 3, 7, "neither a name nor an address", ""},
		{TO("a b.example:80"), 3, 7, "neither a name nor an address", ""},
		{TO("*example.com:80"), 3, 7, "a `*' is in the wrong place", "*.example.com"},
		{TO("a.*.example.com:80"), 3, 7, "a `*' is in the wrong place", ""},
		{TO("*.*.example.com:80"), 3, 7, "a `*' is in the wrong place", ""},
		{TO("*.:80"), 3, 7, "this is no name", ""},
		{TO("*.10.0.0.1:80"), 3, 7, "this is no name", ""},
		{TO("xn--\xc3\xbc.example:80"), 3, 7, "neither a name nor an address", ""},
		{TO("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example:80"),
		 3, 7, "too long", "127 bytes"},
	};

	(void)state;
	CHECK(wrong);
}

static void
test_lint(void **state)
{
	static const struct wrong wrong[] = {
		/* can never match */
		{TO("[::ffff:10.0.0.1]:80"), 3, 7, "the block `ipv4-mapped'", "nothing opens"},
		{TO("224.0.0.0/24:80"), 3, 7, "the block `multicast'", ""},
		{TO("[2002::/16]:80"), 3, 7, "the block `6to4'", ""},
		{TO("[2a00::5efe:a00:1]:80"), 3, 7, "the block `isatap'", ""},
		{TO("[2a00::5efe:0:0/96]:80"), 3, 7, "the block `isatap'", ""},
		{TO("0.0.0.0:80"), 3, 7, "the block `this-network'", ""},
		{TO("a.example:6665-6669"), 3, 7, "only a rule of its own", "each single port"},
		{TO("localhost:80"), 3, 7, "localhost is a private address", "private"},
		{TO("x.localhost:80"), 3, 7, "localhost is a private address", "private"},
		{TO("*.localhost:80"), 3, 7, "only a whole name", "each whole name"},
		{DENIED(RULE("*.example:443"), RULE("a.example:443")), 3, 7, "it is denied",
		 "in line 2"},
		{DENIED("{'to':'*:80-90'}", RULE("a.example:80-81")), 3, 7, "it is denied", ""},
		{DENIED(RULE("8.8.0.0/16:443"), RULE("8.8.8.0/24:443")), 3, 7, "it is denied", ""},
		/* shadowed */
		{AFTER(RULE("a.example:80"), RULE("a.example:80")), 4, 7, "shadowed", "in line 3"},
		{AFTER(RULE("a.example:80"), RULE("A.example.:80")), 4, 7, "shadowed", ""},
		{AFTER(RULE("*.example:*"), RULE("a.example:80")), 4, 7, "shadowed", ""},
		{AFTER(RULE("*.example:80"), RULE("*.b.example:80")), 4, 7, "shadowed", ""},
		{AFTER(RULE("*:80"), RULE("a.example:80")), 4, 7, "shadowed", ""},
		{AFTER(RULE("*:80"), RULE("*:80")), 4, 7, "shadowed", ""},
		{AFTER(RULE("*:80"), RULE("8.8.8.0/24:80")), 4, 7, "shadowed", ""},
		{AFTER(RULE("10.0.0.0/8:80"), RULE("10.1.0.0/16:80")), 4, 7, "shadowed", ""},
		{AFTER(RULE("127.0.0.0/8:80"), RULE("127.1.0.1:80")), 4, 7, "shadowed", ""},
		{AFTER(RULE("[2a00::/16]:80"), RULE("[2a00:1::/32]:80")), 4, 7, "shadowed", ""},
		{AFTER(PRIVATE("a.internal:80"), RULE("a.internal:80")), 4, 7, "shadowed", ""},
		{AFTER(PRIVATE("*.internal:80"), PRIVATE("*.a.internal:80")), 4, 7, "shadowed", ""},
		{DENY("{'to':'*:25'},\n{'to':'a.example:25'}"), 4, 7, "shadowed", "line 3"},
		{DENY("{'to':'8.0.0.0/8:*'},\n{'to':'8.8.8.8:22'}"), 4, 7, "shadowed", ""},
	};

	(void)state;
	CHECK(wrong);
}

/* Rules that overlap and are all needed. */
static void
test_lint_good(void **state)
{
	static const char *const good[] = {
		AFTER(RULE("*:80"), RULE("10.0.0.0/8:80")),
		AFTER(RULE("*:80"), RULE("8.8.8.8:80")),
		AFTER(RULE("*:80"), PRIVATE("a.example:80")),
		AFTER(RULE("*:80"), RULE("printer.lan:80")),
		AFTER(RULE("*:*"), RULE("*:22")),
		AFTER(RULE("*:80"), RULE("*:81")),
		AFTER(RULE("*:80"), "{'to':'*:80','protocols':['udp']}"),
		AFTER(RULE("0.0.0.0/0:80"), RULE("10.0.0.0/8:80")),
		AFTER(RULE("8.8.8.0/24:80"), RULE("8.8.8.8:80")),
		AFTER(RULE("10.0.0.0/8:80"), RULE("10.1.0.1:80")),
		AFTER(PRIVATE("*.internal:80"), PRIVATE("a.internal:80")),
		ALLOW(PRIVATE("x.localhost:80")),
		AFTER(RULE("169.254.0.0/16:80"), RULE("169.254.169.254:80")),
		AFTER(RULE("192.0.0.0/24:80"), RULE("192.0.0.9:80")),
		AFTER(RULE("*.example:80"), RULE("example:80")),
		AFTER(RULE("b.example:80"), RULE("*.example:80")),
		AFTER(RULE("*.ample:80"), RULE("a.example:80")),
		AFTER(RULE("*.arpa:80"), RULE("x.home.arpa:80")),
		AFTER(RULE("a.internal:80"), PRIVATE("a.internal:80")),
		AFTER(RULE("8.8.8.0/24:80"), RULE("8.8.0.0/16:80")),
		AFTER(RULE("8.0.0.0/8:80"), RULE("[800::/8]:80")),
		DENIED(RULE("8.8.8.0/24:443"), RULE("8.8.0.0/16:443")),
		DENIED(RULE("a.example:443"), RULE("*.example:443")),
		DENIED(RULE("a.example:443"), RULE("a.example:442-443")),
		DENIED(RULE("a.example:443"), "{'to':'a.example:443','protocols':['tcp','udp']}"),
		TO("6to4.example:6665-6670"),
		TO("a.example:*"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct policy_source *source = read_text(good[i]);

		if (!source)
			report_print(&report, good[i], stderr);
		assert_non_null(source);
		policy_free(source);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),   cmocka_unit_test(test_ports),
		cmocka_unit_test(test_hosts),     cmocka_unit_test(test_lint),
		cmocka_unit_test(test_lint_good),
	};

	return cmocka_run_group_tests_name("policy_rules", tests, NULL, NULL);
}
