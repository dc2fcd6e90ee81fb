/* SPDX-License-Identifier: ISC */
/*
 * A whole session: the input is what the client sends behind its upgrade. A thread
 * plays the broker, which grants and refuses by turns, destinations that echo, and
 * a client that reads. The session must come to its end, with a sensible status.
 *
 * The first byte chooses: bit 0 raw or netproxy, bit 2 udp-relay instead of either;
 * bit 1 whether what follows are the client's bytes as they are, or payload that is
 * put into frames by the harness.
 */
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

#define PEERS 32

static const char upgrade[] = "GET %s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
			      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/* Everybody but the worker. */
struct others {
	int broker;
	int client;
	int peers[PEERS];
	bool datagrams[PEERS];
	unsigned int opened;
};

static void
answer_open(struct others *o, uint32_t tag, bool datagrams)
{
	struct ipc_opened opened = {.head = {MSG_OPENED}, .tag = tag, .stream = o->opened + 1};
	struct ipc_refused refused = {.head = {MSG_REFUSED}, .tag = tag, .reason = tag % 40};
	int fds[2];

	if (o->opened == PEERS || o->opened % 3 == 2) {
		o->opened += o->opened < PEERS;
		(void)ipc_post(o->broker, &refused, sizeof(refused));
		return;
	}
	CHECK(socketpair(AF_UNIX, (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0, fds) ==
	      0);
	o->datagrams[o->opened] = datagrams;
	o->peers[o->opened++] = fds[0];
	(void)ipc_pass(o->broker, &opened, sizeof(opened), fds[1]);
	close(fds[1]);
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
		const struct ipc_granted granted = {
			.head = {MSG_GRANTED}, .terms = {.channels = 8, .message_bytes = 100000}};

		(void)ipc_post(o->broker, &granted, sizeof(granted));
	} else if (buffer.any.head.type == MSG_OPEN) {
		CHECK(ipc_text_ok(buffer.any.OPEN_body.host, IPC_HOST));
		CHECK(buffer.any.OPEN_body.kind == IPC_CONNECT);
		/* A near port is shared with a stream that was opened. */
		CHECK(buffer.any.OPEN_body.beside <= o->opened);
		answer_open(o, buffer.any.OPEN_body.tag,
			    buffer.any.OPEN_body.protocol == PROTOCOL_UDP);
	}
	return true;
}

static void
echo(int *fd, bool datagrams)
{
	static char bytes[65536];
	ssize_t n = read(*fd, bytes, sizeof(bytes));

	if (datagrams) {
		if (n >= 0)
			(void)!write(*fd, bytes, (size_t)n);
	} else if (n > 0) {
		(void)!write(*fd, bytes, (size_t)n);
	} else {
		close(*fd);
		*fd = -1;
	}
}

static void *
play(void *data)
{
	static char bytes[65536];
	struct others *o = data;
	struct pollfd ready[PEERS + 2];
	bool up = true;

	while (up) {
		ready[0] = (struct pollfd){.fd = o->broker, .events = POLLIN};
		ready[1] = (struct pollfd){.fd = o->client, .events = POLLIN};
		for (int i = 0; i < PEERS; i++)
			ready[2 + i] = (struct pollfd){.fd = o->peers[i], .events = POLLIN};
		(void)poll(ready, PEERS + 2, 1000);
		if (ready[1].revents && read(o->client, bytes, sizeof(bytes)) <= 0) {
			close(o->client);
			o->client = -1;
		}
		for (int i = 0; i < PEERS; i++) {
			if (ready[2 + i].revents)
				echo(&o->peers[i], o->datagrams[i]);
		}
		if (ready[0].revents)
			up = serve(o);
	}
	return NULL;
}

/* Puts each line of the payload into a frame of its own. */
static void
send_framed(int fd, const uint8_t *data, size_t size, unsigned int op)
{
	while (size) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t n = newline ? (size_t)(newline - data) : size;
		uint8_t head[8] = {(uint8_t)(0x80 | op), 0x80};
		size_t length = 6;

		n = n < 65536 ? n : 65535;
		if (n < 126) {
			head[1] = (uint8_t)(0x80 | n);
		} else {
			head[1] = 0xfe;
			head[2] = (uint8_t)(n >> 8);
			head[3] = (uint8_t)n;
			length = 8;
		}
		(void)!write(fd, head, length);
		(void)!write(fd, data, n);
		n += newline != NULL;
		data += n;
		size -= n;
	}
}

static void
send_all(int fd, const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/netproxy", "/raw/h.example/80",
					    "/udp-relay/h.example", "/udp-relay/192.0.2.1"};
	unsigned int path = (data[0] & 1) | (data[0] & 4) >> 1;
	char head[512];
	int n = snprintf(head, sizeof(head), upgrade, paths[path]);

	(void)!write(fd, head, (size_t)n);
	if (data[0] & 2)
		(void)!write(fd, data + 1, size - 1);
	else
		send_framed(fd, data + 1, size - 1, path ? 2 : 1);
	shutdown(fd, SHUT_WR);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ipc_plain client = {{MSG_CLIENT}};
	struct session *s = calloc(1, sizeof(*s));
	struct others o = {0};
	int channel[2];
	int connection[2];
	pthread_t thread;
	int status;

	if (!s || !size || size > 60000) {
		free(s);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	memset(o.peers, 0xff, sizeof(o.peers));
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, channel) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, connection) == 0);
	o.broker = channel[0];
	o.client = connection[0];
	send_all(o.client, data, size);
	CHECK(ipc_pass(o.broker, &client, sizeof(client), connection[1]) == 0);
	close(connection[1]);
	CHECK(pthread_create(&thread, NULL, play, &o) == 0);
	status = session_run(s, channel[1]);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(status == WORKER_DONE ||
	      (status >= WORKER_HTTP_REFUSED && status <= WORKER_NO_MEMORY &&
	       status != WORKER_BROKER_LOST));
	close(o.broker);
	if (o.client >= 0)
		close(o.client);
	for (int i = 0; i < PEERS; i++) {
		if (o.peers[i] >= 0)
			close(o.peers[i]);
	}
	free(s);
	return 0;
}
