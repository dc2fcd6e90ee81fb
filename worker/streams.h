/* SPDX-License-Identifier: ISC */
/*
 * The session's streams: a table of slots that is made once, when the session is
 * granted. A stream's tag holds its slot and a generation, so that a late event
 * for a slot that was used again finds nothing.
 */
#ifndef SOCKWARD_WORKER_STREAMS_H
#define SOCKWARD_WORKER_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

struct session;
struct stream;

/**
 * streams_start() - make the table. Returns 0, or -1 when memory is short.
 */
int streams_start(struct session *s);

/**
 * streams_new() - take a free slot: a TCP stream that is ASKED, with a tag of its own.
 * Returns NULL when all are taken.
 */
struct stream *streams_new(struct session *s);

/**
 * streams_by_tag() - the stream with that tag, or NULL.
 */
struct stream *streams_by_tag(struct session *s, uint32_t tag);

/**
 * streams_by_id() - the stream with the broker's number, or NULL.
 */
struct stream *streams_by_id(struct session *s, uint32_t id);

/**
 * streams_full() - must the client not be read? So it is when much waits for a
 * destination, and when no slot is free for what it may ask, but one will be.
 */
bool streams_full(const struct session *s);

/**
 * streams_secure() - go on with a stream that is SECURING, and tell its dialect when it is
 * open.
 */
void streams_secure(struct session *s, struct stream *stream);

/**
 * streams_event() - epoll told of a stream.
 */
void streams_event(struct session *s, uint32_t tag, uint32_t events);

/**
 * streams_settle() - what needs no event: ends to be told, finishing, watches.
 */
void streams_settle(struct session *s);

/**
 * streams_deadline() - when streams_settle() must run again; 0: never. It is the
 * present time when there is something to read that epoll does not tell of.
 */
uint64_t streams_deadline(const struct session *s);

/**
 * streams_finish() - the session ends: finish them all.
 * @reason: as of stream_finish().
 */
void streams_finish(struct session *s, uint32_t reason);

/**
 * streams_busy() - is any still to be finished?
 */
bool streams_busy(const struct session *s);

/**
 * streams_stop() - close whatever is left, and free the table.
 */
void streams_stop(struct session *s);

#endif
