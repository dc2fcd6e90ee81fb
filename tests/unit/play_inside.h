/* SPDX-License-Identifier: ISC */
/*
 * A session in this process, granted and open, with a dialect that only writes down
 * what it is told. Its clock stands still but for the test; nothing runs but by
 * inside_run().
 */
#ifndef SOCKWARD_TESTS_UNIT_PLAY_INSIDE_H
#define SOCKWARD_TESTS_UNIT_PLAY_INSIDE_H

#include "tests/unit/play.h"
#include "worker/session.h"

#define INSIDE_CHANNELS 2U /* of a session by inside_setup() */

struct inside {
	struct session *s;
	int client;
	int broker;
	struct dialect_ops dialect; /* for tests to take functions away */
	/*
	 * One word for each call, with the owner's name: "a opened, a data 3, ".
	 * Owners are constant strings; those of accepted connections "x".
	 */
	char told[8192];
	uint8_t bytes[SESSION_PIECE]; /* of the last data() */
	size_t n;
	struct stream *accepted;      /* the last one */
	struct ipc_resolved resolved; /* the last one */
};

/**
 * inside_start() - begin, with so many channels. At 1,000 ms.
 */
void inside_start(struct inside *in, uint32_t channels);

/**
 * inside_stop() - end, whatever is open.
 */
void inside_stop(struct inside *in);

/**
 * inside_setup(), inside_teardown() - both for cmocka; the state is a struct inside.
 */
int inside_setup(void **state);
int inside_teardown(void **state);

/**
 * inside_name() - a constant string as an owner.
 */
void *inside_name(const char *name);

/**
 * inside_run() - let happen what can.
 */
void inside_run(struct inside *in);

/**
 * inside_told() - run; exactly this was told since the last time.
 */
void inside_told(struct inside *in, const char *told);

/**
 * inside_take() - the next message to the broker, which must have that type.
 */
void inside_take(struct inside *in, uint32_t type, struct ipc_buffer *buffer);

/**
 * inside_quiet() - run; the broker gets nothing.
 */
void inside_quiet(struct inside *in);

/**
 * inside_post() - the broker sends a message. @fd: with it, and closed; -1: none.
 */
void inside_post(struct inside *in, const void *message, size_t n, int fd);

/**
 * inside_opened() - the broker answers with a socket of a pair, or a connection for a
 * listening stream comes, and it is told. @type: SOCK_STREAM or SOCK_DGRAM of
 * AF_UNIX; 0: UDP. Returns the far one.
 */
int inside_opened(struct inside *in, uint32_t tag, uint32_t stream, int type);

/**
 * inside_udp() - ask for a UDP stream to h.example, port 53, of that name.
 */
struct stream *inside_udp(struct inside *in, const char *name);

/**
 * inside_udp_open() - one of the name "a", open as stream 1.
 * @type: as inside_opened(). @peer: receives the far one.
 */
struct stream *inside_udp_open(struct inside *in, int type, int *peer);

/**
 * inside_reads() - the next datagram there is exactly that.
 */
void inside_reads(int peer, const void *bytes, size_t n);

/**
 * inside_expect_end() - the next message is that END.
 */
void inside_expect_end(struct inside *in, uint32_t stream, uint32_t reason, uint64_t up,
		       uint64_t down);

#endif
