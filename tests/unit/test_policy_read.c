/* SPDX-License-Identifier: ISC */
/* A policy but for its rules: errors, notes, and what is read. */
#include "tests/unit/policy_wrong.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/messages.h"
#include "ipc/words.h"

#define HOSTS(list)    "{'version':1,'dialects':['raw'],'grants':{},'hosts':[\n" list "]}"
#define DIALECTS(list) "{'version':1,'hosts':['h'],'grants':{},'dialects':[\n" list "]}"
#define ORIGINS(list)  BASE "'grants':{'g':{'auth':'none','origins':[\n" list "]}}}"
#define LISTEN(address, ports, from, most)                                           \
	GRANT("'listen':{\n'address':" address ",\n'ports':" ports ",\n'from':" from \
	      ",\n'most':" most "}")

static void
test_top(void **state)
{
	static const struct wrong wrong[] = {
		{"[]", 1, 1, "the policy must be an object, and is an array", ""},
		{BASE "\n'grants':{},'host':[]}", 2, 13, "the policy has no `host'",
		 "hosts, dialects, proxies, limits, audit, grants"},
		{BASE "'limits':{}}", 1, 1, "the policy lacks `grants'", "{}"},
		{"{'hosts':['h'],'dialects':['raw'],'grants':{}}", 1, 1, "lacks `version'", "1"},
		{"{'version':1,'dialects':['raw'],'grants':{}}", 1, 1, "lacks `hosts'",
		 "gw.example"},
		{"{'version':1,'hosts':['h'],'grants':{}}", 1, 1, "lacks `dialects'", "raw"},
		{"{'version':2,'hosts':['h'],'dialects':['raw'],'grants':{}}", 1, 12,
		 "reads version 1", "1"},
		{"{'version':1.0,'hosts':['h'],'dialects':['raw'],'grants':{}}", 1, 12,
		 "reads version 1", ""},
		{"{'version':'1','hosts':['h'],'dialects':['raw'],'grants':{}}", 1, 12,
		 "reads version 1", ""},
		{BASE "\n'grants':[]}", 2, 10, "`grants' must be an object, and is an array", ""},
		{BASE "\n'grants':{'a b':{'auth':'none'}}}", 2, 11, "no name for a grant", "63"},
		{BASE "\n'grants':{'g':null}}", 2, 15, "the grant must be an object, and is null",
		 ""},
		{TOP("'audit':true"), 2, 9, "`audit' must be an object, and is true", ""},
		{TOP("'audit':{'sync':1}"), 2, 17, "`sync' must be true or false", ""},
		{TOP("'audit':{'file':'x'}"), 2, 10, "`audit' has no `file'", "sync"},
		{TOP("'limits':{'session':1}"), 2, 11, "`limits' has no `session'",
		 "sessions, sessions_per_source, handshake_timeout"},
		{TOP("'limits':{'sessions':0}"), 2, 22, "`sessions' is out of range",
		 "1 to 100000"},
		{TOP("'limits':{'sessions':1.5}"), 2, 22, "no value for `sessions'",
		 "whole number"},
		{TOP("'limits':{'sessions':-1}"), 2, 22, "no value for `sessions'", ""},
		{TOP("'limits':{'sessions':'5'}"), 2, 22, "no value for `sessions'", ""},
		{TOP("'limits':{'handshake_timeout':10}"), 2, 31, "no value for", "a duration"},
		{TOP("'limits':{'handshake_timeout':'10'}"), 2, 31, "no value for", "30s"},
		{TOP("'limits':{'handshake_timeout':'10 s'}"), 2, 31, "no value for", ""},
		{TOP("'limits':{'handshake_timeout':'1d'}"), 2, 31, "no value for", ""},
		{TOP("'limits':{'handshake_timeout':'1h'}"), 2, 31, "out of range", "milliseconds"},
	};

	(void)state;
	CHECK(wrong);
}

static void
test_hosts(void **state)
{
	static const struct wrong wrong[] = {
		{"{'version':1,'dialects':['raw'],'grants':{},'hosts':\n'h'}", 2, 1,
		 "`hosts' must be an array", ""},
		{"{'version':1,'dialects':['raw'],'grants':{},'hosts':\n[]}", 2, 1, "serves nobody",
		 ""},
		{HOSTS("1"), 2, 1, "an element of `hosts' must be a string, and is a number", ""},
		{HOSTS("'*'"), 2, 1, "exact names", "rebinding"},
		{HOSTS("'a.example:80'"), 2, 1, "a host has no port", "any port"},
		{HOSTS("'[::1]:80'"), 2, 1, "no address in brackets", "without a port"},
		{HOSTS("'::1'"), 2, 1, "names an IPv6 address in brackets", "[::1]"},
		{HOSTS("'[127.0.0.1]'"), 2, 1, "no IPv6 address", ""},
		{HOSTS("'127.1'"), 2, 1, "neither a name nor an address", "four numbers"},
		{HOSTS("'a_b c'"), 2, 1, "neither a name nor an address", ""},
		{HOSTS("'a',\n 'A'"), 3, 2, "`a' stands here for the second time", "one of them"},
		{HOSTS("'[::1]',\n'[0:0::1]'"), 3, 1, "`[::1]' stands here for the second", ""},
		{DIALECTS("'telnet'"), 2, 1, "there is no dialect `telnet'", "raw, netproxy"},
		{DIALECTS("'raw','raw'"), 2, 7, "for the second time", ""},
		{"{'version':1,'hosts':['h'],'grants':{},'dialects':\n[]}", 2, 1,
		 "without a dialect", "raw"},
	};

	(void)state;
	CHECK(wrong);
}

static void
test_origins(void **state)
{
	static const struct wrong wrong[] = {
		{ORIGINS("'null'"), 2, 1, "every sandboxed page", "none"},
		{ORIGINS("'app.example.com'"), 2, 1, "this is no origin", "https://"},
		{ORIGINS("'https://app.example.com/'"), 2, 1, "more than an origin", "no slash"},
		{ORIGINS("'https://app.example.com/x'"), 2, 1, "more than an origin", ""},
		{ORIGINS("'https://u@app.example.com'"), 2, 1, "more than an origin", ""},
		{ORIGINS("'https://App.example.com'"), 2, 1, "can never match", "lower case"},
		{ORIGINS("'https://b\xc3\xbc.example'"), 2, 1, "can never match", "A-labels"},
		{ORIGINS("'https://app.example.com:443'"), 2, 1, "can never match", "usual one"},
		{ORIGINS("'http://127.0.0.1:80'"), 2, 1, "can never match", "usual one"},
		{ORIGINS("'https://app.example.com:x'"), 2, 1, "port is wrong", ""},
		{ORIGINS("'https://app.example.com:70000'"), 2, 1, "port is wrong", ""},
		{ORIGINS("'https://*.example.com'"), 2, 1, "neither a name nor an address", ""},
		{ORIGINS("'https://127.1'"), 2, 1, "neither a name nor an address", ""},
		{ORIGINS("'https://[::1'"), 2, 1, "no origin", ""},
		{ORIGINS("'https://[127.0.0.1]'"), 2, 1, "neither a name nor an address", ""},
		{ORIGINS("'ht_tp://a.example'"), 2, 1, "scheme is wrong", ""},
		{ORIGINS("'none','none'"), 2, 8, "for the second time", ""},
		{ORIGINS("'*',\n'https://a.example'"), 2, 1, "the others say nothing", "leave"},
		{ORIGINS("'https://a.example',\n'https://a.example'"), 3, 1, "second time", ""},
	};

	(void)state;
	CHECK(wrong);
}

static void
test_auth(void **state)
{
	static const struct wrong wrong[] = {
		{BASE "'grants':{'g':\n{}}}", 2, 1, "the grant lacks `auth'", "none"},
		{AUTH("'any'"), 2, 1, "`auth' must be an object or \"none\"", "tokens"},
		{AUTH("null"), 2, 1, "`auth' must be an object or \"none\"", ""},
		{AUTH("{}"), 2, 1, "nobody can use this grant", "hash"},
		{AUTH("{'tokens':[]}"), 2, 1, "nobody can use this grant", ""},
		{AUTH("{'token':['x']}"), 2, 2, "`auth' has no `token'", "tokens, jwt"},
		{AUTH("{'tokens':['secret-in-the-clear']}"), 2, 12, "no hash of a token",
		 "sha256sum"},
		{AUTH("{'tokens':['" HASH "0']}"), 2, 12, "no hash of a token", ""},
		{AUTH("{'tokens':['sha256:"
		      "00000000000000000000000000000000000000000000000000000000000000AA']}"),
		 2, 12, "no hash of a token", "lower case"},
		{AUTH("{'tokens':['sha256:"
		      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855']}"),
		 2, 12, "the hash of an empty token", "sockward token"},
		{AUTH("{'tokens':['sha256:"
		      "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b']}"),
		 2, 12, "the hash of `secret'", "sockward token"},
		{AUTH("{'tokens':['sha256:"
		      "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8']}"),
		 2, 12, "the hash of `password'", ""},
		{AUTH("{'tokens':['" HASH "',\n'" HASH "']}"), 3, 1,
		 "token stands here for the second", "line 2"},
		{BASE "'grants':{'a':{'auth':{'tokens':['" HASH
		      "']}},\n'b':{'auth':{'tokens':['" HASH "']}}}}",
		 2, 24, "token stands here for the second", "line 1"},
		{BASE "'grants':{'a':{'auth':'none'},\n'b':{'auth':'none'}}}", 2, 1,
		 "the grants `a' and `b' both have \"auth\": \"none\"", "without a token"},
		{AUTH("{'jwt':[]}"), 2, 8, "`jwt' must be an object", ""},
		{AUTH("{'jwt':{'algorithm':'none','key_file':'k','issuer':'i','audience':'a'}}"), 2,
		 21, "no algorithm `none'", "HS256"},
		{AUTH("{'jwt':{'key_file':'k','issuer':'i','audience':'a'}}"), 2, 8,
		 "lacks `algorithm'", "the key fixes it"},
		{AUTH("{'jwt':{'algorithm':'HS256','issuer':'i','audience':'a'}}"), 2, 8,
		 "lacks `key_file'", ""},
		{AUTH("{'jwt':{'algorithm':'HS256','key_file':'','issuer':'i','audience':'a'}}"), 2,
		 40, "`key_file' is empty", ""},
		{AUTH("{'jwt':{'algorithm':'HS256','key_file':'k','issuer':'i'}}"), 2, 8,
		 "lacks `audience'", "aud"},
		{AUTH("{'jwt':{'algorithm':'HS256','key_file':'k','issuer':1,'audience':'a'}}"), 2,
		 53, "`issuer' must be a string", ""},
		{AUTH("{'jwt':{'algorithm':'HS256','key_file':'k','issuer':'i','audience':'a',"
		      "'key':'k'}}"),
		 2, 72, "`jwt' has no `key'", "key_file"},
	};

	(void)state;
	CHECK(wrong);
}

static void
test_listen(void **state)
{
	static const struct wrong wrong[] = {
		{GRANT("'listen':{}"), 2, 10, "`listen' lacks `address'", ""},
		{LISTEN("'localhost'", "'80'", "['0.0.0.0/0']", "4"), 3, 11, "no address",
		 "127.0.0.1"},
		{LISTEN("'0.0.0.0'", "'80'", "['0.0.0.0/0']", "4"), 3, 11, "nobody can listen there",
		 "one address of this host"},
		{LISTEN("'::'", "'80'", "['0.0.0.0/0']", "4"), 3, 11, "nobody can listen there", ""},
		{LISTEN("'10.0.0.0/8'", "'80'", "['0.0.0.0/0']", "4"), 3, 11, "a range, not", ""},
		{LISTEN("'::1'", "'0-9'", "['0.0.0.0/0']", "4"), 4, 9, "port 0", ""},
		{LISTEN("'::1'", "80", "['0.0.0.0/0']", "4"), 4, 9, "`ports' must be a string", ""},
		{LISTEN("'::1'", "'80'", "['10.0.0.1/8']", "4"), 5, 9, "bits behind", "10.0.0.0/8"},
		{LISTEN("'::1'", "'80'", "[]", "4"), 5, 8, "nobody may connect", ""},
		{LISTEN("'::1'", "'80'", "['::/0']", "0"), 6, 8, "`most' is out of range", "1024"},
		{GRANT("'ethernet':{'bridge':'a/b'}"), 2, 22, "no name of an interface", "15"},
		{GRANT("'ethernet':{'bridge':'abcdefghijklmnop'}"), 2, 22, "no name of an", ""},
		{GRANT("'ethernet':{}"), 2, 12, "lacks `bridge'", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_null(read_text(wrong[i].text));
		if (!is_said(&wrong[i]))
			report_print(&report, wrong[i].text, stderr);
		assert_true(is_said(&wrong[i]));
	}
}

static bool
noted(const char *text, unsigned int line, unsigned int column)
{
	for (size_t i = 0; i < report.n; i++) {
		const struct report_entry *entry = &report.entries[i];

		if (entry->note && strstr(entry->text, text) && entry->at.line == line &&
		    entry->at.column == column)
			return true;
	}
	return false;
}

static void
test_notes(void **state)
{
	struct policy_source *source;

	(void)state;
	source = read_text(LISTEN("'::1'", "'3000-9999'", "['::/0','127.0.0.0/8']", "4"));
	assert_non_null(source);
	assert_false(noted("`listen' is not served by this version", 2, 1));
	assert_int_equal(source->grants[0].listen.port_low, 3000);
	assert_int_equal(source->grants[0].listen.port_high, 9999);
	assert_int_equal(source->grants[0].listen.n_from, 2);
	assert_int_equal(source->grants[0].listen.most, 4);
	policy_free(source);
	source = read_text(GRANT("'ethernet':{'bridge':'sw-demo'}"));
	assert_non_null(source);
	assert_true(noted("`ethernet' is not served by this version", 2, 1));
	assert_string_equal(source->grants[0].bridge, "sw-demo");
	policy_free(source);
	source = read_text(BASE "'grants':{\n'g':{'auth':'none'}}}");
	assert_non_null(source);
	assert_true(noted("nobody can use it", 2, 1));
	policy_free(source);
}

static void
test_good(void **state)
{
	struct policy_source *source = read_text(
		"// comment\n{ /* another */ 'version': 1, 'hosts': ['GW.Example.com', '[0::1]'],\n"
		"'dialects': ['raw', 'udp-relay'], 'audit': {'sync': true},\n"
		"'limits': {'sessions': 7, 'handshake_timeout': '500ms'},\n"
		"'grants': {'demo': {'auth': {'tokens': ['" HASH
		"'], 'jwt': {'algorithm': 'HS256',\n"
		"'key_file': 'keys/a', 'issuer': 'i', 'audience': 'a'}}, 'explain': true,\n"
		"'origins': ['https://a.example', 'none'],\n"
		"'allow': [{'to': '*.B\xc3\xbc"
		"cher.example:443', 'protocols': ['tls', 'tcp']},\n"
		"{'to': 'stra\xc3\x9f"
		"e.example:8000-8099', 'protocols': ['udp']}],\n"
		"'limits': {'sessions': 3, 'channels': 2, 'connects_per_minute': 0,\n"
		"'bytes_per_minute': '10MiB', 'bytes_per_second': '64KiB', 'message_bytes': 4096,\n"
		"'connect_timeout': '30s', 'idle_timeout': 0, 'session_timeout': '1h'}}}}");
	const struct source_grant *grant;

	(void)state;
	report_print(&report, "test", stderr);
	assert_non_null(source);
	assert_string_equal(source->hosts.items[0], "gw.example.com");
	assert_string_equal(source->hosts.items[1], "[::1]");
	assert_int_equal(source->dialects, 1U << DIALECT_RAW | 1U << DIALECT_UDP_RELAY);
	assert_true(source->audit_sync);
	assert_int_equal(source->sessions, 7);
	assert_int_equal(source->sessions_per_source, 64);
	assert_int_equal(source->handshake_ms, 500);
	assert_int_equal(source->n_grants, 1);
	grant = &source->grants[0];
	assert_int_equal(grant->auth.n_tokens, 1);
	assert_int_equal(grant->auth.tokens[0].hash[31], 0xaa);
	assert_true(grant->auth.jwt.present);
	assert_string_equal(grant->auth.jwt.key_file, "keys/a");
	assert_true(grant->origin_none);
	assert_false(grant->origin_any);
	assert_true(grant->explain);
	assert_int_equal(grant->allow.n, 2);
	assert_string_equal(grant->allow.items[0].name, ".xn--bcher-kva.example");
	assert_int_equal(grant->allow.items[0].image.kind, RULE_SUFFIX);
	assert_int_equal(grant->allow.items[0].image.protocols, PROTOCOL_TLS | PROTOCOL_TCP);
	assert_int_equal(grant->allow.items[0].image.line, 8);
	/* UTS 46 without transitional processing keeps the sharp s. */
	assert_string_equal(grant->allow.items[1].name, "xn--strae-oqa.example");
	assert_int_equal(grant->allow.items[1].image.port_low, 8000);
	assert_int_equal(grant->allow.items[1].image.port_high, 8099);
	assert_int_equal(grant->sessions, 3);
	assert_int_equal(grant->connects_per_minute, 0);
	assert_int_equal(grant->bytes_per_minute, 10 << 20);
	assert_int_equal(grant->bytes_per_second, 64 << 10);
	assert_int_equal(grant->message_bytes, 4096);
	assert_int_equal(grant->idle_timeout_ms, 0);
	assert_int_equal(grant->session_timeout_ms, 3600000);
	policy_free(source);
}

/* All mistakes are told at once, and text of the file does not reach the terminal raw. */
static void
test_many(void **state)
{
	char *out = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&out, &size);

	(void)state;
	assert_non_null(file);
	assert_null(read_text(
		ALLOW("{'to':'a','protocols':['x']},{'to':'\\u001b[2J:80','protocols':['tcp']}")));
	assert_int_equal(report.errors, 3);
	report_print(&report, "FILE", file);
	/* What was wrong with one rule is not held against the next. */
	assert_null(read_text(ALLOW("{'to':'a','protocols':['tcp'],'private':true},"
				    "{'to':'10.0.0.0/8:80','protocols':['tcp']}")));
	assert_int_equal(report.errors, 1);
	(void)fclose(file);
	assert_non_null(strstr(out, "FILE:3:7: error: `a': the port is missing\n  hint: "));
	assert_null(strchr(out, '\033'));
	free(out);
}

static void
test_fd(void **state)
{
	static const char text[] =
		"{\"version\":1,\"hosts\":[\"h\"],\"dialects\":[\"raw\"],\"grants\":{}}";
	struct policy_source *source;
	int pair[2];

	(void)state;
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(write(pair[1], text, 10), 10);
	assert_int_equal(write(pair[1], text + 10, sizeof(text) - 11), (int)sizeof(text) - 11);
	(void)close(pair[1]);
	memset(&report, 0, sizeof(report));
	source = policy_read_fd(pair[0], &report);
	assert_non_null(source);
	/* sha256sum of the text begins with these digits. */
	assert_int_equal(source->fingerprint >> 32, 0xe17952b1);
	policy_free(source);
	(void)close(pair[0]);
	memset(&report, 0, sizeof(report));
	assert_null(policy_read_fd(pair[0], &report));
	assert_int_equal(report.errors, 1);
	assert_int_equal(report.entries[0].at.line, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_top),     cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_origins), cmocka_unit_test(test_auth),
		cmocka_unit_test(test_listen),  cmocka_unit_test(test_notes),
		cmocka_unit_test(test_good),    cmocka_unit_test(test_many),
		cmocka_unit_test(test_fd),
	};

	return cmocka_run_group_tests_name("policy_read", tests, NULL, NULL);
}
