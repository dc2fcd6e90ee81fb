/* SPDX-License-Identifier: ISC */
#include "worker/token.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "worker/accept.h"
#include "worker/base64.h"
#include "worker/target.h"

static const char AUTH[] = "auth.";
static const char BEARER[] = "Bearer";

static bool
is_auth(const char *buffer, const struct http_span *item)
{
	return item->length >= strlen(AUTH) && !memcmp(buffer + item->at, AUTH, strlen(AUTH));
}

static bool
is_text(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f)
			return false;
	return true;
}

static enum token_result
from_protocol(const struct http_head *head, const char *buffer, char *out, size_t *length)
{
	struct http_cursor cursor = {0};
	struct http_span item;
	struct http_span found = {0};

	while (http_next(head, buffer, HTTP_PROTOCOL, &cursor, &item)) {
		if (!is_auth(buffer, &item))
			continue;
		if (found.length)
			return TOKEN_MALFORMED;
		found = item;
	}
	if (found.length <= strlen(AUTH))
		return TOKEN_ABSENT;
	if (!base64url_decode(buffer + found.at + strlen(AUTH), found.length - strlen(AUTH),
			      (uint8_t *)out, IPC_TOKEN - 1, length) ||
	    !is_text(out, *length))
		return TOKEN_MALFORMED;
	return TOKEN_FOUND;
}

static enum token_result
from_query(const struct http_head *head, const char *buffer, char *out, size_t *length)
{
	enum target_parameter found = target_query(buffer + head->query.at, head->query.length,
						   "token", out, IPC_TOKEN, length);

	if (found == TARGET_FOUND)
		return *length ? TOKEN_FOUND : TOKEN_ABSENT;
	return found == TARGET_ABSENT ? TOKEN_ABSENT : TOKEN_MALFORMED;
}

/* b64token of RFC 6750, 2.1 */
static bool
is_bearer_token(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length && text[i] != '=' && text[i] != ',' &&
	       (http_is_token(text + i, 1) || text[i] == '/'))
		i++;
	if (!i)
		return false;
	while (i < length && text[i] == '=')
		i++;
	return i == length;
}

static enum token_result
from_authorization(const struct http_head *head, const char *buffer, char *out, size_t *length)
{
	const struct http_span *value = http_find(head, HTTP_AUTHORIZATION);
	const char *text = value ? buffer + value->at : NULL;
	size_t left = value ? value->length : 0;

	if (!text || left <= strlen(BEARER) || strncasecmp(text, BEARER, strlen(BEARER)) != 0 ||
	    text[strlen(BEARER)] != ' ')
		return TOKEN_ABSENT;
	for (text += strlen(BEARER), left -= strlen(BEARER); left && *text == ' '; left--)
		text++;
	if (left >= IPC_TOKEN || !is_bearer_token(text, left))
		return TOKEN_MALFORMED;
	memcpy(out, text, left);
	*length = left;
	return TOKEN_FOUND;
}

enum token_result
token_find(const struct http_head *head, const char *buffer, enum dialect dialect,
	   char token[IPC_TOKEN])
{
	typedef enum token_result source(const struct http_head *, const char *, char *, size_t *);
	static source *const page_first[] = {from_protocol, from_query, from_authorization};
	static source *const query_first[] = {from_query, from_authorization, from_protocol};
	source *const *order = dialect == DIALECT_NETPROXY ? query_first : page_first;
	enum token_result result = TOKEN_ABSENT;
	char found[IPC_TOKEN];
	size_t length = 0;

	for (size_t i = 0; i < 3 && result == TOKEN_ABSENT; i++)
		result = order[i](head, buffer, found, &length);
	if (result == TOKEN_FOUND) {
		memset(token, 0, IPC_TOKEN);
		memcpy(token, found, length);
	}
	explicit_bzero(found, sizeof(found));
	return result;
}

/* How much a subprotocol is liked; 0 is not at all. */
static int
rank(bool any, const char *text, size_t length)
{
	if (any)
		return 1;
	if (length == 6 && !memcmp(text, "binary", 6))
		return 2;
	return length == 8 && !memcmp(text, "sockward", 8);
}

bool
token_protocol(const struct http_head *head, const char *buffer, bool any, struct http_span *out)
{
	struct http_cursor cursor = {0};
	struct http_span item;
	int best = 0;

	while (http_next(head, buffer, HTTP_PROTOCOL, &cursor, &item)) {
		int likes = rank(any, buffer + item.at, item.length);

		if (is_auth(buffer, &item) || item.length > ACCEPT_PROTOCOL_MOST || likes <= best)
			continue;
		best = likes;
		*out = item;
	}
	return best > 0;
}
