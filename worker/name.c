/* SPDX-License-Identifier: ISC */
#include "worker/name.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>

#include "worker/utf8.h"

#define NAME_MOST  253
#define LABEL_MOST 63
#define TEXT_MOST  1023   /* UTF-8: no name of NAME_MOST bytes is longer than this before */
#define CUT        " ..." /* in the place of what is not there; no name holds a blank */

/* Text under work, with a NUL behind it. */
struct draft {
	char text[TEXT_MOST + 1];
	size_t length;
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A character of an ASCII name; upper case is gone already where it matters. */
static bool
is_name_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
	       c == '_' || c == '.';
}

static bool
label_ok(const char *label, size_t length)
{
	return length && length <= LABEL_MOST && label[0] != '-' && label[length - 1] != '-';
}

/* inet_aton(3) and its like would read such a name as a number. */
static bool
last_label_is_number(const char *label)
{
	return strspn(label, "0123456789") == strlen(label) || !strncmp(label, "0x", 2);
}

/* Lower-case ASCII in canonical form? */
static bool
name_ok(const char *name, size_t length)
{
	const char *label = name;
	const char *dot;

	if (!length || length > NAME_MOST)
		return false;
	for (; (dot = strchr(label, '.')); label = dot + 1)
		if (!label_ok(label, (size_t)(dot - label)))
			return false;
	return label_ok(label, strlen(label)) && !last_label_is_number(label);
}

static bool
lower_ascii(struct draft *draft)
{
	for (size_t i = 0; i < draft->length; i++) {
		char c = draft->text[i];

		if (!is_name_char(c))
			return false;
		if (c >= 'A' && c <= 'Z')
			draft->text[i] = (char)(c - 'A' + 'a');
	}
	return true;
}

/*
 * libidn2 2.3.3 drops, in silence, the characters that the STD3 rules forbid,
 * and so makes another name. With and without them the answer must be the same.
 */
static bool
to_a_labels(struct draft *draft)
{
	char *strict = NULL;
	char *loose = NULL;
	bool same = false;

	if (idn2_to_ascii_8z(draft->text, &strict,
			     IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES) != IDN2_OK)
		return false;
	if (idn2_to_ascii_8z(draft->text, &loose, IDN2_NONTRANSITIONAL) != IDN2_OK)
		goto out;
	same = !strcmp(strict, loose) && strlen(strict) <= TEXT_MOST;
	if (same) {
		draft->length = strlen(strict);
		memcpy(draft->text, strict, draft->length + 1);
	}
	idn2_free(loose);
out:
	idn2_free(strict);
	return same;
}

static bool
read_name(struct draft *draft)
{
	bool ascii = true;

	for (size_t i = 0; i < draft->length; i++) {
		if ((unsigned char)draft->text[i] >= 0x80)
			ascii = false;
		else if (!is_name_char(draft->text[i]))
			return false;
	}
	if (!ascii && (!utf8_valid(draft->text, draft->length) || !to_a_labels(draft)))
		return false;
	if (!lower_ascii(draft))
		return false;
	if (draft->length && draft->text[draft->length - 1] == '.')
		draft->text[--draft->length] = '\0';
	return name_ok(draft->text, draft->length);
}

static bool
read_number(struct draft *draft)
{
	unsigned char address[sizeof(struct in6_addr)];
	int family = AF_INET;

	if (memchr(draft->text, ':', draft->length)) {
		family = AF_INET6;
		if (draft->text[0] == '[' && draft->text[draft->length - 1] == ']') {
			draft->length -= 2;
			memmove(draft->text, draft->text + 1, draft->length);
			draft->text[draft->length] = '\0';
		}
	}
	if (inet_pton(family, draft->text, address) != 1 ||
	    !inet_ntop(family, address, draft->text, sizeof(draft->text)))
		return false;
	draft->length = strlen(draft->text);
	return true;
}

bool
name_canonical(const char *text, size_t length, char out[IPC_HOST])
{
	struct draft draft = {.length = length};

	if (!length || length > TEXT_MOST || memchr(text, '\0', length))
		return false;
	memcpy(draft.text, text, length);
	if (!read_number(&draft) && !read_name(&draft))
		return false;
	memset(out, 0, IPC_HOST);
	memcpy(out, draft.text, draft.length);
	return true;
}

/* Where to cut a text that is too long: not within a character of UTF-8. */
static size_t
cut_at(const char *text)
{
	size_t n = IPC_HOST - sizeof(CUT);

	for (int i = 0; i < 3 && ((unsigned char)text[n] & 0xc0) == 0x80; i++)
		n--;
	return n;
}

void
name_for_record(const char *text, size_t length, char out[IPC_HOST])
{
	bool cut = length >= IPC_HOST;
	size_t n = cut ? cut_at(text) : length;

	memset(out, 0, IPC_HOST);
	for (size_t i = 0; i < n; i++)
		out[i] = text[i] ? text[i] : '?';
	if (cut || !n)
		memcpy(out + n, CUT, strlen(CUT));
}
