/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/utf8.h"

/* Bytes of a code point, by the table of RFC 3629, 3; also where it is none. */
static size_t
encode(uint32_t c, uint8_t out[4])
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 63));
		out[2] = (uint8_t)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 63));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 63));
	out[3] = (uint8_t)(0x80 | (c & 63));
	return 4;
}

static void
all_code_points(void **state)
{
	uint8_t bytes[4];

	(void)state;
	for (uint32_t c = 0; c < 0x1fffff; c++) {
		size_t n = encode(c, bytes);
		bool right = c < 0xd800 || (c > 0xdfff && c <= 0x10ffff);

		if (utf8_valid(bytes, n) != right)
			fail_msg("U+%04X", c);
		if (n > 1 && utf8_valid(bytes, n - 1))
			fail_msg("U+%04X cut short", c);
	}
}

/* Every sequence of up to three bytes: as many are right as there are characters. */
static void
all_short_sequences(void **state)
{
	unsigned int two = 0;
	unsigned int three = 0;

	(void)state;
	for (uint32_t i = 0; i < 1U << 24; i++) {
		const uint8_t bytes[3] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

		if (bytes[0] >= 0xc0)
			three += utf8_valid(bytes, 3) && !utf8_valid(bytes, 2);
		if (i < 1U << 16)
			two += bytes[1] >= 0xc0 && utf8_valid(bytes + 1, 2);
	}
	assert_int_equal(two, 0x800 - 0x80);
	assert_int_equal(three, 0x10000 - 0x800 - 0x800);
}

/* Case 31 */
static void
wrong_at_the_first_wrong_byte(void **state)
{
	static const char *const texts[] = {
		"\x80",     "\xc0",      "\xc1",     "\xf5",          "\xff",          "\xfe",
		"\xe0\x80", "\xe0\x9f",  "\xed\xa0", "\xf0\x80",      "\xf0\x8f",      "\xf4\x90",
		"\xc3(",    "\xe2\x82(", "\xe2(",    "\xf0\x9f\x98(", "a\xc3\xa9\x80", "\xed\xbf",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t n = strlen(texts[i]);
		struct utf8 utf8 = {0};

		assert_true(utf8_feed(&utf8, texts[i], n - 1));
		assert_false(utf8_feed(&utf8, texts[i] + n - 1, 1));
		assert_false(utf8_feed(&utf8, "a", 1));
		assert_false(utf8_feed(&utf8, "", 0));
		assert_false(utf8_ended(&utf8));
	}
}

static void
cut_anywhere(void **state)
{
	static const char text[] =
		"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xf4\x8f\xbf\xbf";
	const size_t size = sizeof(text) - 1;

	(void)state;
	for (size_t first = 0; first <= size; first++)
		for (size_t second = first; second <= size; second++) {
			struct utf8 utf8 = {0};

			assert_true(utf8_feed(&utf8, text, first));
			assert_true(utf8_feed(&utf8, text + first, second - first));
			assert_true(utf8_feed(&utf8, text + second, size - second));
			assert_true(utf8_ended(&utf8));
			assert_int_equal(utf8_valid(text, first),
					 !first || first == size || (text[first] & 0xc0) != 0x80);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_code_points),
		cmocka_unit_test(all_short_sequences),
		cmocka_unit_test(wrong_at_the_first_wrong_byte),
		cmocka_unit_test(cut_anywhere),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
