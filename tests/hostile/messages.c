/* SPDX-License-Identifier: ISC */
/* Attacks on the broker, by the channel that a worker rightly has. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "ipc/words.h"
#include "tests/hostile/hostile.h"

#define DESCRIPTORS   253
#define FLOOD_SECONDS 4
#define FLOOD_TRIES   50000000

static struct ipc_open
request(const struct hostile *h, uint32_t tag)
{
	return (struct ipc_open){.head = {MSG_OPEN},
				 .tag = tag,
				 .addr = {4, 0, (uint16_t)param(h, "port"), {127, 0, 0, 1}},
				 .protocol = PROTOCOL_TCP};
}

/* The broker ends a session that breaks the protocol; then the channel is at its end. */
static void
see_the_end(struct hostile *h)
{
	struct ipc_buffer buffer = {0};
	struct ipc_got got;
	long messages = 0;

	while (wait_readable(h->channel, 3000)) {
		if (ipc_take(h->channel, &buffer, &got, true) < 0 || (!got.length && !got.fds)) {
			say(h, "channel closed after messages", messages);
			return;
		}
		messages++;
		if (got.length >= sizeof(buffer.any.head) && buffer.any.head.type == MSG_REFUSED)
			say(h, "REFUSED by reason", (long)buffer.any.REFUSED_body.reason);
	}
	say(h, "channel still open after messages", messages);
}

static void
send_wrong(struct hostile *h, const void *bytes, size_t n)
{
	say(h, "write", write(h->channel, bytes, n) < 0 ? -1 : 0);
	see_the_end(h);
}

static void
too_short(struct hostile *h)
{
	struct ipc_auth auth = {.head = {MSG_AUTH}, .dialect = DIALECT_RAW};

	send_wrong(h, &auth, sizeof(auth) - 1);
}

static void
trailing(struct hostile *h)
{
	struct {
		struct ipc_auth auth;
		char more[8];
	} both = {.auth = {.head = {MSG_AUTH}, .dialect = DIALECT_RAW}};

	send_wrong(h, &both, sizeof(both));
}

static void
too_large(struct hostile *h)
{
	static char bytes[65536];
	const struct ipc_head head = {MSG_AUTH};

	memcpy(bytes, &head, sizeof(head));
	send_wrong(h, bytes, sizeof(bytes));
}

static void
one_byte(struct hostile *h)
{
	send_wrong(h, "x", 1);
}

static void
unknown_type(struct hostile *h)
{
	const struct ipc_plain plain = {{0xfffffffeU}};

	send_wrong(h, &plain, sizeof(plain));
}

/* A message that is legal on another channel, or in the other direction. */
static void
wrong_channel(struct hostile *h)
{
	struct ipc_session_end end = {.head = {MSG_SESSION_END}, .session = 1};

	send_wrong(h, &end, sizeof(end));
}

static void
wrong_way(struct hostile *h)
{
	struct ipc_granted granted = {.head = {MSG_GRANTED}, .terms = {.channels = 1000}};

	send_wrong(h, &granted, sizeof(granted));
}

static void
record_forged(struct hostile *h)
{
	static struct ipc_record record = {.head = {MSG_RECORD}, .event = EVENT_GRANTED};

	send_wrong(h, &record, sizeof(record));
}

static void
open_before_auth(struct hostile *h)
{
	struct ipc_open open = request(h, 1);

	send_wrong(h, &open, sizeof(open));
}

static void
auth_twice(struct hostile *h)
{
	struct ipc_auth auth = {.head = {MSG_AUTH}, .dialect = DIALECT_RAW};

	if (ask_granted(h))
		send_wrong(h, &auth, sizeof(auth));
}

/* Text without its end, and text behind the end. */
static void
text_unended(struct hostile *h)
{
	struct ipc_open open = request(h, 1);

	open.addr.family = 0;
	memset(open.host, 'a', sizeof(open.host));
	if (ask_granted(h))
		send_wrong(h, &open, sizeof(open));
}

static void
text_behind_its_end(struct hostile *h)
{
	struct ipc_open open = request(h, 1);

	open.addr.family = 0;
	(void)ipc_text_set(open.host, sizeof(open.host), "db.example");
	open.host[sizeof(open.host) - 2] = 'x';
	if (ask_granted(h))
		send_wrong(h, &open, sizeof(open));
}

/* A stream that is not this session's: the channel is the identity, and it has none such. */
static void
foreign_stream(struct hostile *h)
{
	struct ipc_end end = {.head = {MSG_END}, .stream = (uint32_t)param(h, "stream")};

	if (!ask_granted(h))
		return;
	for (uint32_t i = 0; i < 64; i++) {
		end.stream = (uint32_t)param(h, "stream") + i;
		if (ipc_post(h->channel, &end, sizeof(end)) < 0) {
			say(h, "END", -1);
			break;
		}
	}
	see_the_end(h);
}

/* The same tag again and again: each is judged on its own. */
static void
replayed(struct hostile *h)
{
	struct ipc_open open = request(h, 5);

	if (!ask_granted(h))
		return;
	open.addr.port = (uint16_t)param(h, "victim");
	for (int i = 0; i < 4; i++)
		(void)ipc_post(h->channel, &open, sizeof(open));
	see_the_end(h);
}

/* As fast as the channel takes them, for a while: the broker hears its share of them. */
static void
flood(struct hostile *h)
{
	struct ipc_open open = request(h, 0);
	long sent = 0, tries = 0;
	struct timespec began, now;

	open.addr.port = (uint16_t)param(h, "victim");
	if (!ask_granted(h))
		return;
	clock_gettime(CLOCK_MONOTONIC, &began);
	for (now = began; now.tv_sec < began.tv_sec + FLOOD_SECONDS && tries < FLOOD_TRIES;
	     tries++) {
		struct ipc_buffer buffer = {0};
		struct ipc_got got;

		open.tag++;
		if (ipc_post(h->channel, &open, sizeof(open)) == 0)
			sent++;
		else if (errno != EAGAIN)
			break;
		while (ipc_take(h->channel, &buffer, &got, true) == 0 && got.length)
			;
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	say(h, "sent", sent);
}

/* Says that a stream is done with, and keeps it. */
static void
kept_copy(struct hostile *h)
{
	struct ipc_end end = {.head = {MSG_END}};
	uint32_t stream = 0;
	char byte;
	int fd = ask_granted(h) ? ask_stream(h, (uint16_t)param(h, "port"), &stream) : -1;

	if (fd < 0)
		return;
	say(h, "write before END", write(fd, "a\n", 2));
	end.stream = stream;
	say(h, "END", ipc_post(h->channel, &end, sizeof(end)));
	(void)wait_readable(h->client, 1500);
	say(h, "write after END", write(fd, "b\n", 2));
	while (wait_readable(fd, 500) && read(fd, &byte, 1) == 1)
		;
	say(h, "read after END", read(fd, &byte, 1));
	say(h, "another stream", ask_stream(h, (uint16_t)param(h, "port"), NULL) >= 0);
}

/* An honest stream, to see from outside whether another session can touch it. */
static void
stream_hold(struct hostile *h)
{
	char byte = 0;
	uint32_t stream = 0;
	int fd = ask_granted(h) ? ask_stream(h, (uint16_t)param(h, "port"), &stream) : -1;

	if (fd < 0)
		return;
	say(h, "stream", (long)stream);
	while (wait_readable(h->client, 30000) && read(h->client, &byte, 1) == 1) {
		(void)!write(fd, &byte, 1);
		(void)wait_readable(fd, 2000);
		say(h, "echo", read(fd, &byte, 1));
	}
}

/* As many descriptors as fit, again and again. Needs sendmsg: the filter is off. */
static void
descriptors(struct hostile *h)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
	} control = {0};
	struct ipc_auth auth = {.head = {MSG_AUTH}, .dialect = DIALECT_RAW};
	struct iovec piece = {&auth, sizeof(auth)};
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	long sent = 0;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(DESCRIPTORS * sizeof(int));
	for (size_t i = 0; i < DESCRIPTORS; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &h->client, sizeof(int));
	while (sent < 10000) {
		if (sendmsg(h->channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			sent++;
		else if (errno != EAGAIN)
			break;
	}
	say(h, "sent with descriptors", sent);
	see_the_end(h);
}

#define RUN(name, how)        \
	{                     \
		name, how, 0, \
		{             \
			0     \
		}             \
	}

const struct attack attacks_messages[] = {
	RUN("too-short", too_short),
	RUN("trailing", trailing),
	RUN("too-large", too_large),
	RUN("one-byte", one_byte),
	RUN("unknown-type", unknown_type),
	RUN("wrong-channel", wrong_channel),
	RUN("wrong-way", wrong_way),
	RUN("record-forged", record_forged),
	RUN("open-before-auth", open_before_auth),
	RUN("auth-twice", auth_twice),
	RUN("text-unended", text_unended),
	RUN("text-behind-its-end", text_behind_its_end),
	RUN("foreign-stream", foreign_stream),
	RUN("replayed", replayed),
	RUN("flood", flood),
	RUN("kept-copy", kept_copy),
	RUN("stream-hold", stream_hold),
	RUN("descriptors", descriptors),
	{NULL, NULL, 0, {0}},
};
