/* SPDX-License-Identifier: ISC */
/*
 * One stream a session: what the dialects raw and wsproxy have in common. Their state
 * begins with a struct single, so that these find it.
 */
#ifndef SOCKWARD_WORKER_DIALECT_SINGLE_H
#define SOCKWARD_WORKER_DIALECT_SINGLE_H

#include "worker/session.h"

/* Zeroed, but for what a dialect's begin() sets. */
struct single {
	char host[IPC_HOST];
	uint16_t port;          /* 0: not a valid one */
	bool udp;               /* else TCP */
	bool eof_message;       /* the destination's end is told by an empty message */
	unsigned int fail_code; /* closes, behind an empty message, when the destination is
				   refused or breaks; 0: the common codes alone */
	bool client_ended;
	bool peer_ended;
	struct stream *stream;
};

/**
 * single_host() - set the host; what is no destination the broker refuses, on record.
 * @host: @n bytes, decoded.
 */
void single_host(struct single *single, const char *host, size_t n);

/**
 * single_address() - set host and port from "HOST:PORT", at the last colon.
 * @text: @n bytes, decoded. A port that is none becomes 0.
 *
 * Returns false when there is no colon, or nothing before it.
 */
bool single_address(struct single *single, const char *text, size_t n);

/**
 * single_push() - bytes of the client; over UDP they are one datagram.
 */
void single_push(struct session *s, const uint8_t *bytes, size_t n);

/**
 * single_end() - the end of what the client sends.
 */
void single_end(struct session *s);

/* As in struct dialect_ops. */
void single_granted(struct session *s);
void single_opened(struct session *s, struct stream *stream);
void single_refused(struct session *s, struct stream *stream, uint32_t reason,
		    const struct ipc_addr *peer);
void single_data(struct session *s, struct stream *stream, const uint8_t *bytes, size_t n);
void single_ended(struct session *s, struct stream *stream, uint32_t reason);

#endif
