/* SPDX-License-Identifier: ISC */
/*
 * Wisp, versions 1 and 2: many TCP and UDP streams a session, one packet a binary
 * message; docs/dialects/wisp.md. Between its files.
 */
#ifndef SOCKWARD_WORKER_DIALECT_WISP_H
#define SOCKWARD_WORKER_DIALECT_WISP_H

#include "worker/gather.h"
#include "worker/session.h"

#define WISP_HEAD   5U   /* bytes of a packet's head: type, stream */
#define WISP_CREDIT 128U /* DATA packets that a client may send on a TCP stream before CONTINUE */

enum wisp_type {
	WISP_CONNECT = 1,
	WISP_DATA,
	WISP_CONTINUE,
	WISP_CLOSE,
	WISP_INFO,
};

enum wisp_kind {
	WISP_TCP = 1,
	WISP_UDP,
};

enum wisp_reason {
	WISP_UNSPECIFIED = 0x01,
	WISP_VOLUNTARY = 0x02,
	WISP_NETWORK_ERROR = 0x03,
	WISP_INVALID = 0x41,
	WISP_UNREACHABLE = 0x42,
	WISP_NO_ANSWER = 0x43,
	WISP_REFUSED = 0x44,
	WISP_TRANSFER_TIMEOUT = 0x47,
	WISP_BLOCKED = 0x48,
	WISP_THROTTLED = 0x49,
};

enum wisp_extension {
	WISP_EXT_UDP = 1,
	WISP_EXT_PASSWORD = 2,
	WISP_EXT_MOTD = 4,
	WISP_EXT_CONFIRM = 5,
};

/* The owner of a stream. */
struct wisp_stream {
	uint32_t id; /* the client's */
	uint32_t
		credit; /* most DATA packets that it may still send, if it keeps to what was said */
	bool opened;
};

enum wisp_reading {
	WISP_READ_HEAD,  /* the packet's head is not there yet */
	WISP_READ_WHOLE, /* the packet is collected and then served */
	WISP_READ_DATA,  /* its bytes go to the sink as they come */
};

struct wisp {
	bool v2; /* a subprotocol was answered */
	bool info_awaited;
	bool confirm; /* both sides know stream open confirmation */
	enum wisp_reading reading;
	struct stream *sink;   /* NULL: nobody wants the bytes */
	struct gather message; /* what is collected of the one under way */
	uint8_t out[WISP_HEAD + SESSION_PIECE];
};

/**
 * wisp_find() - the stream of a client's id, or NULL.
 */
struct stream *wisp_find(struct session *s, uint32_t id);

/**
 * wisp_u16(), wisp_u32() - a little-endian number of 2 or 4 bytes.
 */
uint16_t wisp_u16(const uint8_t *bytes);
uint32_t wisp_u32(const uint8_t *bytes);

/**
 * wisp_serve() - a whole packet, but DATA of a TCP stream, which goes its own way.
 * @bytes: from the head on; @n bytes, at least WISP_HEAD.
 */
void wisp_serve(struct session *s, const uint8_t *bytes, size_t n);

/**
 * wisp_begin_v1() - the client begins without INFO: it speaks version 1 after all.
 */
void wisp_begin_v1(struct session *s);

/**
 * wisp_credit() - say CONTINUE, if half is used and all that was sent is written.
 *
 * CONTINUE sets the client's credit, but nobody knows how much it has left when it
 * reads that. So what it may still send is reckoned as if it had none left: else one
 * that sends before it reads gets twice as much with each round.
 *
 * Returns whether it was said.
 */
bool wisp_credit(struct session *s, struct stream *stream);

/**
 * wisp_give_up() - nothing is said of this stream any more.
 * @reason: for the broker's record.
 */
void wisp_give_up(struct session *s, struct stream *stream, uint32_t reason);

/* --- what is said (wisp_say.c) ------------------------------------------------------ */

/**
 * wisp_say_data() - DATA. @n: at most SESSION_PIECE.
 */
void wisp_say_data(struct session *s, uint32_t id, const uint8_t *bytes, size_t n);

/**
 * wisp_say_credit() - CONTINUE. @id: 0 for the first one. @credit: in packets.
 */
void wisp_say_credit(struct session *s, uint32_t id, uint32_t credit);

/**
 * wisp_say_close() - CLOSE.
 */
void wisp_say_close(struct session *s, uint32_t id, enum wisp_reason reason);

/**
 * wisp_say_info() - INFO: version 2.0 and the extensions.
 */
void wisp_say_info(struct session *s);

/**
 * wisp_reason_of() - a reason as a close reason of Wisp.
 * @reason: any number; one outside the list is WISP_UNSPECIFIED.
 */
enum wisp_reason wisp_reason_of(uint32_t reason);

#endif
