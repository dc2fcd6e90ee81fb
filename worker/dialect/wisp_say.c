/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "worker/dialect/wisp.h"

#define VERSION_MAJOR 2
#define VERSION_MINOR 0
#define MOTD          128U /* room for its text */
#define INFO          256U /* room for the packet */

static void
put_u32(uint8_t *at, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(number >> 8 * i);
}

static void
put_head(uint8_t *at, enum wisp_type type, uint32_t id)
{
	at[0] = (uint8_t)type;
	put_u32(at + 1, id);
}

void
wisp_say_data(struct session *s, uint32_t id, const uint8_t *bytes, size_t n)
{
	struct wisp *wisp = s->mine;

	put_head(wisp->out, WISP_DATA, id);
	memcpy(wisp->out + WISP_HEAD, bytes, n);
	ws_send(&s->ws, false, wisp->out, WISP_HEAD + n);
}

void
wisp_say_credit(struct session *s, uint32_t id, uint32_t credit)
{
	uint8_t packet[WISP_HEAD + 4];

	put_head(packet, WISP_CONTINUE, id);
	put_u32(packet + WISP_HEAD, credit);
	ws_send(&s->ws, false, packet, sizeof(packet));
}

void
wisp_say_close(struct session *s, uint32_t id, enum wisp_reason reason)
{
	uint8_t packet[WISP_HEAD + 1];

	put_head(packet, WISP_CLOSE, id);
	packet[WISP_HEAD] = (uint8_t)reason;
	ws_send(&s->ws, false, packet, sizeof(packet));
}

/* Returns what is behind it. */
static uint8_t *
put_extension(uint8_t *at, enum wisp_extension id, const void *metadata, size_t n)
{
	at[0] = (uint8_t)id;
	put_u32(at + 1, (uint32_t)n);
	memcpy(at + 5, metadata, n);
	return at + 5 + n;
}

void
wisp_say_info(struct session *s)
{
	static const uint8_t not_required = 0;
	uint8_t packet[INFO];
	uint8_t *at = packet + WISP_HEAD;
	char motd[MOTD];

	snprintf(motd, sizeof(motd),
		 "sockward: at most %u streams at a time, and %u bytes in a message",
		 s->granted.channels, s->granted.message_bytes);
	put_head(packet, WISP_INFO, 0);
	*at++ = VERSION_MAJOR;
	*at++ = VERSION_MINOR;
	at = put_extension(at, WISP_EXT_UDP, "", 0);
	at = put_extension(at, WISP_EXT_PASSWORD, &not_required, 1);
	at = put_extension(at, WISP_EXT_MOTD, motd, strlen(motd));
	at = put_extension(at, WISP_EXT_CONFIRM, "", 0);
	ws_send(&s->ws, false, packet, (size_t)(at - packet));
}

enum wisp_reason
wisp_reason_of(uint32_t reason)
{
	switch (reason_plain(reason)) {
	case REASON_CLIENT_CLOSED:
	case REASON_PEER_CLOSED:
		return WISP_VOLUNTARY;
	case REASON_CONNECT_FAILED:
		return WISP_NETWORK_ERROR;
	case REASON_NAME_INVALID:
		return WISP_INVALID;
	case REASON_NAME_UNKNOWN:
	case REASON_NAME_FAILED:
	case REASON_UNREACHABLE:
	case REASON_UNAVAILABLE:
		return WISP_UNREACHABLE;
	case REASON_TIMEOUT:
		return WISP_NO_ANSWER;
	case REASON_PEER_REFUSED:
		return WISP_REFUSED;
	case REASON_IDLE:
		return WISP_TRANSFER_TIMEOUT;
	case REASON_RULE_DENIES:
	case REASON_NO_RULE:
	case REASON_SPECIAL_ADDRESS:
	case REASON_OWN_ADDRESS:
	case REASON_PORT_CLOSED:
		return WISP_BLOCKED;
	case REASON_CHANNELS_LIMIT:
	case REASON_CONNECTS_LIMIT:
	case REASON_BYTES_LIMIT:
	case REASON_REPLY_RATIO:
		return WISP_THROTTLED;
	default:
		return WISP_UNSPECIFIED;
	}
}
