/* SPDX-License-Identifier: ISC */
/*
 * Attacks by a socket that was rightly given: to reach another address with it,
 * to serve with it, to change it. Each ends the process; where confinement is
 * left out they succeed, and what they reach is the namespace of the socket's
 * maker, not the worker's own.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

static struct sockaddr_in
victim(const struct hostile *h)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)param(h, "victim")),
				    .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* A connected socket is turned into one to somewhere else. */
static void
reconnect(struct hostile *h, int fd)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	struct sockaddr_in to = victim(h);
	const char word[] = "hostile bytes\n";
	long result;

	result = connect(fd, &nowhere, sizeof(nowhere));
	if (fd != h->client || result < 0)
		say(h, "connect to AF_UNSPEC", result);
	result = connect(fd, (struct sockaddr *)&to, sizeof(to));
	if (result < 0 && errno == EINPROGRESS)
		result = 0;
	if (fd != h->client || result < 0)
		say(h, "connect to the victim", result);
	(void)wait_readable(h->channel, 200);
	result = write(fd, word, sizeof(word) - 1);
	if (fd != h->client || result < 0)
		say(h, "write to the victim", result);
}

static void
client_reconnect(struct hostile *h)
{
	reconnect(h, h->client);
}

static void
stream_reconnect(struct hostile *h)
{
	int fd = ask_granted(h) ? ask_stream(h, (uint16_t)param(h, "port"), NULL) : -1;

	if (fd >= 0)
		reconnect(h, fd);
}

/* Without AF_UNSPEC first: the shortest way that could be overlooked. */
static void
stream_connect(struct hostile *h)
{
	int fd = ask_granted(h) ? ask_stream(h, (uint16_t)param(h, "port"), NULL) : -1;
	struct sockaddr_in to = victim(h);

	if (fd >= 0)
		say(h, "connect", connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

/* A socket of the broker's namespace that serves there. */
static void
serve(struct hostile *h, int fd)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	struct sockaddr_in at = victim(h);

	(void)connect(fd, &nowhere, sizeof(nowhere));
	say(h, "bind", bind(fd, (struct sockaddr *)&at, sizeof(at)));
	say(h, "listen", listen(fd, 1));
	(void)wait_readable(fd, 2000);
	say(h, "accept", accept4(fd, NULL, NULL, SOCK_CLOEXEC));
}

static void
stream_serve(struct hostile *h)
{
	int fd = ask_granted(h) ? ask_stream(h, (uint16_t)param(h, "port"), NULL) : -1;

	if (fd >= 0)
		serve(h, fd);
}

static void
stream_bind(struct hostile *h)
{
	struct sockaddr_in at = victim(h);
	int fd = ask_granted(h) ? ask_stream(h, (uint16_t)param(h, "port"), NULL) : -1;

	if (fd >= 0)
		say(h, "bind", bind(fd, (struct sockaddr *)&at, sizeof(at)));
}

static void
channel_listen(struct hostile *h)
{
	say(h, "listen", listen(h->channel, 1));
}

static void
client_accept(struct hostile *h)
{
	say(h, "accept", accept(h->client, NULL, NULL));
}

static void
client_accept4(struct hostile *h)
{
	say(h, "accept4", accept4(h->client, NULL, NULL, 0));
}

static void
client_sendto(struct hostile *h)
{
	struct sockaddr_in to = victim(h);

	say(h, "sendto",
	    sendto(h->client, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)));
}

static void
client_sendmsg(struct hostile *h)
{
	struct sockaddr_in to = victim(h);
	struct iovec piece = {(char[]){"x"}, 1};
	struct msghdr message = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &piece, .msg_iovlen = 1};

	say(h, "sendmsg", sendmsg(h->client, &message, MSG_NOSIGNAL));
}

static void
client_sendmmsg(struct hostile *h)
{
	struct iovec piece = {(char[]){"x"}, 1};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};

	say(h, "sendmmsg", sendmmsg(h->client, &message, 1, MSG_NOSIGNAL));
}

/* A connected UDP socket takes another destination with each datagram. */
static void
udp_sendto(struct hostile *h)
{
	struct sockaddr_in to = victim(h);
	int fd = ask_granted(h) ? ask_stream(h, (uint16_t)param(h, "port"), NULL) : -1;

	if (fd >= 0)
		say(h, "sendto", sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)));
}

static void
udp_connect(struct hostile *h)
{
	struct sockaddr_in to = victim(h);
	int fd = ask_granted(h) ? ask_stream(h, (uint16_t)param(h, "port"), NULL) : -1;

	if (fd < 0)
		return;
	say(h, "connect", connect(fd, (struct sockaddr *)&to, sizeof(to)));
	say(h, "write", write(fd, "x", 1));
}

static void
udp_sendmsg(struct hostile *h)
{
	struct sockaddr_in to = victim(h);
	struct iovec piece = {(char[]){"x"}, 1};
	struct msghdr message = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &piece, .msg_iovlen = 1};
	int fd = ask_granted(h) ? ask_stream(h, (uint16_t)param(h, "port"), NULL) : -1;

	if (fd >= 0)
		say(h, "sendmsg", sendmsg(fd, &message, 0));
}

static void
client_option(struct hostile *h)
{
	unsigned int value = ~0U;

	say(h, "pacing up", setsockopt(h->client, SOL_SOCKET, SO_MAX_PACING_RATE, &value, 4));
}

static void
client_options(struct hostile *h)
{
	const struct {
		const char *name;
		int level;
		int option;
	} some[] = {
		{"mark", SOL_SOCKET, SO_MARK},          {"buffers", SOL_SOCKET, SO_RCVBUFFORCE},
		{"linger", SOL_SOCKET, SO_LINGER},      {"device", SOL_SOCKET, SO_BINDTODEVICE},
		{"bpf", SOL_SOCKET, SO_ATTACH_BPF},     {"transparent", IPPROTO_IP, IP_TRANSPARENT},
		{"IP options", IPPROTO_IP, IP_OPTIONS}, {"ulp", IPPROTO_TCP, TCP_ULP},
	};
	unsigned long which = param(h, "which") % (sizeof(some) / sizeof(some[0]));
	int value[2] = {1, 0};

	say(h, some[which].name,
	    setsockopt(h->client, some[which].level, some[which].option, value, sizeof(value)));
}

static void
client_getsockopt(struct hostile *h)
{
	int value;
	socklen_t size = sizeof(value);

	say(h, "getsockopt", getsockopt(h->client, SOL_SOCKET, SO_MARK, &value, &size));
}

/* Interfaces of the namespace in which the socket was made. */
static void
client_interfaces(struct hostile *h)
{
	struct ifreq room[8] = {0};
	struct ifconf list = {.ifc_len = sizeof(room), .ifc_req = room};
	struct ifreq one = {0};

	say(h, "SIOCGIFCONF", ioctl(h->client, SIOCGIFCONF, &list));
	say(h, "first interface's name begins with", room[0].ifr_name[0]);
	say(h, "SIOCGSKNS", ioctl(h->client, SIOCGSKNS, 0));
	strcpy(one.ifr_name, "lo");
	say(h, "SIOCGIFFLAGS", ioctl(h->client, SIOCGIFFLAGS, &one));
}

#define CALL(name, ...)                 \
	{                               \
		name, NULL, __VA_ARGS__ \
	}

const struct attack attacks_sockets[] = {
	{"client-reconnect", client_reconnect, 0, {0}},
	{"stream-reconnect", stream_reconnect, 0, {0}},
	{"stream-connect", stream_connect, 0, {0}},
	{"stream-serve", stream_serve, 0, {0}},
	{"stream-bind", stream_bind, 0, {0}},
	{"channel-listen", channel_listen, 0, {0}},
	{"client-accept", client_accept, 0, {0}},
	{"client-accept4", client_accept4, 0, {0}},
	{"client-sendto", client_sendto, 0, {0}},
	{"client-sendmsg", client_sendmsg, 0, {0}},
	{"client-sendmmsg", client_sendmmsg, 0, {0}},
	{"udp-sendto", udp_sendto, 0, {0}},
	{"udp-connect", udp_connect, 0, {0}},
	{"udp-sendmsg", udp_sendmsg, 0, {0}},
	{"client-option", client_option, 0, {0}},
	{"client-options", client_options, 0, {0}},
	{"client-getsockopt", client_getsockopt, 0, {0}},
	{"client-interfaces", client_interfaces, 0, {0}},
	CALL("socket-inet-stream", SYS_socket, {AF_INET, SOCK_STREAM, 0}),
	CALL("socket-inet-dgram", SYS_socket, {AF_INET, SOCK_DGRAM, 0}),
	CALL("socket-inet-raw", SYS_socket, {AF_INET, SOCK_RAW, IPPROTO_ICMP}),
	CALL("socket-inet6", SYS_socket, {AF_INET6, SOCK_STREAM, 0}),
	CALL("socket-unix", SYS_socket, {AF_UNIX, SOCK_SEQPACKET, 0}),
	CALL("socket-netlink", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}),
	CALL("socket-packet", SYS_socket, {AF_PACKET, SOCK_RAW, 0}),
	CALL("socket-vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}),
	CALL("socket-alg", SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}),
	{NULL, NULL, 0, {0}},
};
