/* SPDX-License-Identifier: ISC */
/* The PROXY protocol's header: what is one, and however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BEHIND    "GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
#define ADDRS4    "\xcb\0\x71\x09\xc0\0\2\1\x9c\x41\1\xbb" /* 203.0.113.9:40001, 192.0.2.1:443 */
#define ADDRS6                                   \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7" \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x9c\x41\1\xbb"
#define MAPPED                                       \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\x09" \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1\x9c\x41\1\xbb"

struct text {
	const char *bytes;
	size_t n;
};

#define TEXT(bytes)                         \
	{                                   \
		"" bytes, sizeof(bytes) - 1 \
	}

static const struct ipc_addr none;
static const struct ipc_addr v4 = {4, 0, 40001, {203, 0, 113, 9}};
static const struct ipc_addr v6 = {6, 0, 40001, {0x20, 1, 0xd, 0xb8, [15] = 7}};

static const struct right {
	struct text text;
	const struct ipc_addr *told;
} right[] = {
	{TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 40001 443\r\n"), &v4},
	{TEXT("PROXY TCP6 2001:db8::7 2001:db8::1 40001 443\r\n"), &v6},
	{TEXT("PROXY TCP6 2001:0DB8:0:0:0:0:0:7 ::1 40001 0\r\n"), &v6},
	{TEXT("PROXY TCP6 ::ffff:203.0.113.9 ::ffff:192.0.2.1 40001 443\r\n"), &v4},
	{TEXT("PROXY TCP6 ::ffff:cb00:7109 ::1 40001 65535\r\n"), &v4},
	{TEXT("PROXY UNKNOWN\r\n"), &none},
	{TEXT("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), &none},
	{TEXT("PROXY UNKNOWN \r\n"), &none},
	/* The longest that there can be: 107 bytes. */
	{TEXT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	 &none},
	{TEXT(SIGNATURE "\x21\x11\0\x0c" ADDRS4), &v4},
	{TEXT(SIGNATURE "\x21\x21\0\x24" ADDRS6), &v6},
	{TEXT(SIGNATURE "\x21\x21\0\x24" MAPPED), &v4},
	/* TLVs: none of ours, an empty one, two. */
	{TEXT(SIGNATURE "\x21\x11\0\x13" ADDRS4 "\4\0\4abcd"), &v4},
	{TEXT(SIGNATURE "\x21\x11\0\x0f" ADDRS4 "\xe0\0\0"), &v4},
	{TEXT(SIGNATURE "\x21\x11\0\x13" ADDRS4 "\5\0\1x\4\0\0"), &v4},
	/* Its " "\242\362\234\044" "2c, by another implementation; alone, and in front of
	   another TLV. */
	{TEXT(SIGNATURE "\x21\x11\0\x13" ADDRS4 "\3\0\4\320\207\126\100"), &v4},
	{TEXT(SIGNATURE "\x21\x11\0\x17" ADDRS4 "\3\0\4\173\251\045\127\5\0\1x"), &v4},
	{TEXT(SIGNATURE "\x21\x21\0\x2b" ADDRS6 "\3\0\4\242\362\234\044"), &v6},
	/* Nobody is told; what a proxy says there is ignored. */
	{TEXT(SIGNATURE "\x20\0\0\0"), &none},
	{TEXT(SIGNATURE "\x20\x11\0\x0c" ADDRS4), &none},
	{TEXT(SIGNATURE "\x20\xff\0\3abc"), &none},
	{TEXT(SIGNATURE "\x21\0\0\0"), &none},
	{TEXT(SIGNATURE "\x21\0\0\5abcde"), &none},
};

static const struct text wrong[] = {
	TEXT("proxy TCP4 203.0.113.9 192.0.2.1 40001 443\r\n"),
	TEXT(" PROXY TCP4 203.0.113.9 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY\tTCP4 203.0.113.9 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY \r\n"),
	TEXT("PROXY\r\n"),
	TEXT("PROXY \n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 40001 443\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 40001 443 \r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 40001 443 1\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 40001\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 40001 \r\n"),
	TEXT("PROXY TCP4 203.0.113.9\r\n"),
	TEXT("PROXY TCP4\r\n"),
	TEXT("PROXY TCP4 \r\n"),
	TEXT("PROXY TCP4  203.0.113.9 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9  192.0.2.1 40001 443\r\n"),
	TEXT("PROXY TCP5 203.0.113.9 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY UDP4 203.0.113.9 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY tcp4 203.0.113.9 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY TCP 203.0.113.9 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY TCP44 203.0.113.9 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY UNKNOWN\n"),
	TEXT("PROXY UNKNOWNS\r\n"),
	TEXT("PROXY UNKNOWN a\rb\r\n"),
	TEXT("PROXY UNKNOWN a\0b\r\n"),
	TEXT("PROXY UNKNOWN a\x80\r\n"),
	TEXT("PROXY UNKNOWN a\r\r\n"),
	TEXT("PROXY TCP4 203.0.113.256 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.09 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY TCP4 203.0.113 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9. 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY TCP4 0xcb.0.113.9 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2 40001 443\r\n"),
	TEXT("PROXY TCP4 2001:db8::7 2001:db8::1 40001 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 2001:db8::1 40001 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9\0 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 4000\0 443\r\n"),
	TEXT("PROXY TCP6 203.0.113.9 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY TCP6 2001:db8::7 192.0.2.1 40001 443\r\n"),
	TEXT("PROXY TCP6 [2001:db8::7] ::1 40001 443\r\n"),
	TEXT("PROXY TCP6 fe80::1%1 ::1 40001 443\r\n"),
	TEXT("PROXY TCP6 2001::db8::7 ::1 40001 443\r\n"),
	TEXT("PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 40001 443\r\n"),
	TEXT("PROXY TCP6 12345::1 ::1 40001 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 65536 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 40001 65536\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 99999 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 100000 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 040001 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 00 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 +1 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 -1 443\r\n"),
	TEXT("PROXY TCP4 203.0.113.9 192.0.2.1 40001 0x1b\r\n"),
	/* 108 bytes, and a line that does not end. */
	TEXT("PROXY UNKNOWN fffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	TEXT("PROXY UNKNOWN "
	     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	TEXT(BEHIND),
	TEXT("\0"),
	TEXT("\x16\3\1\2\0\1\0\1\xfc\3\3"), /* TLS */
	TEXT("\r\n\r\n\0\r\nQUIT\r\x21\x11\0\x0c" ADDRS4),
	TEXT("\r\n\r\n" BEHIND),
	TEXT(SIGNATURE "\x11\x11\0\x0c" ADDRS4), /* versions */
	TEXT(SIGNATURE "\x31\x11\0\x0c" ADDRS4),
	TEXT(SIGNATURE "\1\x11\0\x0c" ADDRS4),
	TEXT(SIGNATURE "\x22\x11\0\x0c" ADDRS4), /* commands */
	TEXT(SIGNATURE "\x2f\x11\0\x0c" ADDRS4),
	TEXT(SIGNATURE "\x21\x10\0\x0c" ADDRS4), /* families and protocols */
	TEXT(SIGNATURE "\x21\x12\0\x0c" ADDRS4),
	TEXT(SIGNATURE "\x21\x22\0\x24" ADDRS6),
	TEXT(SIGNATURE "\x21\1\0\x0c" ADDRS4),
	TEXT(SIGNATURE "\x21\x31\0\xd8"),
	TEXT(SIGNATURE "\x21\x41\0\x0c" ADDRS4),
	TEXT(SIGNATURE "\x21\x13\0\x0c" ADDRS4),
	TEXT(SIGNATURE "\x21\x11\0\x0b" ADDRS4), /* lengths */
	TEXT(SIGNATURE "\x21\x11\0\0" ADDRS4),
	TEXT(SIGNATURE "\x21\x21\0\x23" ADDRS6),
	TEXT(SIGNATURE "\x21\x21\0\x0c" ADDRS6),
	TEXT(SIGNATURE "\x21\x11\2\x09" ADDRS4), /* 521 */
	TEXT(SIGNATURE "\x21\x11\xff\xff" ADDRS4),
	TEXT(SIGNATURE "\x20\0\2\x09"),
	TEXT(SIGNATURE "\x21\x11\0\x0d" ADDRS4 "\4"), /* TLVs */
	TEXT(SIGNATURE "\x21\x11\0\x0e" ADDRS4 "\4\0"),
	TEXT(SIGNATURE "\x21\x11\0\x0f" ADDRS4 "\4\0\1x"),
	TEXT(SIGNATURE "\x21\x11\0\x10" ADDRS4 "\4\0\2xx"),
	TEXT(SIGNATURE "\x21\x11\0\x10" ADDRS4 "\4\xff\xffx"),
	TEXT(SIGNATURE "\x21\x11\0\x13" ADDRS4 "\3\0\4abcd"), /* their checksum */
	TEXT(SIGNATURE "\x21\x11\0\x13" ADDRS4 "\3\0\4\0\0\0\0"),
	TEXT(SIGNATURE "\x21\x11\0\x12" ADDRS4 "\3\0\3abc"),
	TEXT(SIGNATURE "\x21\x11\0\x14" ADDRS4 "\3\0\5abcde"),
	TEXT(SIGNATURE "\x21\x11\0\x1a" ADDRS4 "\3\0\4\232\241\125\023\3\0\4\017\044\361\341"),
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* In memory of its exact size, so that a sanitizer sees a byte read behind it. */
static enum proxy_result
parse(const void *bytes, size_t n, struct proxy_header *header)
{
	enum proxy_result result;
	void *copy = malloc(n + !n);

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	result = proxy_parse(copy, n, header);
	free(copy);
	return result;
}

static const struct proxy_header untouched = {4711, {9, 9, 9, {9}}};

static void
test_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(right); i++) {
		const struct text *text = &right[i].text;
		struct proxy_header header = untouched;

		/* Cut everywhere. */
		for (size_t n = 0; n < text->n; n++)
			assert_int_equal(parse(text->bytes, n, &header), PROXY_MORE);
		assert_memory_equal(&header, &untouched, sizeof(header));
		assert_int_equal(parse(text->bytes, text->n, &header), PROXY_DONE);
		assert_int_equal(header.length, text->n);
		assert_memory_equal(&header.told, right[i].told, sizeof(header.told));
	}
}

/* What is behind is not looked at: a request, another header, anything. */
static void
test_what_is_behind(void **state)
{
	static const struct text behind[] = {
		TEXT(BEHIND),
		TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 3 4\r\n"),
		TEXT(SIGNATURE "\x21\x11\0\x0c" ADDRS4),
		TEXT("\r\n"),
		TEXT("\0\xff"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(right); i++) {
		for (size_t j = 0; j < COUNT(behind); j++) {
			const struct text *text = &right[i].text;
			struct proxy_header header = untouched;
			char bytes[2 * PROXY_MOST];

			memcpy(bytes, text->bytes, text->n);
			memcpy(bytes + text->n, behind[j].bytes, behind[j].n);
			assert_int_equal(parse(bytes, text->n + behind[j].n, &header), PROXY_DONE);
			assert_int_equal(header.length, text->n);
			assert_memory_equal(&header.told, right[i].told, sizeof(header.told));
		}
	}
}

/* Refused at some byte, and for ever from there on; never done. */
static void
test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct proxy_header header = untouched;
		bool refused = false;

		for (size_t n = 0; n <= wrong[i].n; n++) {
			enum proxy_result result = parse(wrong[i].bytes, n, &header);

			if (result == PROXY_DONE || (refused && result != PROXY_REFUSE))
				fail_msg("case %zu with %zu bytes: %d", i, n, result);
			refused = result == PROXY_REFUSE;
		}
		if (!refused)
			fail_msg("case %zu is not refused", i);
		assert_memory_equal(&header, &untouched, sizeof(header));
	}
}

/* A wrong beginning is not waited with. */
static void
test_refused_at_once(void **state)
{
	struct proxy_header header;

	(void)state;
	assert_int_equal(parse("G", 1, &header), PROXY_REFUSE);
	assert_int_equal(parse("PROXi", 5, &header), PROXY_REFUSE);
	assert_int_equal(parse("\r\n\n", 3, &header), PROXY_REFUSE);
	assert_int_equal(parse(SIGNATURE "\x21\x11\2\x09", 16, &header), PROXY_REFUSE);
}

/* The longest of version 2 is PROXY_MOST, filled with one TLV. */
static void
test_longest(void **state)
{
	static const char start[] = SIGNATURE "\x21\x11\2\x08" ADDRS4 "\xe0\1\xf9";
	struct proxy_header header;
	char bytes[PROXY_MOST] = {0};

	(void)state;
	memcpy(bytes, start, sizeof(start) - 1);
	assert_int_equal(parse(bytes, PROXY_MOST - 1, &header), PROXY_MORE);
	assert_int_equal(parse(bytes, PROXY_MOST, &header), PROXY_DONE);
	assert_int_equal(header.length, PROXY_MOST);
	bytes[14] = 2;
	bytes[15] = 9;
	assert_int_equal(parse(bytes, PROXY_MOST, &header), PROXY_REFUSE);
}

/* A checksum holds for each of its header's bits. */
static void
test_every_bit_is_summed(void **state)
{
	const struct text *text = &right[15].text;
	struct proxy_header header;
	char bytes[64];

	(void)state;
	assert_int_equal(text->bytes[28], 3);
	memcpy(bytes, text->bytes, text->n);
	for (size_t bit = 0; bit < 12 * 8; bit++) {
		bytes[16 + bit / 8] = (char)(bytes[16 + bit / 8] ^ 1 << bit % 8);
		assert_int_equal(parse(bytes, text->n, &header), PROXY_REFUSE);
		bytes[16 + bit / 8] = (char)(bytes[16 + bit / 8] ^ 1 << bit % 8);
	}
	assert_int_equal(parse(bytes, text->n, &header), PROXY_DONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),   cmocka_unit_test(test_what_is_behind),
		cmocka_unit_test(test_wrong),   cmocka_unit_test(test_refused_at_once),
		cmocka_unit_test(test_longest), cmocka_unit_test(test_every_bit_is_summed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
