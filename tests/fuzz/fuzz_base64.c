/* SPDX-License-Identifier: ISC */
/* Text that decodes is the only spelling of its bytes; bytes come back as they were. */
#include <stdbool.h>
#include <string.h>

#include "tests/fuzz/check.h"
#include "worker/base64.h"

#define MOST 4096

/* Standard, padded text to the URL's alphabet without padding. */
static size_t
to_url(char *text, size_t length)
{
	while (length && text[length - 1] == '=')
		length--;
	for (size_t i = 0; i < length; i++)
		if (text[i] == '+')
			text[i] = '-';
		else if (text[i] == '/')
			text[i] = '_';
	return length;
}

static void
check_text(const char *text, size_t length, bool url)
{
	static uint8_t bytes[BASE64_DECODED(MOST)];
	static uint8_t place[MOST];
	static char again[BASE64_ENCODED(BASE64_DECODED(MOST))];
	size_t n = SIZE_MAX;
	size_t m = SIZE_MAX;
	size_t back;
	bool (*decode)(const char *, size_t, uint8_t *, size_t, size_t *) =
		url ? base64url_decode : base64_decode;
	bool ok = decode(text, length, bytes, sizeof(bytes), &n);

	memcpy(place, text, length);
	CHECK(ok == decode((char *)place, length, place, length, &m) && n == m);
	if (!ok) {
		CHECK(n == SIZE_MAX);
		return;
	}
	CHECK(!memcmp(place, bytes, n) && n <= BASE64_DECODED(length));
	CHECK(!n || !decode(text, length, place, n - 1, &m));
	CHECK(decode(text, length, place, n, &m));
	back = base64_encode(bytes, n, again);
	if (url)
		back = to_url(again, back);
	CHECK(back == length && !memcmp(again, text, length));
}

static void
check_bytes(const uint8_t *data, size_t size)
{
	static char text[BASE64_ENCODED(MOST)];
	static uint8_t back[MOST];
	size_t n;
	size_t length = base64_encode(data, size, text);

	CHECK(length == BASE64_ENCODED(size));
	CHECK(base64_decode(text, length, back, size, &n) && n == size);
	CHECK(!size || !memcmp(back, data, size));
	length = to_url(text, length);
	CHECK(base64url_decode(text, length, back, size, &n) && n == size);
	CHECK(!size || !memcmp(back, data, size));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > MOST)
		return 0;
	check_text((const char *)data, size, false);
	check_text((const char *)data, size, true);
	check_bytes(data, size);
	return 0;
}
