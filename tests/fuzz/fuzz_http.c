/* SPDX-License-Identifier: ISC */
/*
 * A request head: the first byte says how it is cut. However it is cut the
 * outcome is the same, and all places lie inside the head.
 */
#include <string.h>

#include "tests/fuzz/check.h"
#include "worker/accept.h"
#include "worker/base64.h"
#include "worker/http.h"
#include "worker/token.h"

static void
inside(const struct http_head *head, const struct http_span *span)
{
	CHECK(span->at + span->length <= head->length);
}

static void
check_list(const struct http_head *head, const char *text, enum http_name name)
{
	struct http_cursor cursor = {0};
	struct http_span item;
	size_t n = 0;
	uint16_t before = 0;

	while (http_next(head, text, name, &cursor, &item)) {
		inside(head, &item);
		CHECK(item.length > 0 && item.at >= before);
		CHECK(text[item.at] != ' ' && text[item.at] != ',');
		CHECK(!memchr(text + item.at, ',', item.length));
		before = (uint16_t)(item.at + item.length);
		CHECK(n++ < HTTP_HEAD_MOST);
	}
}

static void
check_token(const struct http_head *head, const char *text, enum dialect dialect)
{
	char token[IPC_TOKEN];
	char answer[ACCEPT_SIZE];
	struct http_span span;
	const struct http_span *key = http_find(head, HTTP_KEY);
	size_t length;

	memset(token, '#', sizeof(token));
	if (token_find(head, text, dialect, token) == TOKEN_FOUND) {
		length = strnlen(token, sizeof(token));
		CHECK(length && length < sizeof(token));
		for (size_t i = 0; i < length; i++)
			CHECK((unsigned char)token[i] >= 0x20 && token[i] != 0x7f);
		for (size_t i = length; i < sizeof(token); i++)
			CHECK(!token[i]);
	} else {
		CHECK(token[0] == '#' && token[IPC_TOKEN - 1] == '#');
	}
	CHECK(key && key->length == HTTP_KEY_LENGTH);
	if (token_protocol(head, text, dialect != DIALECT_RAW, &span)) {
		inside(head, &span);
		CHECK(span.length < 5 || memcmp(text + span.at, "auth.", 5) != 0);
		length = accept_upgrade(text + key->at, text + span.at, span.length, answer);
	} else {
		length = accept_upgrade(text + key->at, NULL, 0, answer);
	}
	CHECK(length <= sizeof(answer) && !memcmp(answer + length - 4, "\r\n\r\n", 4));
	/* Nobody who chooses a subprotocol writes a line of the answer. */
	for (size_t i = 0, lines = 0; i < length; i++)
		CHECK(answer[i] != '\n' || ++lines <= 6);
}

static void
check_head(const struct http_head *head, const char *text)
{
	char lower[HTTP_HOST_MOST + 1];
	size_t hosts = 0;

	CHECK(head->length >= 4 && head->length <= HTTP_HEAD_MOST);
	CHECK(!memcmp(text + head->length - 4, "\r\n\r\n", 4));
	CHECK(!memmem(text, (size_t)head->length - 1, "\r\n\r\n", 4));
	CHECK(!memchr(text, '\0', head->length));
	CHECK(head->method == HTTP_GET || head->method == HTTP_OPTIONS);
	inside(head, &head->path);
	inside(head, &head->query);
	CHECK(head->path.length && text[head->path.at] == '/');
	CHECK(!memchr(text + head->path.at, '?', head->path.length));
	CHECK(head->known <= head->lines && head->lines <= HTTP_FIELDS_MOST);
	for (size_t i = 0; i < head->known; i++) {
		inside(head, &head->fields[i].value);
		hosts += head->fields[i].name == HTTP_HOST;
	}
	CHECK(hosts == 1);
	http_copy_lower(text, http_find(head, HTTP_HOST), lower);
	CHECK(lower[0] && !lower[HTTP_HOST_MOST]);
	check_list(head, text, HTTP_UPGRADE);
	check_list(head, text, HTTP_CONNECTION);
	check_list(head, text, HTTP_PROTOCOL);
	if (http_upgrade(head, text) == HTTP_WEBSOCKET) {
		CHECK(head->method == HTTP_GET);
		check_token(head, text, DIALECT_RAW);
		check_token(head, text, DIALECT_NETPROXY);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_head whole = {0};
	struct http_head cut = {0};
	enum http_result result;
	enum http_result cut_result = HTTP_MORE;
	const char *text = (const char *)data + 1;
	size_t step;

	if (!size)
		return 0;
	size--;
	step = 1 + data[0] % 16;
	result = http_parse(&whole, text, size);
	for (size_t n = 0; cut_result == HTTP_MORE; n = n + step < size ? n + step : size) {
		cut_result = http_parse(&cut, text, n);
		CHECK(cut.scanned <= n);
		if (n == size)
			break;
	}
	CHECK(result == cut_result);
	CHECK(!memcmp(&whole, &cut, sizeof(whole)));
	CHECK(result != HTTP_MORE || (size < HTTP_HEAD_MOST && whole.scanned == size));
	CHECK((result == HTTP_REFUSE) ==
	      (whole.status == 400 || whole.status == 405 || whole.status == 431));
	CHECK(result == HTTP_REFUSE || !whole.status);
	if (result == HTTP_DONE)
		check_head(&whole, text);
	return 0;
}
