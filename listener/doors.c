/* SPDX-License-Identifier: ISC */
#include "listener/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

#define BATCH    64
#define BEGIN_MS 3000 /* for the helpers, at the start */

/* A client that vanished without a word is found out within about two minutes. */
#define IDLE_S   60
#define PROBE_S  20
#define UNACK_MS 60000

static bool
is_room(void)
{
	return listener.used < listener.hello.limits.sessions && listener.used < SESSIONS_MOST;
}

/*
 * At the start of a suite its helpers may come a moment after the broker: the first
 * clients wait for them, and are not refused.
 */
bool
doors_begun(void)
{
	if ((listener.hello.authenticator_up && listener.hello.auditor_up) ||
	    listener.now - listener.started >= BEGIN_MS)
		listener.begun = true;
	return listener.begun;
}

void
doors_adjust(void)
{
	bool pause = listener.broker_state != IPC_OPEN || listener.draining || !is_room() ||
		     !doors_begun();

	reserve_restore();
	if (pause == listener.paused)
		return;
	listener.paused = pause;
	for (size_t i = 0; i < listener.ndoors; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener.doors[i]};
		int how = pause ? EPOLL_CTL_DEL : EPOLL_CTL_ADD;

		if (epoll_ctl(listener.epoll, how, listener.doors[i].fd, &event) < 0)
			bug("epoll lost a door");
	}
}

/* An IPv4 address, or the /64 of an IPv6 one; never 0. */
static uint64_t
key_of(const struct ipc_addr *client)
{
	uint64_t key = 0;

	memcpy(&key, client->ip, client->family == 6 ? 8 : 4);
	return (key ^ listener.source_salt) | 1ULL << (client->family == 6 ? 63 : 62);
}

static bool
in_range(const struct ipc_range *range, const struct ipc_addr *client)
{
	unsigned int whole = range->bits / 8, rest = range->bits % 8;

	if (range->family == IPC_RANGE_UNIX)
		return client->family == 0;
	if (!range->family || range->family != client->family ||
	    range->bits > (range->family == 4 ? 32 : 128))
		return false;
	return memcmp(range->ip, client->ip, whole) == 0 &&
	       (!rest || (range->ip[whole] ^ client->ip[whole]) >> (8 - rest) == 0);
}

bool
is_listed_proxy(const struct ipc_addr *client)
{
	for (size_t i = 0; i < IPC_PROXIES; i++) {
		if (in_range(&listener.hello.limits.proxies[i], client))
			return true;
	}
	return false;
}

/* Open addressing; the table is never full, as there are fewer sessions than places. */
static struct count_of_source *
place_of(uint64_t key)
{
	uint64_t at = key * 0x9e3779b97f4a7c15ULL >> 40;

	while (listener.sources[at % SOURCES_MOST].key &&
	       listener.sources[at % SOURCES_MOST].key != key)
		at++;
	return &listener.sources[at % SOURCES_MOST];
}

/* Takes a place out and moves up what was put behind it for want of it. */
static void
give_up(struct count_of_source *place)
{
	size_t at = (size_t)(place - listener.sources);

	place->key = 0;
	for (;;) {
		struct count_of_source moved;

		at = (at + 1) % SOURCES_MOST;
		if (!listener.sources[at].key)
			return;
		moved = listener.sources[at];
		listener.sources[at].key = 0;
		*place_of(moved.key) = moved;
	}
}

void
source_leave(const struct ipc_addr *client)
{
	struct count_of_source *place = place_of(key_of(client));

	if (client->proxy)
		return;
	if (!place->key)
		bug("a source was counted down too often");
	if (--place->sessions == 0)
		give_up(place);
}

/* A proxy's address says nothing about whose the session is: it is not counted. */
static bool
source_join(const struct ipc_addr *client)
{
	uint64_t key = key_of(client);
	struct count_of_source *place = place_of(key);

	if (client->proxy)
		return true;
	if (place->key && place->sessions >= listener.hello.limits.sessions_per_source)
		return false;
	if (!place->key)
		*place = (struct count_of_source){key, 0};
	place->sessions++;
	return true;
}

static struct ipc_addr
address_of(const struct sockaddr_storage *from)
{
	struct ipc_addr addr = {0};
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

	if (from->ss_family == AF_INET) {
		addr.family = 4;
		addr.port = ntohs(v4->sin_port);
		memcpy(addr.ip, &v4->sin_addr, 4);
	} else if (from->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		addr.family = 4;
		addr.port = ntohs(v6->sin6_port);
		memcpy(addr.ip, &v6->sin6_addr.s6_addr[12], 4);
	} else if (from->ss_family == AF_INET6) {
		addr.family = 6;
		addr.port = ntohs(v6->sin6_port);
		memcpy(addr.ip, &v6->sin6_addr, 16);
	}
	return addr;
}

/* The worker has no setsockopt(2). A door that is no TCP socket takes none of these. */
static void
set_options(int client)
{
	const struct {
		int level, name, value;
	} options[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1},         {IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, PROBE_S}, {IPPROTO_TCP, TCP_USER_TIMEOUT, UNACK_MS},
		{IPPROTO_TCP, TCP_NODELAY, 1},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		(void)setsockopt(client, options[i].level, options[i].name, &options[i].value,
				 sizeof(options[i].value));
}

void
reserve_restore(void)
{
	if (listener.reserve < 0)
		listener.reserve = fcntl(listener.null, F_DUPFD_CLOEXEC, 3);
}

/* Out of descriptors: take the client with the reserve, and let it go. */
static void
shed(int door)
{
	int client;

	if (listener.reserve >= 0)
		close(listener.reserve);
	listener.reserve = -1;
	client = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client >= 0)
		close(client);
	reserve_restore();
	if (listener.shed_total++ == 0)
		log_note("out of descriptors: clients are turned away; raise LimitNOFILE=");
}

void
door_take(int fd, const struct sockaddr_storage *from)
{
	struct ipc_addr client = address_of(from);

	client.proxy = is_listed_proxy(&client);
	if (source_join(&client)) {
		set_options(fd);
		session_begin(fd, &client);
	} else {
		close(fd);
		listener.shed_total++;
	}
}

void
door_ready(struct source *door)
{
	for (int i = 0; i < BATCH && is_room(); i++) {
		struct sockaddr_storage from = {0};
		socklen_t size = sizeof(from);
		int fd = accept4(door->fd, (struct sockaddr *)&from, &size,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE))
			shed(door->fd);
		if (fd < 0)
			return;
		door_take(fd, &from);
	}
}
