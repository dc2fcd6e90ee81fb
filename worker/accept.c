/* SPDX-License-Identifier: ISC */
#include "worker/accept.h"

#include <nettle/sha1.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/base64.h"

/* clang-format off */
#define ANSWER(status, fields, length, text) \
	"HTTP/1.1 " status "\r\n" \
	fields \
	"Content-Type: text/plain\r\n" \
	"Content-Length: " length "\r\n" \
	"\r\n" \
	text
#define CLOSE "Connection: close\r\n"
/* clang-format on */

struct answer {
	unsigned int status;
	const char *text;
	size_t length;
};

#define ROW(status, text)                      \
	{                                      \
		status, text, sizeof(text) - 1 \
	}

static const struct answer REFUSALS[] = {
	ROW(400, ANSWER("400 Bad Request", CLOSE, "12", "bad request\n")),
	ROW(404, ANSWER("404 Not Found", CLOSE, "10", "not found\n")),
	ROW(405, ANSWER("405 Method Not Allowed", CLOSE "Allow: GET, OPTIONS\r\n", "19",
			"method not allowed\n")),
	/* RFC 9110, 7.8: whoever sends Upgrade names it in Connection too. */
	ROW(426, ANSWER("426 Upgrade Required",
			"Connection: close, Upgrade\r\n"
			"Upgrade: websocket\r\n"
			"Sec-WebSocket-Version: 13\r\n",
			"27", "a WebSocket is needed here\n")),
	ROW(431, ANSWER("431 Request Header Fields Too Large", CLOSE, "17", "header too large\n")),
	ROW(503, ANSWER("503 Service Unavailable", CLOSE, "12", "unavailable\n")),
};

static const char HEALTH[] = ANSWER("200 OK", CLOSE "Cache-Control: no-store\r\n", "2", "ok");

/* Content-Length must not stand in a 204 (RFC 9110, 8.6). */
static const char PREFLIGHT[] =
	"HTTP/1.1 204 No Content\r\n" CLOSE "Access-Control-Allow-Origin: *\r\n"
	"Access-Control-Allow-Methods: GET, OPTIONS\r\n"
	"Access-Control-Allow-Headers: Authorization\r\n"
	"\r\n";

void
accept_value(const char *key, char out[ACCEPT_VALUE_LENGTH + 1])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	struct sha1_ctx sha1;
	uint8_t digest[SHA1_DIGEST_SIZE];
	uint8_t text[HTTP_KEY_LENGTH + sizeof(guid) - 1];

	memcpy(text, key, HTTP_KEY_LENGTH);
	memcpy(text + HTTP_KEY_LENGTH, guid, sizeof(guid) - 1);
	sha1_init(&sha1);
	sha1_update(&sha1, sizeof(text), text);
	sha1_digest(&sha1, sizeof(digest), digest);
	out[base64_encode(digest, sizeof(digest), out)] = '\0';
}

static char *
append(char *at, const char *text, size_t length)
{
	memcpy(at, text, length);
	return at + length;
}

size_t
accept_upgrade(const char *key, const char *protocol, size_t protocol_length, char out[ACCEPT_SIZE])
{
	static const char head[] = "HTTP/1.1 101 Switching Protocols\r\n"
				   "Upgrade: websocket\r\n"
				   "Connection: Upgrade\r\n"
				   "Sec-WebSocket-Accept: ";
	static const char name[] = "\r\nSec-WebSocket-Protocol: ";
	static const char end[] = "\r\n\r\n";
	char value[ACCEPT_VALUE_LENGTH + 1];
	char *at = out;

	_Static_assert(sizeof(head) + sizeof(name) + sizeof(end) + ACCEPT_VALUE_LENGTH +
				       ACCEPT_PROTOCOL_MOST <=
			       ACCEPT_SIZE,
		       "any 101 fits");
	if (protocol &&
	    (protocol_length > ACCEPT_PROTOCOL_MOST || !http_is_token(protocol, protocol_length)))
		abort();
	accept_value(key, value);
	at = append(at, head, sizeof(head) - 1);
	at = append(at, value, ACCEPT_VALUE_LENGTH);
	if (protocol) {
		at = append(at, name, sizeof(name) - 1);
		at = append(at, protocol, protocol_length);
	}
	at = append(at, end, sizeof(end) - 1);
	return (size_t)(at - out);
}

const char *
accept_refusal(unsigned int status, size_t *length)
{
	for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]); i++)
		if (REFUSALS[i].status == status) {
			*length = REFUSALS[i].length;
			return REFUSALS[i].text;
		}
	abort();
}

const char *
accept_health(size_t *length)
{
	*length = sizeof(HEALTH) - 1;
	return HEALTH;
}

const char *
accept_preflight(size_t *length)
{
	*length = sizeof(PREFLIGHT) - 1;
	return PREFLIGHT;
}
