/* SPDX-License-Identifier: ISC */
#include "cli/http.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 2000 /* for the client to take the answer */
#define LINGER_MS 500

/* A part of the head. */
struct piece {
	const char *at;
	size_t n;
};

ssize_t
http_head(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != '\n')
			continue;
		if (i == 0 || bytes[i - 1] != '\r')
			return -1;
		if (i >= 3 && bytes[i - 2] == '\n')
			return (ssize_t)i + 1;
	}
	return 0;
}

static bool
is_token(struct piece piece)
{
	for (size_t i = 0; i < piece.n; i++) {
		unsigned char c = (unsigned char)piece.at[i];

		if (c <= ' ' || c > '~' || strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return piece.n > 0;
}

static bool
is(struct piece piece, const char *word)
{
	return piece.n == strlen(word) && memcmp(piece.at, word, piece.n) == 0;
}

static bool
is_name(struct piece piece, const char *word)
{
	return piece.n == strlen(word) && strncasecmp(piece.at, word, piece.n) == 0;
}

/* Takes off what is before @end, and @end too. False: there is none, and nothing changes. */
static bool
cut(struct piece *rest, char end, struct piece *before)
{
	const char *at = memchr(rest->at, end, rest->n);

	if (!at)
		return false;
	*before = (struct piece){rest->at, (size_t)(at - rest->at)};
	rest->n -= before->n + 1;
	rest->at = at + 1;
	return true;
}

/* Without its CR LF. */
static struct piece
next_line(struct piece *rest)
{
	struct piece line = {rest->at, 0};

	if (cut(rest, '\n', &line) && line.n)
		line.n--;
	return line;
}

static bool
is_version(struct piece piece)
{
	return piece.n == 8 && memcmp(piece.at, "HTTP/", 5) == 0 && piece.at[5] >= '0' &&
	       piece.at[5] <= '9' && piece.at[6] == '.' && piece.at[7] >= '0' && piece.at[7] <= '9';
}

static bool
is_printable(struct piece piece, char also)
{
	for (size_t i = 0; i < piece.n; i++) {
		unsigned char c = (unsigned char)piece.at[i];

		if ((c < ' ' && c != '\t') || c == 0x7f || (c == ' ' && also != ' ') ||
		    (c == '\t' && also != ' '))
			return false;
	}
	return true;
}

static struct piece
trimmed(struct piece piece)
{
	while (piece.n && (piece.at[0] == ' ' || piece.at[0] == '\t')) {
		piece.at++;
		piece.n--;
	}
	while (piece.n && (piece.at[piece.n - 1] == ' ' || piece.at[piece.n - 1] == '\t'))
		piece.n--;
	return piece;
}

/* Of a Host field: no name that somebody else could have lead here? */
static bool
is_ours(struct piece host)
{
	const char *port = memrchr(host.at, ':', host.n);
	size_t digits = 0;

	if (port)
		host.n = (size_t)(port - host.at);
	/* A browser takes what is in brackets, or all digits and dots, for an address alone. */
	while (digits < host.n && strchr("0123456789.", host.at[digits]))
		digits++;
	return digits == host.n || host.at[0] == '[' || is_name(host, "localhost");
}

/* One field; false when it is none, or announces a body. @hosts: counted. @host: the last. */
static bool
field(struct piece line, unsigned int *hosts, struct piece *host)
{
	struct piece name;
	struct piece value;

	if (!cut(&line, ':', &name) || !is_token(name) || !is_printable(line, ' '))
		return false;
	value = trimmed(line);
	if (is_name(name, "Host")) {
		*hosts += 1;
		*host = value;
	}
	if (is_name(name, "Content-Length"))
		return is(value, "0");
	return !is_name(name, "Transfer-Encoding");
}

int
http_judge(const char *head, size_t n, bool near, bool *body)
{
	struct piece rest = {head, n};
	struct piece version = next_line(&rest);
	struct piece method, target, line, host = {"", 0};
	unsigned int hosts = 0;

	*body = true;
	if (!cut(&version, ' ', &method) || !cut(&version, ' ', &target) || !is_token(method) ||
	    !target.n || !is_printable(target, 0) || !is_version(version))
		return 400;
	if (memcmp(version.at, "HTTP/1.", 7) != 0 || version.at[7] > '1')
		return 505;
	for (line = next_line(&rest); line.n; line = next_line(&rest)) {
		if (!field(line, &hosts, &host))
			return 400;
	}
	if (hosts > 1 || (hosts == 0 && version.at[7] == '1'))
		return 400;
	*body = !is(method, "HEAD");
	if (near && !is_ours(host))
		return 421;
	if (!is(target, "/metrics"))
		return 404;
	return is(method, "GET") || !*body ? 200 : 405;
}

static int64_t
clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns false when it did not come about in time. */
static bool
wait_for(int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd polled = {fd, events, 0};
		int64_t left = deadline - clock_ms();
		int n = left > 0 ? poll(&polled, 1, (int)left) : 0;

		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
}

static bool
is_near(int fd)
{
	struct sockaddr_in6 name = {0};
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&name;
	const uint8_t *mapped = &name.sin6_addr.s6_addr[12];

	if (getsockname(fd, (struct sockaddr *)&name, &(socklen_t){sizeof(name)}) < 0)
		return false;
	if (name.sin6_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return name.sin6_family == AF_INET6 &&
	       (IN6_IS_ADDR_LOOPBACK(&name.sin6_addr) ||
		(IN6_IS_ADDR_V4MAPPED(&name.sin6_addr) && *mapped == 127));
}

/* Returns the status to answer with; 0: nobody asked. */
static int
take_request(int in, int64_t deadline, bool *body)
{
	bool near = is_near(in);
	char bytes[HTTP_HEAD];
	size_t n = 0;

	while (n < sizeof(bytes)) {
		ssize_t got;
		ssize_t head;

		if (!wait_for(in, POLLIN, deadline))
			return n ? 408 : 0;
		got = read(in, bytes + n, sizeof(bytes) - n);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return n && got == 0 ? 400 : 0;
		n += (size_t)got;
		head = http_head(bytes, n);
		if (head)
			return head < 0 ? 400 : http_judge(bytes, (size_t)head, near, body);
	}
	return 431;
}

static const char *
phrase(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 421:
		return "Misdirected Request";
	case 431:
		return "Request Header Fields Too Large";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Internal Server Error";
	}
}

static bool
put(int out, const char *bytes, size_t n, int64_t deadline)
{
	while (n) {
		ssize_t done = write(out, bytes, n);

		if (done < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (done < 0 && !wait_for(out, POLLOUT, deadline))
			return false;
		if (done > 0) {
			bytes += done;
			n -= (size_t)done;
		}
	}
	return true;
}

static bool
answer(int out, int status, const char *type, struct piece page, bool body, int64_t deadline)
{
	char head[512];
	char date[64];
	time_t now = time(NULL);
	struct tm day;
	int n;

	gmtime_r(&now, &day);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &day);
	n = snprintf(head, sizeof(head),
		     "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		     "%sCache-Control: no-store\r\nConnection: close\r\n\r\n",
		     status, phrase(status), date, type, page.n,
		     status == 405 ? "Allow: GET, HEAD\r\n" : "");
	return put(out, head, (size_t)n, deadline) &&
	       (!body || put(out, page.at, page.n, deadline));
}

/* What is closed with bytes unread is reset, and the answer may be lost with it. */
static void
linger(int in, int out)
{
	int64_t until = clock_ms() + LINGER_MS;
	char dropped[4096];
	int n = 0;

	if (shutdown(out, SHUT_WR) < 0)
		return;
	while (n++ < 64 && wait_for(in, POLLIN, until) && read(in, dropped, sizeof(dropped)) > 0)
		;
}

int
http_serve(int in, int out, char *(*page)(void *context, size_t *length), void *context,
	   const char *type)
{
	struct piece text = {NULL, 0};
	char *made = NULL;
	bool body = true;
	char words[64];
	int status;

	if (fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK) < 0 ||
	    fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK) < 0)
		return 0;
	status = take_request(in, clock_ms() + HTTP_MS, &body);
	if (!status)
		return 0;
	if (status == 200) {
		made = page(context, &text.n);
		text.at = made;
		status = made ? 200 : 500;
	}
	if (status != 200) {
		type = "text/plain; charset=utf-8";
		text.n = (size_t)snprintf(words, sizeof(words), "%s\n", phrase(status));
		text.at = words;
	}
	if (answer(out, status, type, text, body, clock_ms() + ANSWER_MS))
		linger(in, out);
	else
		status = 0;
	free(made);
	return status;
}
