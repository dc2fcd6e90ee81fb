/* SPDX-License-Identifier: ISC */
#include "helpers/auditor/writer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"

#define ESCAPE 6 /* bytes of \uXXXX */

static void __attribute__((format(printf, 2, 3)))
put(struct writer *writer, const char *format, ...)
{
	size_t room = writer->size - writer->length;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(writer->text + writer->length, room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		bug("a line of the audit file is too long");
	writer->length += (size_t)n;
}

static void
name_it(struct writer *writer, const char *name)
{
	put(writer, "%c\"%s\":", writer->length ? ',' : '{', name);
}

void
writer_start(struct writer *writer, char *text, size_t size)
{
	*writer = (struct writer){text, size, 0};
}

/* Bytes of the valid UTF-8 character (RFC 3629) at @at, or 0; its number in @code. */
static size_t
character(const uint8_t *at, size_t left, uint32_t *code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	uint32_t value = n == 1 ? at[0] : at[0] & (0xffU >> (n + 1));

	if (n == 0 || at[0] > 0xf4 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (at[i] & 0x3fU);
	}
	if (n > 1 && (value < smallest[n] || value > 0x10ffff || (value & 0xfffff800) == 0xd800))
		return 0;
	*code = value;
	return n;
}

/* Writes by hand, since snprintf() for each byte would be most of a record's cost. */
static void
put_unit(struct writer *writer, uint32_t unit)
{
	static const char digits[] = "0123456789abcdef";
	char *at = writer->text + writer->length;

	at[0] = '\\';
	at[1] = 'u';
	for (int i = 0; i < 4; i++)
		at[2 + i] = digits[unit >> (12 - 4 * i) & 15];
	writer->length += ESCAPE;
}

static void
put_code(struct writer *writer, uint32_t code)
{
	if (code == '"' || code == '\\')
		writer->text[writer->length++] = '\\';
	if (code >= ' ' && code <= '~') {
		writer->text[writer->length++] = (char)code;
	} else if (code < 0x10000) {
		put_unit(writer, code);
	} else {
		put_unit(writer, 0xd800 + ((code - 0x10000) >> 10));
		put_unit(writer, 0xdc00 + ((code - 0x10000) & 0x3ff));
	}
}

void
writer_text(struct writer *writer, const char *name, const char *value, size_t length)
{
	const uint8_t *at = (const uint8_t *)value;

	name_it(writer, name);
	put(writer, "\"");
	while (length) {
		uint32_t code = 0;
		size_t n = character(at, length, &code);

		if (writer->size - writer->length <= 2 * ESCAPE)
			bug("a text of the audit file is too long");
		if (n)
			put_code(writer, code);
		else
			put_unit(writer, 0xdc00 + *at);
		at += n ? n : 1;
		length -= n ? n : 1;
	}
	put(writer, "\"");
}

void
writer_word(struct writer *writer, const char *name, const char *value)
{
	writer_text(writer, name, value, strlen(value));
}

void
writer_number(struct writer *writer, const char *name, uint64_t value)
{
	name_it(writer, name);
	put(writer, "%" PRIu64, value);
}

void
writer_signed(struct writer *writer, const char *name, int64_t value)
{
	name_it(writer, name);
	put(writer, "%" PRId64, value);
}

void
writer_hex(struct writer *writer, const char *name, uint64_t value)
{
	name_it(writer, name);
	put(writer, "\"%016" PRIx64 "\"", value);
}

void
writer_time(struct writer *writer, const char *name, uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	char text[32];
	struct tm utc;

	if (!gmtime_r(&seconds, &utc) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc))
		bug("a time cannot be written");
	name_it(writer, name);
	put(writer, "\"%s.%09uZ\"", text, (unsigned int)(ns % 1000000000));
}
