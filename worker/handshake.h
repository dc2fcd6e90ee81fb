/* SPDX-License-Identifier: ISC */
/*
 * The HTTP part of a session: reads the request head, answers it, and asks the
 * broker for admission. What is wrong with the request as such is refused here,
 * in HTTP; Host, Origin and token are for the broker to judge, after the 101,
 * since before it a browser shows no reason to its page.
 */
#ifndef SOCKWARD_WORKER_HANDSHAKE_H
#define SOCKWARD_WORKER_HANDSHAKE_H

struct session;

/**
 * handshake_read() - the client's socket is readable and the head is not complete.
 *
 * When it is: answers, and has sent AUTH or is leaving. The state of s->ws tells.
 */
void handshake_read(struct session *s);

#endif
