/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <strings.h>

#include "worker/base64.h"
#include "worker/http.h"

const struct http_span *
http_find(const struct http_head *head, enum http_name name)
{
	for (size_t i = 0; i < head->known; i++)
		if (head->fields[i].name == name)
			return &head->fields[i].value;
	return NULL;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The element of @value from @cursor->offset on; moves behind its comma. */
static bool
next_in_line(const char *buffer, const struct http_span *value, struct http_cursor *cursor,
	     struct http_span *item)
{
	const char *text = buffer + value->at;

	while (cursor->offset < value->length) {
		const char *from = text + cursor->offset;
		const char *comma = memchr(from, ',', (size_t)(value->length - cursor->offset));
		const char *to = comma ? comma : text + value->length;

		cursor->offset = (uint16_t)(to - text + (comma ? 1 : 0));
		while (from < to && is_blank(*from))
			from++;
		while (from < to && is_blank(to[-1]))
			to--;
		if (from < to) {
			*item = (struct http_span){(uint16_t)(from - buffer),
						   (uint16_t)(to - from)};
			return true;
		}
	}
	return false;
}

bool
http_next(const struct http_head *head, const char *buffer, enum http_name name,
	  struct http_cursor *cursor, struct http_span *item)
{
	for (; cursor->field < head->known; cursor->field++, cursor->offset = 0)
		if (head->fields[cursor->field].name == name &&
		    next_in_line(buffer, &head->fields[cursor->field].value, cursor, item))
			return true;
	return false;
}

/* Upgrade has name or name/version, Connection has tokens. */
static bool
element_ok(enum http_name name, const char *text, size_t length)
{
	const char *slash = name == HTTP_UPGRADE ? memchr(text, '/', length) : NULL;

	if (!slash)
		return http_is_token(text, length);
	return http_is_token(text, (size_t)(slash - text)) &&
	       http_is_token(slash + 1, length - (size_t)(slash - text) - 1);
}

static bool
list_has(const struct http_head *head, const char *buffer, enum http_name name, const char *wanted)
{
	struct http_cursor cursor = {0};
	struct http_span item;
	bool found = false;

	while (http_next(head, buffer, name, &cursor, &item)) {
		const char *text = buffer + item.at;

		if (!element_ok(name, text, item.length))
			return false;
		if (strlen(wanted) == item.length && !strncasecmp(text, wanted, item.length))
			found = true;
	}
	return found;
}

static bool
version_ok(const struct http_head *head, const char *buffer)
{
	const struct http_span *value = http_find(head, HTTP_VERSION);
	size_t lines = 0;

	for (size_t i = 0; i < head->known; i++)
		lines += head->fields[i].name == HTTP_VERSION;
	return lines == 1 && value && value->length == 2 && !memcmp(buffer + value->at, "13", 2);
}

static bool
key_ok(const struct http_head *head, const char *buffer)
{
	const struct http_span *value = http_find(head, HTTP_KEY);
	uint8_t bytes[16];
	size_t length;

	return value && value->length == HTTP_KEY_LENGTH &&
	       base64_decode(buffer + value->at, value->length, bytes, sizeof(bytes), &length) &&
	       length == sizeof(bytes);
}

static bool
protocols_ok(const struct http_head *head, const char *buffer)
{
	struct http_span items[HTTP_PROTOCOLS_MOST];
	struct http_cursor cursor = {0};
	struct http_span item;
	size_t n = 0;

	for (; http_next(head, buffer, HTTP_PROTOCOL, &cursor, &item); n++) {
		const char *text = buffer + item.at;

		if (n == HTTP_PROTOCOLS_MOST || !http_is_token(text, item.length))
			return false;
		for (size_t i = 0; i < n; i++)
			if (items[i].length == item.length &&
			    !memcmp(buffer + items[i].at, text, item.length))
				return false;
		items[n] = item;
	}
	return n || !http_find(head, HTTP_PROTOCOL);
}

enum http_kind
http_upgrade(const struct http_head *head, const char *buffer)
{
	bool wanted = list_has(head, buffer, HTTP_CONNECTION, "upgrade");

	if (!wanted && !http_find(head, HTTP_UPGRADE) && !http_find(head, HTTP_KEY) &&
	    !http_find(head, HTTP_VERSION))
		return HTTP_PLAIN;
	if (head->method != HTTP_GET || !wanted ||
	    !list_has(head, buffer, HTTP_UPGRADE, "websocket"))
		return HTTP_BAD_UPGRADE;
	if (!version_ok(head, buffer))
		return HTTP_OTHER_VERSION;
	return key_ok(head, buffer) && protocols_ok(head, buffer) ? HTTP_WEBSOCKET
								  : HTTP_BAD_UPGRADE;
}

void
http_copy_lower(const char *buffer, const struct http_span *value, char out[HTTP_HOST_MOST + 1])
{
	memset(out, 0, HTTP_HOST_MOST + 1);
	for (size_t i = 0; value && i < value->length && i < HTTP_HOST_MOST; i++) {
		char c = buffer[value->at + i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
}
