/* SPDX-License-Identifier: ISC */
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "ipc/words.h"
#include "worker/session.h"

#define PATIENCE_MS 10000

bool
wait_readable(int fd, int ms)
{
	struct pollfd one = {.fd = fd, .events = POLLIN};
	struct timespec most = {ms / 1000, (long)(ms % 1000) * 1000000};

	return ppoll(&one, 1, &most, NULL) > 0;
}

void
say(const struct hostile *h, const char *what, long result)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "%s: %ld %s\n", what, result,
			 result < 0 ? strerrorname_np(errno) : "");

	(void)!write(h->client, line, (size_t)n);
}

unsigned long
param(const struct hostile *h, const char *name)
{
	const char *at = strchr(h->request, '?');
	size_t n = strlen(name);

	while (at && at[1]) {
		at++;
		if (strncmp(at, name, n) == 0 && at[n] == '=')
			return strtoul(at + n + 1, NULL, 10);
		at = strchr(at, '&');
	}
	return 0;
}

static bool
receive(struct hostile *h, struct ipc_buffer *buffer, struct ipc_got *got)
{
	return wait_readable(h->channel, PATIENCE_MS) &&
	       ipc_take(h->channel, buffer, got, true) == 0 &&
	       got->length >= sizeof(struct ipc_head);
}

bool
ask_granted(struct hostile *h)
{
	struct ipc_auth auth = {.head = {MSG_AUTH}, .dialect = DIALECT_RAW};
	struct ipc_buffer buffer = {0};
	struct ipc_got got;

	(void)ipc_text_set(auth.host, sizeof(auth.host), "127.0.0.1");
	if (ipc_post(h->channel, &auth, sizeof(auth)) < 0 || !receive(h, &buffer, &got)) {
		say(h, "no answer to AUTH", -1);
		return false;
	}
	if (buffer.any.head.type == MSG_GRANTED)
		return true;
	say(h, "AUTH was answered by reason", (long)buffer.any.REFUSED_body.reason);
	return false;
}

int
ask_stream(struct hostile *h, uint16_t port, uint32_t *stream)
{
	struct ipc_open open = {.head = {MSG_OPEN},
				.tag = 7,
				.addr = {4, 0, port, {127, 0, 0, 1}},
				.protocol = param(h, "udp") ? PROTOCOL_UDP : PROTOCOL_TCP};
	struct ipc_buffer buffer = {0};
	struct ipc_got got;

	if (ipc_post(h->channel, &open, sizeof(open)) < 0 || !receive(h, &buffer, &got)) {
		say(h, "no answer to OPEN", -1);
		return -1;
	}
	if (buffer.any.head.type != MSG_OPENED || got.fd < 0) {
		say(h, "OPEN was answered by reason", (long)buffer.any.REFUSED_body.reason);
		return -1;
	}
	if (stream)
		*stream = buffer.any.OPENED_body.stream;
	return got.fd;
}

static bool
take_client(struct hostile *h)
{
	struct ipc_buffer buffer = {0};
	struct ipc_got got;

	if (!receive(h, &buffer, &got) || buffer.any.head.type != MSG_CLIENT)
		return false;
	h->client = got.fd;
	return got.fd >= 0;
}

/* One byte after the other, up to the empty line. */
static bool
take_request(struct hostile *h)
{
	size_t n = 0;

	while (n < sizeof(h->request) - 1) {
		if (!wait_readable(h->client, PATIENCE_MS) ||
		    read(h->client, h->request + n, 1) != 1)
			return false;
		n++;
		if (n >= 4 && memcmp(h->request + n - 4, "\r\n\r\n", 4) == 0)
			return true;
	}
	return false;
}

static const struct attack *
chosen(const struct hostile *h)
{
	const struct attack *const all[] = {attacks_sockets, attacks_system, attacks_messages};
	const char *name = strstr(h->request, "/attack/");
	size_t length = name ? strcspn(name + 8, " ?") : 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && name; i++) {
		for (const struct attack *a = all[i]; a->name; a++) {
			if (strlen(a->name) == length && strncmp(a->name, name + 8, length) == 0)
				return a;
		}
	}
	return NULL;
}

/* Stands in the place of worker/session.c, which the linker then leaves out. */
int
session_run(struct session *s, int channel)
{
	static struct hostile h;
	const struct attack *attack;

	(void)s;
	h.channel = channel;
	if (!take_client(&h) || !take_request(&h))
		return WORKER_CLIENT_LOST;
	attack = chosen(&h);
	if (!attack) {
		say(&h, "no such attack", 0);
		return WORKER_HTTP_REFUSED;
	}
	say(&h, attack->name, 0);
	if (attack->call)
		say(&h, "call",
		    syscall(attack->call, attack->a[0], attack->a[1], attack->a[2], attack->a[3],
			    attack->a[4], attack->a[5]));
	else
		attack->run(&h);
	say(&h, "end", 0);
	return WORKER_DONE;
}
