/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/name.h"

static void
becomes(const char *text, const char *wanted)
{
	char out[IPC_HOST];

	memset(out, '#', sizeof(out));
	if (!name_canonical(text, strlen(text), out))
		fail_msg("'%s' is refused", text);
	assert_string_equal(out, wanted);
	for (size_t i = strlen(out); i < sizeof(out); i++)
		assert_int_equal(out[i], 0);
	/* What came out goes in again and stays. */
	assert_true(name_canonical(wanted, strlen(wanted), out));
	assert_string_equal(out, wanted);
}

/* What is refused reaches the broker readably, and stays refused. */
static void
on_record(const char *text, size_t length, const char *wanted)
{
	char out[IPC_HOST];
	char again[IPC_HOST];

	memset(out, '#', sizeof(out));
	name_for_record(text, length, out);
	assert_non_null(memchr(out, '\0', sizeof(out)));
	assert_int_not_equal(out[0], 0);
	for (size_t i = strlen(out); i < sizeof(out); i++)
		assert_int_equal(out[i], 0);
	assert_false(name_canonical(out, strlen(out), again));
	if (wanted)
		assert_string_equal(out, wanted);
}

static void
refused(const char *text, size_t length)
{
	char out[IPC_HOST];

	memset(out, '#', sizeof(out));
	if (name_canonical(text, length, out))
		fail_msg("'%s' becomes '%s'", text, out);
	for (size_t i = 0; i < sizeof(out); i++)
		assert_int_equal(out[i], '#');
	on_record(text, length, NULL);
}

static void
all_refused(const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		refused(texts[i], strlen(texts[i]));
}

#define ALL_REFUSED(texts) all_refused(texts, sizeof(texts) / sizeof(texts[0]))

static void
ascii_names(void **state)
{
	(void)state;
	becomes("example.com", "example.com");
	becomes("EXAMPLE.Com.", "example.com");
	becomes("localhost", "localhost");
	becomes("_dns.example", "_dns.example");
	becomes("a_b.example", "a_b.example");
	becomes("r3---sn-x.example", "r3---sn-x.example");
	becomes("XN--BCHER-KVA.example", "xn--bcher-kva.example");
	becomes("1.example", "1.example");
	becomes("1.2.3.4.example", "1.2.3.4.example");
	becomes("0x7f.example", "0x7f.example");
	becomes("example.x0", "example.x0");
}

static void
numbers(void **state)
{
	(void)state;
	becomes("0.0.0.0", "0.0.0.0");
	becomes("255.255.255.255", "255.255.255.255");
	becomes("::", "::");
	becomes("[::1]", "::1");
	becomes("2001:DB8:0:0:0::01", "2001:db8::1");
	becomes("[2001:db8:0:0:1:0:0:1]", "2001:db8::1:0:0:1");
	becomes("::ffff:1.2.3.4", "::ffff:1.2.3.4");
	becomes("::FFFF:7f00:1", "::ffff:127.0.0.1");
}

/* The spellings of 127.0.0.1 and others that a name lookup would take, and bad IPv6 */
static void
numbers_in_disguise(void **state)
{
	static const char *const texts[] = {
		"0177.0.0.1",
		"0x7f.0.0.1",
		"0x7f000001",
		"2130706433",
		"017700000001",
		"127.1",
		"127.0.1",
		"00000177.1",
		"127.0.0.01",
		"127.0.0.0x1",
		"0",
		"1.2.3",
		"0xffffffff",
		"1.2.3.4.",
		"1.2.3.4.5",
		"256.0.0.1",
		"1.2.3.256",
		"a.0",
		"a.0x",
		"a.0Xfz",
		"1..2.3",
		"+1.2.3.4",
		"1.2.3.4 ",
		" 1.2.3.4",
		"[1.2.3.4]",
		"[::1",
		"::1]",
		"[]",
		"[[::1]]",
		"[::1].",
		"fe80::1%1",
		"[fe80::1%lo]",
		"1::2::3",
		":::",
		"1:2:3:4:5:6:7",
		":1:2:3:4:5:6:7",
		"12345::",
		"::1.2.3",
		"::01.2.3.4",
		"::ffff:0x7f.0.0.1",
		"::g",
		"1:2:3:4:5:6:7:8:9",
		"::1:80:x",
		"[::1]:80",
		"a:80",
		"1.2.3.4:80",
		/* full-width digits, ideographic full stop, full-width 0x7 */
		"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1",
		"127.0.0\xe3\x80\x82\x31",
		"b.\xef\xbc\x90\xef\xbd\x98\xef\xbc\x97",
		"b\xc3\xbc.\xef\xbc\x91",
	};

	(void)state;
	ALL_REFUSED(texts);
}

/* Case 51 */
static void
not_names(void **state)
{
	static const char *const texts[] = {
		"",           "a\r\nb", "a b",  "a\tb", " a",        "a ",     "a%20b",
		"a@b",        "u:p@b",  "a#b",  "a\\b", "a/b",       "a?b",    "a:b",
		"[a:b]",      "a,b",    "a;b",  "a*b",  "*.example", "a\"b",   "a'b",
		"a(b",        "a$b",    "a~b",  ".",    "..",        ".a",     "a..",
		"a..b",       "-a",     "a-",   "a.-b", "a.b-",      "a-.b",   "a.b-.",
		"\x7f",       "a\x01",  "\x80", "\xc3", "\xc3(",     "\xff.b", "\xed\xa0\x80.b",
		"\xc0\xae.b",
	};

	(void)state;
	ALL_REFUSED(texts);
	refused("a\0b", 3);
	refused("a\0", 2);
	refused("\0", 1);
	refused("b\xc3\xbc\0.b", 6);
	refused("127.0.0.1\0.b", 12);
}

static void
unicode(void **state)
{
	(void)state;
	becomes("b\xc3\xbc"
		"cher.example",
		"xn--bcher-kva.example");
	becomes("B\xc3\x9c"
		"CHER.Example.",
		"xn--bcher-kva.example");
	becomes("bu\xcc\x88"
		"cher.example",
		"xn--bcher-kva.example");
	becomes("b\xc3\xbc"
		"cher\xe3\x80\x82"
		"example\xe3\x80\x82",
		"xn--bcher-kva.example");
	/* non-transitional: the sharp s stays one */
	becomes("fa\xc3\x9f.example", "xn--fa-hia.example");
	/* full-width letters, and the Kelvin sign */
	becomes("\xef\xbd\x87\xef\xbd\x8f.example", "go.example");
	becomes("\xe2\x84\xaa.example", "k.example");
}

/* What UTS 46 with STD3 rules refuses, and what maps to what a name may not have */
static void
not_unicode_names(void **state)
{
	static const char *const texts[] = {
		"\xe2\x89\xa0.example", /* not equal */
		"a\xe2\x89\xa0"
		"b.example",            /* in a label: libidn2 drops it */
		"\xe2\x84\x80.example", /* a/c as one character */
		"a\xe2\x84\x80"
		"b.example",
		"b\xc3\xbc\xe2\x91\xb4.example", /* (1) as one character */
		"b\xc3\xbc\xef\xbc\x85"
		"41.example", /* full-width per cent */
		"b\xc3\xbc\xef\xbc\xa0"
		"c.example", /* full-width @ */
		"b\xc3\xbc\xef\xbc\x8f"
		"c.example", /* full-width slash */
		"b\xc3\xbc\xef\xbc\x9a"
		"80", /* full-width colon */
		"b\xc3\xbc\xc2\xa0"
		"c.example", /* no-break space */
		"b\xc3\xbc\xe2\x80\xa8"
		"c.example",              /* line separator */
		"_dns.b\xc3\xbc.example", /* underscore beside a U-label */
		"\xc2\xad.example",       /* soft hyphen: nothing is left */
		"b\xc3\xbc..example",
		".b\xc3\xbc",
		"-\xc3\xbc.example",
		"\xc3\xbc-.example",
		"\xc3\xbc\xc3\xbc--x.example",
		"a\xe2\x80\x8d"
		"b.example",
		"1\xd7\x90.example", /* mixed direction */
		"\xe3\x80\x82",
		"b\xc3\xbc\xe3\x80\x82\xe3\x80\x82",
		"\xee\x80\x80.example", /* private use */
		"\xef\xbf\xbd.example", /* replacement character */
	};

	(void)state;
	ALL_REFUSED(texts);
}

static void
lengths(void **state)
{
	char text[2000];
	char out[IPC_HOST];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_true(name_canonical(text, 63, out));
	refused(text, 64);
	for (size_t i = 49; i < 400; i += 50)
		text[i] = '.';
	assert_true(name_canonical(text, 253, out));
	assert_int_equal(strlen(out), 253);
	refused(text, 254);
	text[253] = '.';
	assert_true(name_canonical(text, 254, out));
	assert_int_equal(strlen(out), 253);
	refused(text, 255);
	refused(text, 256);
	refused(text, sizeof(text));
	/* 4 labels of 40 u-umlaut: 324 bytes of UTF-8, under 253 as A-labels */
	for (size_t i = 0; i < 324; i += 2)
		memcpy(text + i, "\xc3\xbc", 2);
	for (size_t i = 80; i < 324; i += 81) {
		memmove(text + i + 1, text + i, 324 - i);
		text[i] = '.';
	}
	assert_true(name_canonical(text, 323, out));
	assert_true(strlen(out) <= 253);
	for (size_t i = 0; i < 1024; i += 2)
		memcpy(text + i, "\xc3\xbc", 2);
	refused(text, 1022);
	refused(text, 1024);
}

static void
as_it_was_written(void **state)
{
	(void)state;
	on_record("127.1", 5, "127.1");
	on_record("a..b", 4, "a..b");
	on_record("Host With Blank", 15, "Host With Blank");
	on_record("a\r\nb\x7f\xff", 6, "a\r\nb\x7f\xff");
	on_record("", 0, " ...");
	/* a NUL does not end it */
	on_record("127.0.0.1\0", 10, "127.0.0.1?");
	on_record("\0a\0.b", 5, "?a?.b");
	on_record("\0", 1, "?");
}

/* What is cut has a mark that no name has, also where its beginning is a good name. */
static void
cut_texts(void **state)
{
	char text[2000];
	char wanted[IPC_HOST] = "";

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 49; i < sizeof(text); i += 50)
		text[i] = '.';
	memcpy(wanted, text, 255);
	on_record(text, 255, wanted);
	memcpy(wanted + 251, " ...", 4);
	on_record(text, 256, wanted);
	on_record(text, sizeof(text), wanted);
	/* within a character: it is left out as a whole */
	memcpy(text + 250, "\xc3\xbc", 2);
	memcpy(wanted + 250, " ...\0", 5);
	on_record(text, sizeof(text), wanted);
	memcpy(text + 248, "\xf0\x9f\x98\x80", 4);
	memcpy(wanted + 248, " ...\0\0", 6);
	on_record(text, sizeof(text), wanted);
	/* bytes that are no characters at all: about as many stay */
	memset(text, '\x80', sizeof(text));
	memset(wanted, '\x80', 248);
	on_record(text, sizeof(text), wanted);
	/* blanks and numbers before the cut */
	memset(text, ' ', sizeof(text));
	on_record(text, sizeof(text), NULL);
	memset(text, '1', sizeof(text));
	on_record(text, sizeof(text), NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ascii_names),
		cmocka_unit_test(numbers),
		cmocka_unit_test(numbers_in_disguise),
		cmocka_unit_test(not_names),
		cmocka_unit_test(unicode),
		cmocka_unit_test(not_unicode_names),
		cmocka_unit_test(lengths),
		cmocka_unit_test(as_it_was_written),
		cmocka_unit_test(cut_texts),
	};

	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
