/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define STAGGER_MS 250 /* RFC 8305, 5: between two attempts */
#define ACCEPTS    16  /* that are taken between two ticks, so that no crowd is a flood */
#define FLAGS      (SOCK_NONBLOCK | SOCK_CLOEXEC)
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

/* An end of a socket; the unspecified address when it has none. Returns what @name_of does. */
static int
end_of(struct ipc_addr *addr, int fd, int (*name_of)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_in6 name = {0};
	int got = name_of(fd, (struct sockaddr *)&name, &(socklen_t){sizeof(name)});
	bool v4 = name.sin6_family == AF_INET;

	*addr = (struct ipc_addr){.family = v4 ? 4 : 6, .port = ntohs(name.sin6_port)};
	memcpy(addr->ip, (char *)&name + (v4 ? V4_AT : V6_AT), v4 ? 4 : 16);
	return got;
}

/* Whoever came is on record even when it is gone already: getpeername(2) would not know. */
static int
take(int fd, struct sockaddr *name, socklen_t *size)
{
	return accept4(fd, name, size, FLAGS);
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
connected(struct peer *peer)
{
	struct attempt *attempt = container_of(peer, struct attempt, peer);
	struct stream *stream = attempt->stream;
	const struct ipc_addr *judged = &stream->addrs[attempt - stream->attempts];
	int fd = peer->fd, error = 0, differs;

	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)});
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
	(void)end_of(&stream->record.peer, fd, getpeername);
	(void)end_of(&stream->record.local, fd, getsockname);
	differs = memcmp(&stream->record.peer, judged, sizeof(*judged));
	stream_connected(stream, fd, differs ? REASON_PEER_MISMATCH : REASON_NONE);
}

/* Accepts some; what listens is heard again at the next tick. */
static void
accept_some(struct peer *peer)
{
	struct stream *listening = container_of(peer, struct attempt, peer)->stream, *stream;
	struct ipc_addr from;

	listening->due = broker.now;
	for (int i = 0, fd; i < ACCEPTS && (fd = end_of(&from, peer->fd, take)) >= 0;
	     i += (int)listening->session->listening) {
		stream = stream_new(listening->session, listening->tag, PROTOCOL_INBOUND);
		if (!stream) {
			close(fd);
			return;
		}
		stream->record.peer = from;
		stream->record.local = listening->record.peer;
		stream_connected(stream, fd, stream_judge(listening, &listening->record.peer));
	}
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

/* Begins to reach what was judged, or to listen there. */
static bool
begin(struct stream *stream, int fd, const struct sockaddr_in6 *to, socklen_t size)
{
	/* A live datagram socket of this session holds its port: nobody else has it. */
	struct stream *beside = stream_find(stream->session, stream->beside, STREAM_LIVE);
	bool udp = stream->record.protocol == PROTOCOL_UDP;

	if (stream->record.protocol == PROTOCOL_LISTEN) /* 32 may wait to be taken */
		return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) == 0 &&
		       bind(fd, (const struct sockaddr *)to, size) == 0 && listen(fd, 32) == 0;
	if (udp && beside && beside->record.protocol == PROTOCOL_UDP &&
	    !share_port(fd, to, beside->record.local.port))
		return false;
	if (connect(fd, (const struct sockaddr *)to, size) < 0 && errno != EINPROGRESS)
		return false;
	if (udp) /* there is no filter on a port that is not shared */
		(void)setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int));
	/* From now on, and not before, its port can be shared; until then it is nobody's. */
	return !udp || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) == 0;
}

/* Makes the socket with all that its worker may not set; what comes in inherits it. */
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
	bool udp = stream->record.protocol == PROTOCOL_UDP;
	bool listens = stream->record.protocol == PROTOCOL_LISTEN;
	uint32_t events = listens ? EPOLLONESHOT : EPOLLOUT;
	int fd = socket(to.sin6_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | FLAGS, 0);
	bool bad = fd < 0;

	*attempt = (struct attempt){{.fd = -1, .ready = listens ? accept_some : connected}, stream};
	for (size_t j = 0; !bad && !udp && j < sizeof(options) / sizeof(options[0]); j++)
		bad = setsockopt(fd, options[j][0], options[j][1], &options[j][2], sizeof(int)) < 0;
	if (!bad && pace)
		bad = setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pace, sizeof(pace)) < 0;
	bad = bad || !begin(stream, fd, &to, size);
	if (!bad && peer_open(&attempt->peer, fd, events) == 0)
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
	uint64_t last = stream->since_ms + (grant ? grant->terms.connect_timeout_ms : 0);
	bool begun = false;

	while (!begun && stream->dialled < stream->n && broker.now < last)
		begun = attempt_start(stream, stream->dialled++, grant->bytes_per_second);
	if (begun && stream->record.protocol == PROTOCOL_LISTEN)
		stream_connected(stream, -1, REASON_NONE);
	else if (stream->failed == stream->n)
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
