/* SPDX-License-Identifier: ISC */
#include "worker/base64.h"

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits of a character, or -1. @c62, @c63: the alphabet's last two. */
static int
bits(char c, char c62, char c63)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == c62)
		return 62;
	return c == c63 ? 63 : -1;
}

size_t
base64_encode(const uint8_t *bytes, size_t length, char *out)
{
	char *at = out;

	for (; length >= 3; length -= 3, bytes += 3) {
		*at++ = ALPHABET[bytes[0] >> 2];
		*at++ = ALPHABET[(bytes[0] & 3) << 4 | bytes[1] >> 4];
		*at++ = ALPHABET[(bytes[1] & 15) << 2 | bytes[2] >> 6];
		*at++ = ALPHABET[bytes[2] & 63];
	}
	if (length) {
		uint8_t second = length == 2 ? bytes[1] : 0;

		*at++ = ALPHABET[bytes[0] >> 2];
		*at++ = ALPHABET[(bytes[0] & 3) << 4 | second >> 4];
		*at++ = length == 2 ? ALPHABET[(second & 15) << 2] : '=';
		*at++ = '=';
	}
	return (size_t)(at - out);
}

/* @length characters without padding. */
static bool
decode(const char *text, size_t length, const char last[2], uint8_t *out, size_t room,
       size_t *out_length)
{
	const size_t size = length / 4 * 3 + (length % 4 ? length % 4 - 1 : 0);
	uint32_t word = 0;
	unsigned int have = 0;

	if (length % 4 == 1 || size > room)
		return false;
	for (size_t i = 0; i < length; i++) {
		int six = bits(text[i], last[0], last[1]);

		if (six < 0)
			return false;
		word = word << 6 | (uint32_t)six;
		have += 6;
		if (have >= 8) {
			have -= 8;
			*out++ = (uint8_t)(word >> have);
			word &= (1U << have) - 1;
		}
	}
	if (word)
		return false;
	*out_length = size;
	return true;
}

bool
base64_decode(const char *text, size_t length, uint8_t *out, size_t room, size_t *out_length)
{
	if (length % 4)
		return false;
	if (length && text[length - 1] == '=')
		length -= text[length - 2] == '=' ? 2 : 1;
	return decode(text, length, "+/", out, room, out_length);
}

bool
base64url_decode(const char *text, size_t length, uint8_t *out, size_t room, size_t *out_length)
{
	return decode(text, length, "-_", out, room, out_length);
}
