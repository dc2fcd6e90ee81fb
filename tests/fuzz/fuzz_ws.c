/* SPDX-License-Identifier: ISC */
/*
 * A whole session: the input is what the client sends behind its upgrade. A thread
 * plays the broker, which grants, refuses and cuts by turns, listens and looks names
 * up, destinations that echo, and a client that reads. The session must come to its
 * end, with a sensible status, and say nothing to the broker that is not its part.
 *
 * The client speaks in PARTS, each when nobody has said anything for a millisecond: so
 * that streams are opened, and have said something, before it goes on.
 *
 * The first byte chooses: bits 0, 2, 3 and 4 one of forms[], which is the dialect; bit
 * 1 whether what follows are the client's bytes as they are, or payload that is put
 * into frames by the harness; bits 5 to 7 which requests fare how.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "tests/fuzz/check.h"
#include "worker/session.h"

#define PEERS       32
#define PARTS       3
#define INPUT_MOST  60000
#define TARGET_MOST 200
#define WIRE_MOST   (512 + 7 * (INPUT_MOST + 1)) /* a head, and a frame for each byte */

static const char upgrade[] = "GET %s%s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
			      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n";

/* A path, more lines of the head, and the opcode of frames that the harness makes. */
static const struct {
	const char *path;
	const char *fields;
	unsigned int op;
	bool more; /* the first line of the input is the rest of the target */
} forms[] = {
	{"/netproxy", "", 1, false},
	{"/raw/h.example/80", "", 2, false},
	{"/udp-relay/h.example", "", 2, false},
	{"/udp-relay/192.0.2.1", "", 2, false},
	{"/wisp/", "", 2, false},
	{"/wisp/", "Sec-WebSocket-Protocol: wisp-v2\r\n", 2, false},
	{"/wasmnet", "", 1, false},
	{"/wasmnet", "", 2, false},
	{"/wsproxy/h.example:80", "", 2, false},
	{"/raw?address=h.example:80&eof=message", "", 2, false},
	{"/raw?host=h.example&port=80", "", 2, false},
	{"/raw/h.example/80?emscripten=udp", "", 2, false},
	{"/wsproxy/", "", 2, true},
	{"/wsproxy/?token=t&", "", 2, true},
	{"/raw/", "", 2, true},
	{"/raw?", "", 2, true},
};

/* What became of a number that the broker gave. */
enum given {
	GIVEN_NONE, /* to a request without a stream */
	GIVEN_STREAM,
	GIVEN_DATAGRAMS,
	GIVEN_LISTENER,
	GIVEN_ENDED,
};

/* Everybody but the worker. Streams have the numbers from 1 on. */
struct others {
	int broker;
	int client;
	int peers[PEERS + 1];
	uint32_t tags[PEERS + 1];
	enum given given[PEERS + 1];
	unsigned int opened;
	unsigned int luck;
	uint8_t wire[WIRE_MOST]; /* what the client sends */
	size_t length;
	size_t sent;
	unsigned int parts; /* that are left of it */
};

/* A stream of number @id, by a request or for a listener. */
static void
give(struct others *o, uint32_t tag, unsigned int id, bool datagrams)
{
	const struct ipc_opened opened = {.head = {MSG_OPENED}, .tag = tag, .stream = id};
	const struct ipc_cut cut = {{MSG_CUT}, id, REASON_BYTES_LIMIT};
	int fds[2];

	CHECK(socketpair(AF_UNIX, (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0, fds) ==
	      0);
	o->given[id] = datagrams ? GIVEN_DATAGRAMS : GIVEN_STREAM;
	o->peers[id] = fds[0];
	(void)ipc_pass(o->broker, &opened, sizeof(opened), fds[1]);
	if ((id + o->luck) % 7 == 6)
		(void)ipc_post(o->broker, &cut, sizeof(cut));
	close(fds[1]);
}

/* Somebody connects to a listener, also after its END, which that may have crossed. */
static void
connect_to(struct others *o, uint32_t tag)
{
	if (o->opened < PEERS)
		give(o, tag, ++o->opened, false);
}

/* A port of the grant's may be taken: then the next one is asked for. */
static void
refuse(struct others *o, const struct ipc_open *ask)
{
	bool taken = ask->kind == IPC_LISTEN && o->luck % 2;
	const struct ipc_refused refused = {.head = {MSG_REFUSED},
					    .tag = ask->tag,
					    .reason = taken ? REASON_ERRNO + EADDRINUSE
							    : ask->tag % 40};

	(void)ipc_post(o->broker, &refused, sizeof(refused));
}

static void
listen_for(struct others *o, uint32_t tag)
{
	const struct ipc_opened listening = {
		.head = {MSG_LISTENING}, .tag = tag, .stream = o->opened};
	const struct ipc_cut cut = {{MSG_CUT}, o->opened, REASON_POLICY_CHANGED};

	o->given[o->opened] = GIVEN_LISTENER;
	(void)ipc_post(o->broker, &listening, sizeof(listening));
	connect_to(o, tag);
	if ((cut.stream + o->luck) % 4 == 3)
		(void)ipc_post(o->broker, &cut, sizeof(cut));
	connect_to(o, tag);
}

static void
answer_open(struct others *o, const struct ipc_open *ask)
{
	struct ipc_resolved resolved = {
		.head = {MSG_RESOLVED}, .tag = ask->tag, .ttl_s = 1, .count = ask->tag % 8 + 1};

	CHECK(ask->tag);
	CHECK(ipc_text_ok(ask->host, IPC_HOST));
	CHECK(ask->host[0] || ask->addr.family);
	CHECK(ask->kind <= IPC_LISTEN);
	CHECK(!ask->protocol == (ask->kind == IPC_RESOLVE));
	/* A near port is shared with a stream of datagrams that was opened. */
	CHECK(ask->beside <= o->opened);
	CHECK(!ask->beside || o->given[ask->beside] == GIVEN_DATAGRAMS);
	for (uint32_t i = 0; i < resolved.count; i++)
		resolved.addrs[i] = (struct ipc_addr){4, 0, 0, {192, 0, 2, (uint8_t)(i + 1)}};
	if (o->opened == PEERS || (++o->opened + o->luck) % 3 == 0) {
		refuse(o, ask);
		return;
	}
	o->tags[o->opened] = ask->tag;
	if (ask->kind == IPC_RESOLVE)
		(void)ipc_post(o->broker, &resolved, sizeof(resolved));
	else if (ask->kind == IPC_LISTEN)
		listen_for(o, ask->tag);
	else
		give(o, ask->tag, o->opened, ask->protocol == PROTOCOL_UDP);
}

/* Once for each stream, and for nothing else. */
static void
take_end(struct others *o, uint32_t id)
{
	CHECK(id && id <= o->opened);
	CHECK(o->given[id] != GIVEN_NONE && o->given[id] != GIVEN_ENDED);
	if (o->given[id] == GIVEN_LISTENER)
		connect_to(o, o->tags[id]);
	o->given[id] = GIVEN_ENDED;
}

/* Returns false when the worker is gone. */
static bool
serve(struct others *o)
{
	struct ipc_buffer buffer = {0};
	struct ipc_got got;

	if (ipc_take(o->broker, &buffer, &got, false) < 0)
		return true;
	if (!got.length)
		return false;
	CHECK(ipc_legal(IPC_SESSION, IPC_ASK, buffer.any.head.type == MSG_AUTH ? IPC_NEW : IPC_OPEN,
			&buffer.any, &got));
	if (buffer.any.head.type == MSG_AUTH) {
		const struct ipc_granted granted = {.head = {MSG_GRANTED},
						    .terms = {.channels = 8,
							      .message_bytes = 100000,
							      .near = {4, 0, 3000, {127, 0, 0, 1}},
							      .port_high = 3009}};

		(void)ipc_post(o->broker, &granted, sizeof(granted));
	} else if (buffer.any.head.type == MSG_OPEN) {
		answer_open(o, &buffer.any.OPEN_body);
	} else if (buffer.any.head.type == MSG_END) {
		take_end(o, buffer.any.END_body.stream);
	}
	return true;
}

static void
echo(int *fd, bool last)
{
	static char bytes[65536];
	int type = 0;
	socklen_t size = sizeof(type);
	ssize_t n = read(*fd, bytes, sizeof(bytes));

	(void)getsockopt(*fd, SOL_SOCKET, SO_TYPE, &type, &size);
	if (n > 0 || (type == SOCK_DGRAM && !n)) {
		(void)!write(*fd, bytes, (size_t)n);
		if (last)
			shutdown(*fd, SHUT_WR);
	} else if (type == SOCK_STREAM) {
		close(*fd);
		*fd = -1;
	}
}

/* The client's next part; what its socket does not take comes with the next. */
static void
speak(struct others *o)
{
	size_t n = (o->length - o->sent) / o->parts;
	ssize_t wrote = write(o->client, o->wire + o->sent, n);

	if (wrote > 0)
		o->sent += (size_t)wrote;
	if (!--o->parts)
		shutdown(o->client, SHUT_WR);
}

static void
listen_to(struct others *o)
{
	static char bytes[65536];

	if (read(o->client, bytes, sizeof(bytes)) > 0)
		return;
	close(o->client);
	o->client = -1;
	o->parts = 0;
}

static void *
play(void *data)
{
	struct others *o = data;
	struct pollfd ready[PEERS + 3];
	bool quiet;
	bool up = true;

	while (up) {
		ready[0] = (struct pollfd){.fd = o->broker, .events = POLLIN};
		ready[1] = (struct pollfd){.fd = o->client, .events = POLLIN};
		for (int i = 0; i <= PEERS; i++)
			ready[2 + i] = (struct pollfd){.fd = o->peers[i], .events = POLLIN};
		quiet = poll(ready, PEERS + 3, o->parts ? 1 : 1000) == 0;
		if (ready[1].revents)
			listen_to(o);
		for (int i = 0; i <= PEERS; i++) {
			if (ready[2 + i].revents)
				echo(&o->peers[i], ((unsigned int)i + o->luck) % 5 == 4);
		}
		if (ready[0].revents)
			up = serve(o);
		if (quiet && o->parts)
			speak(o);
	}
	return NULL;
}

static void
put(struct others *o, const void *bytes, size_t n)
{
	CHECK(n <= sizeof(o->wire) - o->length);
	memcpy(o->wire + o->length, bytes, n);
	o->length += n;
}

/* Puts each line of the payload into a frame of its own. */
static void
put_framed(struct others *o, const uint8_t *data, size_t size, unsigned int op)
{
	while (size) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t n = newline ? (size_t)(newline - data) : size;
		uint8_t head[8] = {(uint8_t)(0x80 | op), 0x80};
		size_t length = 6;

		if (n < 126) {
			head[1] = (uint8_t)(0x80 | n);
		} else {
			head[1] = 0xfe;
			head[2] = (uint8_t)(n >> 8);
			head[3] = (uint8_t)n;
			length = 8;
		}
		put(o, head, length);
		put(o, data, n);
		n += newline != NULL;
		data += n;
		size -= n;
	}
}

/* The input's first line as a part of a request target. Returns what it took of it. */
static size_t
take_target(const uint8_t *data, size_t size, char out[TARGET_MOST + 1])
{
	size_t n = 0;

	while (n < size && n < TARGET_MOST && data[n] != '\n') {
		out[n] = data[n] > ' ' && data[n] < 0x7f ? (char)data[n] : '%';
		n++;
	}
	out[n] = '\0';
	return n < size && data[n] == '\n' ? n + 1 : n;
}

static void
put_all(struct others *o, const uint8_t *data, size_t size)
{
	size_t form = (data[0] & 1U) | (data[0] & 4U) >> 1 | (data[0] & 24U) >> 1;
	bool framed = !(data[0] & 2);
	char more[TARGET_MOST + 1] = "";
	char head[512];
	size_t at = 1;
	int n;

	_Static_assert(sizeof(forms) / sizeof(forms[0]) == 16, "four bits choose");
	o->luck = data[0] >> 5;
	o->parts = PARTS;
	if (forms[form].more)
		at += take_target(data + 1, size - 1, more);
	n = snprintf(head, sizeof(head), upgrade, forms[form].path, more, forms[form].fields);
	put(o, head, (size_t)n);
	if (framed)
		put_framed(o, data + at, size - at, forms[form].op);
	else
		put(o, data + at, size - at);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ipc_client client = {.head = {MSG_CLIENT}};
	struct session *s = calloc(1, sizeof(*s));
	struct others *o = calloc(1, sizeof(*o));
	int channel[2];
	int connection[2];
	pthread_t thread;
	int status;

	if (!s || !o || !size || size > INPUT_MOST) {
		free(s);
		free(o);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	memset(o->peers, 0xff, sizeof(o->peers));
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, channel) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, connection) == 0);
	o->broker = channel[0];
	o->client = connection[0];
	put_all(o, data, size);
	CHECK(ipc_pass(o->broker, &client, sizeof(client), connection[1]) == 0);
	close(connection[1]);
	CHECK(pthread_create(&thread, NULL, play, o) == 0);
	status = session_run(s, channel[1]);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(status == WORKER_DONE ||
	      (status >= WORKER_HTTP_REFUSED && status <= WORKER_NO_MEMORY &&
	       status != WORKER_BROKER_LOST));
	close(o->broker);
	if (o->client >= 0)
		close(o->client);
	for (int i = 0; i <= PEERS; i++) {
		if (o->peers[i] >= 0)
			close(o->peers[i]);
	}
	free(s);
	free(o);
	return 0;
}
