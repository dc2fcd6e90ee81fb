/* SPDX-License-Identifier: ISC */
#include "cli/handshake.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <nettle/base64.h>
#include <nettle/sha1.h>

#include "cli/cli.h"
#include "ipc/messages.h"

#define HANDSHAKE_MS 30000
#define KEY_BYTES    16
#define REQUEST      (URL_PATH + 2 * IPC_TOKEN + 1024)

static int64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
handshake_accept(const char *key, char out[ACCEPT_TEXT])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
	uint8_t digest[SHA1_DIGEST_SIZE];
	struct sha1_ctx sha1;

	sha1_init(&sha1);
	sha1_update(&sha1, strlen(key), (const uint8_t *)key);
	sha1_update(&sha1, sizeof(guid) - 1, (const uint8_t *)guid);
	sha1_digest(&sha1, sizeof(digest), digest);
	base64_encode_raw(out, sizeof(digest), digest);
	out[ACCEPT_TEXT - 1] = '\0';
}

/* What was found in an answer; a header that comes twice spoils it. */
struct answer {
	int upgrade;
	int connection;
	int accept;
	bool extension;
	bool protocol_wrong;
};

static void
header(struct answer *answer, const char *name, const char *value, const char *accept)
{
	if (strcasecmp(name, "Upgrade") == 0)
		answer->upgrade += strcasecmp(value, "websocket") == 0 ? 1 : 2;
	else if (strcasecmp(name, "Connection") == 0)
		answer->connection += strcasecmp(value, "Upgrade") == 0 ? 1 : 2;
	else if (strcasecmp(name, "Sec-WebSocket-Accept") == 0)
		answer->accept += strcmp(value, accept) == 0 ? 1 : 2;
	else if (strcasecmp(name, "Sec-WebSocket-Extensions") == 0)
		answer->extension = true;
	else if (strcasecmp(name, "Sec-WebSocket-Protocol") == 0)
		answer->protocol_wrong |= strcmp(value, "binary") != 0;
}

/* Cuts the next line off; NULL at the empty one. */
static char *
next_line(char **head)
{
	char *line = *head;
	char *end = strstr(line, "\r\n");

	if (!end || end == line)
		return NULL;
	*end = '\0';
	*head = end + 2;
	return line;
}

static int
complain(char *why, size_t room, const char *sentence)
{
	snprintf(why, room, "%s", sentence);
	return -1;
}

int
handshake_judge(char *head, const char *accept, char *why, size_t room)
{
	struct answer answer = {0};
	char *line = next_line(&head);

	if (!line || strncmp(line, "HTTP/1.1 ", 9) != 0)
		return complain(why, room, "the server does not speak HTTP/1.1");
	if (strncmp(line + 9, "101", 3) != 0 || (line[12] && line[12] != ' ')) {
		line[9 + strnlen(line + 9, 100)] = '\0';
		printable(line);
		snprintf(why, room, "the server refused the WebSocket: %s", line + 9);
		return -1;
	}
	while ((line = next_line(&head)) != NULL) {
		char *value = strchr(line, ':');
		size_t n;

		if (!value)
			return complain(why, room, "the server's answer is malformed");
		*value++ = '\0';
		value += strspn(value, " \t");
		n = strlen(value);
		while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
			value[--n] = '\0';
		header(&answer, line, value, accept);
	}
	if (answer.upgrade != 1 || answer.connection != 1)
		return complain(why, room, "the server did not switch to a WebSocket");
	if (answer.accept != 1)
		return complain(why, room, "the server's Sec-WebSocket-Accept is wrong");
	if (answer.extension || answer.protocol_wrong)
		return complain(why, room, "the server chose what was not offered");
	return 0;
}

static int
wait_until(int fd, short events, int64_t deadline)
{
	struct pollfd polled = {fd, events, 0};
	int64_t left = deadline - clock_ms();
	int n;

	do {
		n = poll(&polled, 1, left < 0 ? 0 : (int)left);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0 ? 0 : -1;
}

static int
dial_one(const struct addrinfo *at, int64_t deadline)
{
	int on = 1;
	int error = 0;
	socklen_t size = sizeof(error);
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
		return fd;
	if (errno == EINPROGRESS && wait_until(fd, POLLOUT, deadline) == 0) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
			return fd;
		errno = error;
	}
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int
dial(const struct ws_url *url, int64_t deadline, char *why, size_t room)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int wrong = getaddrinfo(url->host, url->port, &hints, &list);
	int fd = -1;

	if (wrong) {
		snprintf(why, room, "%s: %s", url->host, gai_strerror(wrong));
		return -1;
	}
	for (struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
		fd = dial_one(at, deadline);
	if (fd < 0)
		snprintf(why, room, "cannot connect to %s port %s: %s", url->host, url->port,
			 strerror(errno));
	freeaddrinfo(list);
	return fd;
}

/* Writes ", auth.TOKEN" in base64url without padding. */
static int
token_entry(const char *token, char *out, size_t room)
{
	static const char begin[] = ", auth.";
	size_t n = strlen(token);

	if (n == 0 || n >= IPC_TOKEN || BASE64_ENCODE_RAW_LENGTH(n) + sizeof(begin) > room)
		return -1;
	memcpy(out, begin, sizeof(begin));
	{
		struct base64_encode_ctx base64;
		size_t at = sizeof(begin) - 1;

		base64url_encode_init(&base64);
		at += base64_encode_update(&base64, out + at, n, (const uint8_t *)token);
		at += base64_encode_final(&base64, out + at);
		while (out[at - 1] == '=')
			at--;
		out[at] = '\0';
	}
	return 0;
}

static int
compose(const struct ws_request *request, const char *key, char *out, char *why, size_t room)
{
	char entry[2 * IPC_TOKEN] = "";
	const struct ws_url *url = &request->url;
	int n;

	if (request->token && token_entry(request->token, entry, sizeof(entry)) < 0)
		return complain(why, room, "a token has 1 to 4095 bytes");
	n = snprintf(out, REQUEST,
		     "GET %s%ceof=message HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
		     "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
		     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: binary%s\r\n"
		     "%s%s%s\r\n",
		     url->path, strchr(url->path, '?') ? '&' : '?', url->authority, key, entry,
		     request->origin ? "Origin: " : "", request->origin ? request->origin : "",
		     request->origin ? "\r\n" : "");
	if (n < 0 || n >= REQUEST)
		return complain(why, room, "the request is too long");
	return n;
}

static int
send_all(int fd, const char *text, size_t length, int64_t deadline)
{
	while (length > 0) {
		ssize_t n = send(fd, text, length, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -1;
		if (n < 0 && wait_until(fd, POLLOUT, deadline) < 0)
			return -1;
		if (n > 0) {
			text += n;
			length -= (size_t)n;
		}
	}
	return 0;
}

/* Reads up to the empty line, and keeps what came behind it. */
static int
receive_head(struct ws_start *start, char head[ANSWER_MOST], int64_t deadline)
{
	size_t have = 0;
	char *end;

	for (;;) {
		ssize_t n = recv(start->fd, head + have, ANSWER_MOST - 1 - have, 0);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -1;
		if (n == 0) {
			errno = have == ANSWER_MOST - 1 ? EMSGSIZE : ECONNRESET;
			return -1;
		}
		if (n < 0 && wait_until(start->fd, POLLIN, deadline) < 0)
			return -1;
		if (n < 0)
			continue;
		have += (size_t)n;
		head[have] = '\0';
		end = memmem(head, have, "\r\n\r\n", 4);
		if (end)
			break;
	}
	start->rest_length = have - (size_t)(end + 4 - head);
	memcpy(start->rest, end + 4, start->rest_length);
	end[4] = '\0';
	return 0;
}

int
handshake(const struct ws_request *request, struct ws_start *start, char *why, size_t room)
{
	int64_t deadline = clock_ms() + HANDSHAKE_MS;
	uint8_t nonce[KEY_BYTES];
	char key[KEY_TEXT] = "";
	char accept[ACCEPT_TEXT];
	char text[REQUEST > ANSWER_MOST ? REQUEST : ANSWER_MOST];
	int length;

	if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return complain(why, room, "no random numbers");
	base64_encode_raw(key, sizeof(nonce), nonce);
	handshake_accept(key, accept);
	length = compose(request, key, text, why, room);
	if (length < 0)
		return -1;
	start->fd = dial(&request->url, deadline, why, room);
	if (start->fd < 0)
		return -1;
	if (send_all(start->fd, text, (size_t)length, deadline) < 0 ||
	    receive_head(start, text, deadline) < 0) {
		snprintf(why, room, "no answer to the handshake: %s", strerror(errno));
		goto out;
	}
	if (handshake_judge(text, accept, why, room) == 0)
		return 0;
out:
	close(start->fd);
	return -1;
}
