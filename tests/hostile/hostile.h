/* SPDX-License-Identifier: ISC */
/*
 * The hostile worker: sockward-worker's own main, template, confinement and
 * filters, and instead of the session's code the attacks of this folder. The
 * client chooses one by the path of a plain GET, and reads what came of it as
 * lines of text; a line that does not come means that the process was ended.
 */
#ifndef SOCKWARD_TESTS_HOSTILE_H
#define SOCKWARD_TESTS_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hostile {
	int client;
	int channel;
	char request[4096]; /* the client's GET, up to the empty line */
};

struct attack {
	const char *name;
	void (*run)(struct hostile *h);
	long call; /* for attack_call() */
	uint64_t a[6];
};

/* Tables of attacks; each ends with a row without a name. */
extern const struct attack attacks_sockets[];
extern const struct attack attacks_system[];
extern const struct attack attacks_messages[];

/**
 * say() - a line to the client, and on with the attack.
 * @what: what was tried. @result: -1 with errno, else what came of it.
 *
 * Written to the client's socket by write(2), whatever that socket is by now.
 */
void say(const struct hostile *h, const char *what, long result);

/**
 * param() - a number from the request's query, such as port in "?port=80&x=1".
 *
 * Returns 0 when it is not there.
 */
unsigned long param(const struct hostile *h, const char *name);

/**
 * ask_granted() - AUTH, as an honest worker would for dialect raw.
 *
 * Returns true when the session was granted; says why not otherwise.
 */
bool ask_granted(struct hostile *h);

/**
 * ask_stream() - OPEN to 127.0.0.1; UDP where the request has udp=1. Needs ask_granted().
 * @port: of a service that the policy allows.
 * @stream: receives the broker's number of it, or NULL.
 *
 * Returns the connected socket, or -1.
 */
int ask_stream(struct hostile *h, uint16_t port, uint32_t *stream);

/**
 * wait_readable() - wait at most that long. Returns false when nothing came.
 */
bool wait_readable(int fd, int ms);

#endif
