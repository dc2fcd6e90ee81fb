/* SPDX-License-Identifier: ISC */
#include "worker/http.h"

#include <string.h>
#include <strings.h>

#define FORBIDDEN 0xff

struct known_name {
	const char *text;
	uint8_t name;
	bool once;
};

static const struct known_name KNOWN[] = {
	{"Host", HTTP_HOST, true},
	{"Origin", HTTP_ORIGIN, true},
	{"Upgrade", HTTP_UPGRADE, false},
	{"Connection", HTTP_CONNECTION, false},
	{"Sec-WebSocket-Key", HTTP_KEY, true},
	{"Sec-WebSocket-Version", HTTP_VERSION, false},
	{"Sec-WebSocket-Protocol", HTTP_PROTOCOL, false},
	{"Authorization", HTTP_AUTHORIZATION, true},
	{"Content-Length", FORBIDDEN, false},
	{"Transfer-Encoding", FORBIDDEN, false},
	{"Expect", FORBIDDEN, false},
};

static void
refuse(struct http_head *head, uint16_t status)
{
	head->result = HTTP_REFUSE;
	head->status = status;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* strchr() that does not find the NUL at the end. */
static bool
is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

bool
http_is_token(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_alnum(text[i]) && !is_one_of(text[i], "!#$%&'*+-.^_`|~"))
			return false;
	return length > 0;
}

/* RFC 3986 path and query, and the brackets that browsers leave as they are. */
static bool
target_ok(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_alnum(text[i]) && !is_one_of(text[i], "-._~!$&'()*+,;=:@%/?[]"))
			return false;
	return length > 0 && text[0] == '/';
}

static struct http_span
span(size_t at, size_t length)
{
	return (struct http_span){(uint16_t)at, (uint16_t)length};
}

static void
split_target(struct http_head *head, const char *buffer, size_t at, size_t length)
{
	const char *mark = memchr(buffer + at, '?', length);
	size_t path = mark ? (size_t)(mark - buffer) - at : length;

	head->path = span(at, path);
	head->has_query = mark;
	if (mark)
		head->query = span(at + path + 1, length - path - 1);
}

static uint8_t
method_of(const char *text, size_t length)
{
	if (length == 3 && !memcmp(text, "GET", 3))
		return HTTP_GET;
	if (length == 7 && !memcmp(text, "OPTIONS", 7))
		return HTTP_OPTIONS;
	return 0;
}

static void
request_line(struct http_head *head, const char *buffer, size_t at, size_t length)
{
	static const char version[] = " HTTP/1.1";
	const size_t tail = sizeof(version) - 1;
	const char *line = buffer + at;
	const char *blank = memchr(line, ' ', length);
	size_t method = blank ? (size_t)(blank - line) : 0;

	if (!http_is_token(line, method) || length < method + 1 + tail ||
	    memcmp(line + length - tail, version, tail) != 0 ||
	    !target_ok(blank + 1, length - method - 1 - tail)) {
		refuse(head, 400);
		return;
	}
	head->method = method_of(line, method);
	if (!head->method) {
		refuse(head, 405);
		return;
	}
	split_target(head, buffer, at + method + 1, length - method - 1 - tail);
}

/* host[:port], the host a name, a number or an address in brackets. */
static bool
host_ok(const char *text, size_t length)
{
	size_t i = 0;
	size_t digits;

	if (length > HTTP_HOST_MOST)
		return false;
	if (length && text[0] == '[') {
		for (i = 1; i < length && (is_alnum(text[i]) || is_one_of(text[i], ".:"));)
			i++;
		if (i < 3 || i == length || text[i++] != ']')
			return false;
	} else {
		while (i < length && (is_alnum(text[i]) || is_one_of(text[i], "-._")))
			i++;
	}
	if (!i || i == length)
		return i;
	if (text[i++] != ':')
		return false;
	for (digits = 0; i < length && is_digit(text[i]); i++)
		digits++;
	return i == length && digits >= 1 && digits <= 5;
}

static bool
origin_ok(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (is_one_of(text[i], " \t,"))
			return false;
	return length <= HTTP_HOST_MOST;
}

static bool
value_ok(uint8_t name, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] > 0x7e)
			return false;
	if (name == HTTP_HOST)
		return host_ok(text, length);
	return name != HTTP_ORIGIN || origin_ok(text, length);
}

static const struct known_name *
known_name(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
		if (strlen(KNOWN[i].text) == length && !strncasecmp(KNOWN[i].text, text, length))
			return &KNOWN[i];
	return NULL;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
header_line(struct http_head *head, const char *buffer, size_t at, size_t length)
{
	const char *colon = memchr(buffer + at, ':', length);
	size_t name = colon ? (size_t)(colon - buffer) - at : 0;
	size_t from = at + name + 1;
	size_t to = at + length;
	const struct known_name *known;

	if (head->lines == HTTP_FIELDS_MOST) {
		refuse(head, 431);
		return;
	}
	head->lines++;
	if (!http_is_token(buffer + at, name)) {
		refuse(head, 400);
		return;
	}
	known = known_name(buffer + at, name);
	if (!known)
		return;
	while (from < to && is_blank(buffer[from]))
		from++;
	while (from < to && is_blank(buffer[to - 1]))
		to--;
	if (known->name == FORBIDDEN || !value_ok(known->name, buffer + from, to - from) ||
	    (known->once && http_find(head, known->name))) {
		refuse(head, 400);
		return;
	}
	head->fields[head->known].name = known->name;
	head->fields[head->known++].value = span(from, to - from);
}

/* The line from head->line to head->scanned, with its CR LF. */
static void
take_line(struct http_head *head, const char *buffer)
{
	size_t at = head->line;
	size_t length = (size_t)head->scanned - at;

	if (length < 2 || buffer[at + length - 2] != '\r') {
		refuse(head, 400);
		return;
	}
	length -= 2;
	head->line = head->scanned;
	if (!head->method) {
		request_line(head, buffer, at, length);
	} else if (length) {
		header_line(head, buffer, at, length);
	} else if (!http_find(head, HTTP_HOST)) {
		refuse(head, 400);
	} else {
		head->result = HTTP_DONE;
		head->length = head->scanned;
	}
}

static bool
byte_ok(const char *buffer, size_t line, size_t at)
{
	unsigned char c = (unsigned char)buffer[at];

	if (at > line && buffer[at - 1] == '\r')
		return false;
	return (c >= 0x20 && c != 0x7f) || c == '\t' || c == '\r';
}

enum http_result
http_parse(struct http_head *head, const char *buffer, size_t length)
{
	size_t end = length < HTTP_HEAD_MOST ? length : HTTP_HEAD_MOST;

	while (head->result == HTTP_MORE && head->scanned < end) {
		size_t at = head->scanned++;

		if (buffer[at] == '\n')
			take_line(head, buffer);
		else if (!byte_ok(buffer, head->line, at))
			refuse(head, 400);
	}
	if (head->result == HTTP_MORE && head->scanned == HTTP_HEAD_MOST)
		refuse(head, 431);
	return head->result;
}
