/* SPDX-License-Identifier: ISC */
/*
 * A strict scanner of WebSocket frame headers (RFC 6455, section 5) that stands
 * before the library: what it lets through is well-formed, within the limits,
 * and a data frame. Control frames end here, since that is where the library
 * has its faults: they are collected, judged and handed out one by one. Pure:
 * no clock, no memory, no system call; it takes its input in any pieces.
 */
#ifndef SOCKWARD_WORKER_GUARD_H
#define SOCKWARD_WORKER_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_CONTROL 125 /* longest payload of a control frame */
#define GUARD_HEAD    14  /* longest header: 2 + 8 + 4 */

/* Close codes that the worker itself gives; RFC 6455, section 7.4. */
enum close_code {
	CLOSE_NORMAL = 1000,
	CLOSE_AWAY = 1001,
	CLOSE_PROTOCOL = 1002,
	CLOSE_UNSUPPORTED = 1003,
	CLOSE_NO_STATUS = 1005,
	CLOSE_BAD_TEXT = 1007,
	CLOSE_POLICY = 1008,
	CLOSE_TOO_BIG = 1009,
	CLOSE_ENVIRONMENT = 1011,
};

struct guard_limits {
	uint64_t message_bytes;      /* payload of one message, over all its frames */
	uint32_t fragments;          /* frames of one message */
	uint32_t control_burst;      /* pings and pongs at once */
	uint32_t control_per_second; /* and in the long run */
};

enum guard_event {
	GUARD_MORE,  /* all input was taken, the output is full, or a data frame ended */
	GUARD_PING,  /* a ping ended: its payload is in control */
	GUARD_CLOSE, /* the client's close frame ended: code and control hold it */
	GUARD_BAD,   /* a violation: code says which close it earns; nothing more is taken */
};

enum guard_step {
	GUARD_FIRST,
	GUARD_SECOND,
	GUARD_LENGTH,
	GUARD_MASK,
	GUARD_EMIT,
	GUARD_DATA,
	GUARD_COLLECT,
	GUARD_OVER,
};

struct guard {
	struct guard_limits limits;
	enum guard_step step;
	uint8_t head[GUARD_HEAD];
	uint8_t have;    /* bytes of the header so far */
	uint8_t emitted; /* bytes of the header that went out */
	uint8_t control[GUARD_CONTROL];
	uint8_t control_length;
	bool in_message; /* a fragmented message is under way */
	uint16_t code;
	uint32_t fragments;
	uint32_t tokens;      /* control frames that may still come */
	uint64_t refilled_ms; /* when tokens was last added to */
	uint64_t left;        /* payload of the present frame still to come */
	uint64_t total;       /* payload of the present message so far */
};

/**
 * guard_start() - prepare for the first frame.
 * @limits: copied.
 */
void guard_start(struct guard *g, const struct guard_limits *limits);

/**
 * guard_feed() - scan a piece of what the client sent.
 * @in: the bytes. @n: how many.
 * @out: receives the data frames, header and masked payload, as they came.
 * @room: its size. @made: receives how many bytes were put there.
 * @now_ms: a monotonic clock, for the budget of pings and pongs.
 * @event: receives why it stopped. The call may be repeated with the rest.
 *
 * At most one data frame comes out of a call: behind each, who takes them may have
 * had enough.
 *
 * After GUARD_CLOSE: code is the status, CLOSE_NO_STATUS for none, and control
 * holds control_length bytes of reason, valid UTF-8; all further input is
 * swallowed. After GUARD_BAD as well. Returns the number of bytes of @in taken.
 */
size_t guard_feed(struct guard *g, const uint8_t *in, size_t n, uint8_t *out, size_t room,
		  size_t *made, uint64_t now_ms, enum guard_event *event);

/**
 * guard_close_code_ok() - may this status stand in a close frame?
 *
 * RFC 6455, section 7.4 and the IANA registry: 1000-1003, 1007-1014, 3000-4999.
 */
bool guard_close_code_ok(unsigned int code);

#endif
