/* SPDX-License-Identifier: ISC */
#include "worker/closing.h"

#include <string.h>

#include "ipc/words.h"

unsigned int
closing_code(uint32_t reason)
{
	switch (reason) {
	case REASON_NONE:
	case REASON_CLIENT_CLOSED:
	case REASON_PEER_CLOSED:
		return CLOSE_NORMAL;
	case REASON_DRAINING:
	case REASON_KILLED:
	case REASON_POLICY_CHANGED:
		return CLOSE_AWAY;
	case REASON_TOKEN_MISSING:
	case REASON_TOKEN_WRONG:
	case REASON_TOKEN_EXPIRED:
		return CLOSE_TOKEN;
	case REASON_HOST:
	case REASON_ORIGIN:
	case REASON_DIALECT:
	case REASON_RULE_DENIES:
	case REASON_NO_RULE:
	case REASON_SPECIAL_ADDRESS:
	case REASON_OWN_ADDRESS:
	case REASON_PORT_CLOSED:
	case REASON_NAME_INVALID:
		return CLOSE_FORBIDDEN;
	case REASON_NAME_UNKNOWN:
	case REASON_NAME_FAILED:
	case REASON_UNREACHABLE:
	case REASON_PEER_REFUSED:
	case REASON_CONNECT_FAILED:
	case REASON_PEER_MISMATCH:
	case REASON_UNAVAILABLE:
	case REASON_TLS_FAILED:
	case REASON_TLS_EXPIRED:
	case REASON_TLS_NOT_YET:
	case REASON_TLS_HOST:
	case REASON_TLS_ISSUER:
	case REASON_TLS_REVOKED:
	case REASON_TLS_CERTIFICATE:
	case REASON_TLS_TRUNCATED:
		return CLOSE_UNREACHABLE;
	case REASON_TIMEOUT:
	case REASON_TLS_TIMEOUT:
	case REASON_IDLE:
	case REASON_LIFETIME:
	case REASON_HANDSHAKE_TIMEOUT:
		return CLOSE_TIME;
	case REASON_SESSIONS_LIMIT:
	case REASON_SOURCE_LIMIT:
	case REASON_CHANNELS_LIMIT:
	case REASON_CONNECTS_LIMIT:
	case REASON_BYTES_LIMIT:
	case REASON_REPLY_RATIO:
		return CLOSE_LIMIT;
	case REASON_PROTOCOL:
		return CLOSE_PROTOCOL;
	default:
		return CLOSE_ENVIRONMENT;
	}
}

void
closing_text(uint32_t reason, char out[WS_REASON + 1])
{
	const char *parts[] = {reason_word(reason), ": ", reason_sentence(reason)};
	size_t length = 0;

	for (size_t i = 0; i < 3; i++)
		length += strlen(parts[i]);
	out[0] = '\0';
	for (size_t i = 0; i < (length <= WS_REASON ? 3 : 1); i++)
		strncat(out, parts[i], WS_REASON - strlen(out));
}
