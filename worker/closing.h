/* SPDX-License-Identifier: ISC */
/*
 * How a reason reaches a client: as a close code and its text. The codes from
 * 4001 are sockward's own (RFC 6455, 7.4.2 leaves 4000-4999 to applications).
 */
#ifndef SOCKWARD_WORKER_CLOSING_H
#define SOCKWARD_WORKER_CLOSING_H

#include <stddef.h>
#include <stdint.h>

#include "worker/ws.h"

enum sockward_close {
	CLOSE_TOKEN = 4001,       /* no valid token */
	CLOSE_FORBIDDEN = 4003,   /* the policy does not allow it */
	CLOSE_UNREACHABLE = 4004, /* the destination could not be reached */
	CLOSE_TIME = 4008,        /* a time limit */
	CLOSE_LIMIT = 4009,       /* a limit of number or amount */
};

/**
 * closing_code() - the close code of a reason.
 * @reason: any number; one outside the list is 1011.
 */
unsigned int closing_code(uint32_t reason);

/**
 * closing_text() - its text: the reason's word and, where it fits, its sentence.
 * @out: WS_REASON + 1 bytes.
 */
void closing_text(uint32_t reason, char out[WS_REASON + 1]);

#endif
