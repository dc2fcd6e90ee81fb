/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "worker/base64.h"
#include "worker/json.h"
#include "worker/utf8.h"

/* Room for @length more bytes, or NULL from the first time that they do not fit. */
static char *
grow(struct json_writer *writer, size_t length)
{
	char *at = writer->text + writer->length;

	if (writer->full || length > writer->size - writer->length) {
		writer->full = true;
		return NULL;
	}
	writer->length += length;
	return at;
}

static void
put(struct json_writer *writer, const char *text, size_t length)
{
	char *at = grow(writer, length);

	if (at)
		memcpy(at, text, length);
}

static void
put_name(struct json_writer *writer, const char *name)
{
	if (!writer->full && writer->length > 1)
		put(writer, ",", 1);
	put(writer, "\"", 1);
	put(writer, name, strlen(name));
	put(writer, "\":", 2);
}

/* Bytes of the character at @at, or 0 when it is none. */
static size_t
character(const char *at, size_t left)
{
	struct utf8 state = {0};

	for (size_t i = 0; i < left && utf8_feed(&state, at + i, 1); i++)
		if (utf8_ended(&state))
			return i + 1;
	return 0;
}

static void
put_escape(struct json_writer *writer, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	const char escape[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

	put(writer, escape, sizeof(escape));
}

void
json_begin(struct json_writer *writer, char *buffer, size_t size)
{
	*writer = (struct json_writer){.text = buffer, .size = size};
	put(writer, "{", 1);
}

void
json_put_string(struct json_writer *writer, const char *name, const char *text, size_t length)
{
	size_t width;

	put_name(writer, name);
	put(writer, "\"", 1);
	for (size_t i = 0; i < length && !writer->full; i += width ? width : 1) {
		width = character(text + i, length - i);
		if (!width) {
			put(writer, "\xef\xbf\xbd", 3);
		} else if ((unsigned char)text[i] < 0x20) {
			put_escape(writer, (unsigned char)text[i]);
		} else {
			if (text[i] == '"' || text[i] == '\\')
				put(writer, "\\", 1);
			put(writer, text + i, width);
		}
	}
	put(writer, "\"", 1);
}

void
json_put_unsigned(struct json_writer *writer, const char *name, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put_name(writer, name);
	put(writer, digits + at, sizeof(digits) - at);
}

void
json_put_base64(struct json_writer *writer, const char *name, const uint8_t *bytes, size_t length)
{
	char *at;

	put_name(writer, name);
	put(writer, "\"", 1);
	at = grow(writer, BASE64_ENCODED(length));
	if (at)
		(void)base64_encode(bytes, length, at);
	put(writer, "\"", 1);
}

size_t
json_end(struct json_writer *writer)
{
	put(writer, "}", 1);
	return writer->full ? 0 : writer->length;
}
