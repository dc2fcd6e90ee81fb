/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define STAGGER_MS 250 /* RFC 8305, 5: between two attempts */
#define V4_AT      offsetof(struct sockaddr_in, sin_addr)
#define V6_AT      offsetof(struct sockaddr_in6, sin6_addr)

static socklen_t
to_kernel(const struct ipc_addr *addr, struct sockaddr_in6 *to)
{
	bool v4 = addr->family == 4;

	*to = (struct sockaddr_in6){.sin6_family = v4 ? AF_INET : AF_INET6};
	to->sin6_port = htons(addr->port); /* at the same place in both */
	memcpy((char *)to + (v4 ? V4_AT : V6_AT), addr->ip, v4 ? 4 : 16);
	return v4 ? sizeof(struct sockaddr_in) : sizeof(*to);
}

/* An end of a socket; the unspecified address when it has none. */
static struct ipc_addr
end_of(int fd, int (*name_of)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_in6 name = {0};
	socklen_t size = sizeof(name);
	struct ipc_addr addr = {0};

	(void)name_of(fd, (struct sockaddr *)&name, &size);
	addr.family = name.sin6_family == AF_INET ? 4 : 6;
	addr.port = ntohs(name.sin6_port);
	memcpy(addr.ip, (char *)&name + (addr.family == 4 ? V4_AT : V6_AT),
	       addr.family == 4 ? 4 : 16);
	return addr;
}

bool
dial_own(const struct ipc_addr *addr)
{
	struct sockaddr_in6 name;
	socklen_t size = to_kernel(addr, &name);
	int fd = socket(name.sin6_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), bound;

	name.sin6_port = 0;
	bound = bind(fd, (struct sockaddr *)&name, size);
	close(fd);
	/* Without a socket: fail closed; the dial would fail likewise. */
	return fd < 0 || bound == 0;
}

static void
attempt_ready(struct peer *peer)
{
	struct attempt *attempt = container_of(peer, struct attempt, peer);
	struct stream *stream = attempt->stream;
	int fd = peer->fd, error = 0;
	struct ipc_addr far = end_of(fd, getpeername);
	const struct ipc_addr *judged = &stream->addrs[attempt - stream->attempts];
	socklen_t size = sizeof(error);

	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		peer_close(peer);
		stream->reason = REASON_ERRNO + (unsigned int)error;
		stream->failed++;
		dial_next(stream);
		return;
	}
	(void)epoll_ctl(broker.epoll, EPOLL_CTL_DEL, fd, NULL);
	peer->fd = -1;
	dial_stop(stream);
	stream->record.peer = far;
	stream->record.local = end_of(fd, getsockname);
	stream_connected(stream, fd, memcmp(&far, judged, sizeof(far)) == 0);
}

/*
 * A datagram socket on a near port that the session has already. What comes from
 * anybody before it is connected is dropped.
 */
static bool
share_port(int fd, const struct sockaddr_in6 *to, uint16_t port)
{
	struct sock_filter none = {BPF_RET | BPF_K, 0, 0, 0};
	struct sock_fprog nothing = {1, &none};
	struct sockaddr_in6 near = {.sin6_family = to->sin6_family, .sin6_port = htons(port)};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &nothing, sizeof(nothing)) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) == 0 &&
	       bind(fd, (struct sockaddr *)&near, sizeof(near)) == 0;
}

/* Makes the socket with all that its worker may not set, and begins to connect it. */
static bool
attempt_start(struct stream *stream, uint8_t i, uint64_t pace)
{
	static const int options[][3] = {{IPPROTO_TCP, TCP_NODELAY, 1},
					 {SOL_SOCKET, SO_KEEPALIVE, 1},
					 {IPPROTO_TCP, TCP_KEEPIDLE, 60},
					 {IPPROTO_TCP, TCP_KEEPINTVL, 20},
					 {IPPROTO_TCP, TCP_USER_TIMEOUT, 60000 /* ms */}};
	struct attempt *attempt = &stream->attempts[i];
	struct sockaddr_in6 to;
	socklen_t size = to_kernel(&stream->addrs[i], &to);
	/* A live datagram socket of this session holds its port: nobody else has it. */
	struct stream *beside = stream_find(stream->session, stream->beside, STREAM_LIVE);
	bool udp = stream->record.protocol == PROTOCOL_UDP;
	int type = udp ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(to.sin6_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool bad = fd < 0;

	*attempt = (struct attempt){{.fd = -1, .ready = attempt_ready}, stream};
	for (size_t j = 0; !bad && !udp && j < sizeof(options) / sizeof(options[0]); j++)
		bad = setsockopt(fd, options[j][0], options[j][1], &options[j][2], sizeof(int)) < 0;
	if (!bad && pace)
		bad = setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pace, sizeof(pace)) < 0;
	if (!bad && udp && beside && beside->record.protocol == PROTOCOL_UDP)
		bad = !share_port(fd, &to, beside->record.local.port);
	if (!bad)
		bad = connect(fd, (struct sockaddr *)&to, size) < 0 && errno != EINPROGRESS;
	/* From now on, and not before, its port can be shared; until then it is nobody's. */
	if (!bad && udp)
		bad = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0;
	if (!bad && udp) /* there is none on a port that is not shared */
		(void)setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int));
	if (!bad && peer_open(&attempt->peer, fd, EPOLLOUT) == 0)
		return true;
	stream->reason = REASON_ERRNO + (unsigned int)errno;
	stream->failed++;
	if (bad && fd >= 0)
		close(fd);
	return false;
}

void
dial_next(struct stream *stream)
{
	const struct image_grant *grant = stream->session->grant;
	uint64_t last = stream->since_ms + (grant ? grant->connect_timeout_ms : 0);
	bool begun = false;

	while (!begun && stream->dialled < stream->n && broker.now < last)
		begun = attempt_start(stream, stream->dialled++, grant->bytes_per_second);
	if (stream->failed == stream->n)
		stream_refuse(stream, stream->reason);
	else if (broker.now >= last)
		stream_refuse(stream, REASON_TIMEOUT);
	else if (stream->dialled < stream->n && broker.now + STAGGER_MS < last)
		stream->due = broker.now + STAGGER_MS;
	else
		stream->due = last;
}

void
dial_stop(struct stream *stream)
{
	for (uint8_t i = 0; i < stream->dialled; i++)
		peer_close(&stream->attempts[i].peer);
}
