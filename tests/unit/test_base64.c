/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/base64.h"

typedef bool decoder(const char *, size_t, uint8_t *, size_t, size_t *);

static void
decodes(decoder *decode, const char *text, const char *wanted)
{
	uint8_t out[64];
	size_t length = 99;

	assert_true(decode(text, strlen(text), out, sizeof(out), &length));
	assert_int_equal(length, strlen(wanted));
	assert_memory_equal(out, wanted, length);
}

static void
refuses(decoder *decode, const char *text, size_t length)
{
	uint8_t out[64];
	size_t written = 99;

	assert_false(decode(text, length, out, sizeof(out), &written));
	assert_int_equal(written, 99);
}

#define REFUSES(decode, text) refuses(decode, text, sizeof(text) - 1)

/* RFC 4648, 10 */
static void
rfc_vectors(void **state)
{
	static const char *const pairs[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const char *plain = pairs[i][0];
		char text[16];
		size_t n = base64_encode((const uint8_t *)plain, strlen(plain), text);

		assert_int_equal(n, BASE64_ENCODED(strlen(plain)));
		assert_int_equal(n, strlen(pairs[i][1]));
		assert_memory_equal(text, pairs[i][1], n);
		decodes(base64_decode, pairs[i][1], plain);
		decodes(base64url_decode, "Zm9vYmE", "fooba");
	}
}

/* Case 46 */
static void
only_the_strict_form(void **state)
{
	(void)state;
	REFUSES(base64_decode, "Zm8");
	REFUSES(base64_decode, "Zm8==");
	REFUSES(base64_decode, "Zm9v====");
	REFUSES(base64_decode, "Zg=");
	REFUSES(base64_decode, "Zg");
	REFUSES(base64_decode, "Z");
	REFUSES(base64_decode, "Z===");
	REFUSES(base64_decode, "====");
	REFUSES(base64_decode, "=");
	REFUSES(base64_decode, "Zm 9v");
	REFUSES(base64_decode, "Zm9v\n");
	REFUSES(base64_decode, "Zm9v\r\n\r\n");
	REFUSES(base64_decode, " Zm9");
	REFUSES(base64_decode, "Zg==Zg==");
	REFUSES(base64_decode, "Z=m9");
	REFUSES(base64_decode, "Zm=v");
	REFUSES(base64_decode, "Zm9=");
	REFUSES(base64_decode, "Zh==");
	REFUSES(base64_decode, "Zv==");
	REFUSES(base64_decode, "Zm9v-_-_");
	REFUSES(base64_decode, "Zm\0v");
	REFUSES(base64_decode, "Zm\xc3\xa9");
	REFUSES(base64url_decode, "Zg==");
	REFUSES(base64url_decode, "Zm8=");
	REFUSES(base64url_decode, "Zm9v+/+/");
	REFUSES(base64url_decode, "Zh");
	REFUSES(base64url_decode, "Z");
	REFUSES(base64url_decode, "Zm9vZ");
}

/* Of all 64 last characters before padding only those with zero spare bits are right. */
static void
spare_bits(void **state)
{
	unsigned int two = 0;
	unsigned int one = 0;

	(void)state;
	for (int c = 0; c < 256; c++) {
		char text[4] = {'A', (char)c, '=', '='};
		uint8_t out[3];
		size_t length;

		two += base64_decode(text, 4, out, sizeof(out), &length);
		text[1] = 'A';
		text[2] = (char)c;
		one += base64_decode(text, 4, out, sizeof(out), &length);
	}
	assert_int_equal(two, 4);
	/* "A" "A" "=" "=" is the other padding: right as well. */
	assert_int_equal(one, 16 + 1);
}

static void
room_is_kept(void **state)
{
	uint8_t out[4] = {0, 0, 0, 0x5a};
	size_t length = 99;

	(void)state;
	assert_false(base64_decode("Zm9v", 4, out, 2, &length));
	assert_int_equal(length, 99);
	assert_true(base64_decode("Zm9v", 4, out, 3, &length));
	assert_int_equal(length, 3);
	assert_int_equal(out[3], 0x5a);
	assert_true(base64_decode("", 0, out, 0, &length));
	assert_int_equal(length, 0);
}

/* Every length up to 300, in place too; and a large one. */
static void
there_and_back(void **state)
{
	enum {
		LARGE = 3 << 20
	};
	uint8_t *bytes = malloc(LARGE);
	char *text = malloc(BASE64_ENCODED(LARGE));
	uint32_t random = 1;

	(void)state;
	assert_non_null(bytes);
	assert_non_null(text);
	for (size_t i = 0; i < LARGE; i++) {
		random = random * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(random >> 24);
	}
	for (size_t n = 0; n <= LARGE; n = n < 300 ? n + 1 : n == 300 ? LARGE : n + 1) {
		size_t length = base64_encode(bytes, n, text);
		size_t back = 0;

		assert_int_equal(length, BASE64_ENCODED(n));
		assert_true(base64_decode(text, length, (uint8_t *)text, length, &back));
		assert_int_equal(back, n);
		assert_memory_equal(text, bytes, n);
		assert_true(n <= BASE64_DECODED(length));
	}
	free(text);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_vectors),    cmocka_unit_test(only_the_strict_form),
		cmocka_unit_test(spare_bits),     cmocka_unit_test(room_is_kept),
		cmocka_unit_test(there_and_back),
	};

	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
