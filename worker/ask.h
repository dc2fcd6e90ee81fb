/* SPDX-License-Identifier: ISC */
/*
 * What the worker says to the broker, by write(2). A channel that is full for
 * the moment blocks nothing: requests and ends wait in their streams' slots,
 * whose number is bounded, until the channel takes them.
 */
#ifndef SOCKWARD_WORKER_ASK_H
#define SOCKWARD_WORKER_ASK_H

#include <stdint.h>

struct ipc_auth;
struct session;
struct stream;

/**
 * ask_auth() - ask for admission. A channel that does not take it is lost.
 */
void ask_auth(struct session *s, const struct ipc_auth *auth);

/**
 * ask_open() - send the request in @stream->ask, now or when the channel takes it; or,
 * if all places are taken, when a stream that is being finished gave up its own; or,
 * if it shall share a near port, when that stream has one.
 */
void ask_open(struct session *s, struct stream *stream);

/**
 * ask_end() - say that a stream ENDED, now or later, and free it once said.
 */
void ask_end(struct session *s, struct stream *stream);

/**
 * ask_return() - end an accepted connection that has no slot, now or when the channel
 * takes it. @id: the broker's number. Only while s->n_returned < SESSION_SPARE.
 */
void ask_return(struct session *s, uint32_t id);

/**
 * ask_again() - the channel takes messages again, or a place may be free: send what
 * waited.
 */
void ask_again(struct session *s);

/**
 * ask_counts() - the session's last message; lost when the channel is full.
 */
void ask_counts(struct session *s);

#endif
