/* SPDX-License-Identifier: ISC */
/*
 * The loop that resolver, authenticator and auditor share: a listening
 * SOCK_SEQPACKET socket, a few brokers as clients, messages judged by the table,
 * one answer at a time, an orderly end by SIGTERM. A client that breaks the
 * protocol is cut off; the others live on.
 */
#ifndef SOCKWARD_HELPERS_SERVE_H
#define SOCKWARD_HELPERS_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/channel.h"
#include "ipc/messages.h"

#define SERVE_CLIENTS 4   /* connected at once; further ones are closed at once */
#define SERVE_BATCH   256 /* messages read from one client before the others' turn */

/* A descriptor in the loop; ready() is called when it can be read or written. */
struct serve_watch {
	int fd; /* -1: unused */
	void (*ready)(struct serve_watch *watch);
};

struct serve;

struct serve_client {
	struct serve_watch watch;
	struct serve *serve;
	enum ipc_state state;
	bool deaf;      /* it hung up, but what it sent before is still to be read */
	bool watched;   /* in the epoll set */
	size_t pending; /* bytes of answer that wait until it reads; 0: none */
	union ipc_any answer;
};

struct serve {
	/* Set by the program before serve_open(). */
	enum ipc_channel channel; /* judges the messages */
	enum ipc_state greeting;  /* a client's first state */
	/* A legal message; its bytes are wiped after the call. Returns -1 to cut the client off. */
	int (*message)(struct serve_client *client, const union ipc_any *any);
	void (*gone)(struct serve_client *client);    /* or NULL; the client is still whole */
	void (*drained)(struct serve_client *client); /* or NULL; its pending answer went out */
	void (*turn)(void);                           /* or NULL; after each round of events */
	int (*wait_ms)(void); /* or NULL; until turn() is wanted, -1 for ever */

	uid_t comes;       /* may connect, beside uid 0 and our own: the socket's owner */
	int manager;       /* a socket to the service manager, if it wants to hear; or -1 */
	uint64_t alive_ms; /* when it is due to hear */
	int epoll;
	bool ending;
	bool held;
	struct serve_watch listening;
	struct serve_watch signals;
	struct serve_client clients[SERVE_CLIENTS];
	struct ipc_buffer buffer;
};

/* A descriptor that a program can do without. */
struct serve_passed {
	const char *name;
	int fd; /* -1: none was passed */
};

/**
 * serve_open() - take the listening socket and prepare the loop.
 * @serve: with the program's part set; kept by reference.
 * @listening: a listening SOCK_SEQPACKET socket; owned by the loop from here.
 *
 * Who owns the socket's file may connect. Where the service manager watches
 * (WATCHDOG_USEC), it is told by each few seconds. Blocks SIGTERM and SIGINT, to be read
 * from a descriptor. Ends the program on any failure. Call it before confine(), with a
 * single thread.
 */
void serve_open(struct serve *serve, int listening);

/**
 * serve_socket() - the listening socket among the passed descriptors.
 * @name: the name that it must have, such as "resolver".
 * @also: @n descriptors that may have been passed beside it; each one's fd is set,
 *        to -1 where none has its name.
 *
 * Ends the program when there is none, when it is of another kind, or when a
 * descriptor came that has no use.
 */
int serve_socket(const char *name, struct serve_passed *also, size_t n);

/**
 * serve_run() - the loop, until SIGTERM.
 *
 * Must be called after confine(). READY=1 is said before that, by the program:
 * afterwards no socket can be made to say it with, and clients may queue already.
 */
void serve_run(struct serve *serve);

/**
 * serve_watch() - add a descriptor to the loop, for reading.
 *
 * Returns 0, or -1 with errno. Closing the descriptor takes it out.
 */
int serve_watch(struct serve *serve, struct serve_watch *watch);

/**
 * serve_answer() - send an answer to a client.
 * @message: with its head.type set. @length: its size.
 *
 * What the client does not take at once is kept, and nothing is read from it
 * until it does; then drained() is called. Returns 0, also when the client hung
 * up and the answer is dropped; or -1 when an earlier answer is still kept.
 */
int serve_answer(struct serve_client *client, const void *message, size_t length);

/**
 * serve_hold() - stop reading from all clients, or go on.
 */
void serve_hold(struct serve *serve, bool held);

/**
 * serve_now_ms() - CLOCK_MONOTONIC in milliseconds.
 */
uint64_t serve_now_ms(void);

#endif
