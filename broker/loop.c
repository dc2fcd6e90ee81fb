/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

#include <poll.h>

#define STOP_MS 2000
#define STALL   5000 /* ms that streams live on while no record can be made */

static handler *const handlers[IPC_TYPE_COUNT] = {
	[MSG_SESSION_OPEN] = session_new,
	[MSG_SESSION_END] = session_end,
	[MSG_AUTH] = grant_auth,
	[MSG_OPEN] = grant_open,
	[MSG_END] = stream_done,
	[MSG_COUNTS] = session_counts,
	[MSG_ADDRESSES] = open_addresses,
	[MSG_VERDICT] = grant_verdict,
	[MSG_AUDIT_READY] = record_stored,
	[MSG_STORED] = record_stored,
	[MSG_STOP] = session_asked_to_stop,
};

uint64_t
clock_ns(int clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int
peer_open(struct peer *peer, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = peer};

	peer->fd = fd;
	if (epoll_ctl(broker.epoll, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	close(fd);
	peer->fd = -1;
	return fail("cannot wait for a descriptor");
}

void
peer_close(struct peer *peer)
{
	if (peer->fd < 0)
		return;
	/* Not left to close(2): another process's copy would keep it in the set. */
	(void)epoll_ctl(broker.epoll, EPOLL_CTL_DEL, peer->fd, NULL);
	close(peer->fd);
	peer->fd = -1;
}

/* A worker beyond its share, or a new one that none can verify now, waits for the tick. */
static bool
must_wait(struct peer *peer)
{
	/* A helper that comes back at once was not away; one that hangs up is asked no more. */
	if (peer->channel == IPC_SESSION && !peer->messages)
		links_keep();
	peer->waits = peer->channel == IPC_SESSION &&
		      (++peer->messages > SHARE ||
		       (peer->messages && peer->state == IPC_NEW &&
			VERIFY_OF(container_of(peer, struct session, peer))->session));
	if (peer->waits)
		(void)epoll_ctl(broker.epoll, EPOLL_CTL_DEL, peer->fd, NULL);
	return peer->waits;
}

void
peer_message(struct peer *peer)
{
	struct ipc_buffer buffer;
	struct ipc_got got = {0, 0, -1};
	enum ipc_way way = peer->channel >= IPC_RESOLVER ? IPC_TELL : IPC_ASK;

	/* After an error comes the end. */
	if (must_wait(peer) || ipc_take(peer->fd, &buffer, &got, peer->channel == IPC_LISTENER) < 0)
		return;
	/* A session for whose descriptor there was no room is one all the same, and ends. */
	if (peer->channel == IPC_LISTENER && got.fds == 2 && got.fd < 0)
		got.fds = 1;
	if (ipc_legal(peer->channel, way, peer->state, &buffer.any, &got)) {
		broker.passed = got.fd;
		handlers[buffer.any.head.type](peer, &buffer.any);
	} else {
		close(got.fd); /* -1 when none came */
		peer_gone(peer, got.length ? REASON_PROTOCOL : REASON_NONE);
	}
	explicit_bzero(&buffer, got.length); /* it may have held a token */
}

/* Each tick: workers are heard again; what is due while too many records wait comes later. */
static void
sweep(uint64_t now)
{
	links_keep();
	for (uint32_t i = 0; i < broker.sessions_used && record_room(); i++) {
		struct session *session = &broker.sessions[i];
		struct peer *peer = &session->peer;

		if (peer->waits && peer->fd >= 0 && peer_open(peer, peer->fd, EPOLLIN) < 0)
			session_kill(session, REASON_RESOURCES);
		peer->messages = peer->waits = 0;
		if (session->due && session->due <= now)
			session_due(session);
	}
	for (uint32_t i = 0; i < broker.streams_used; i++) {
		struct stream *stream = &broker.streams[i];

		if (record_room() && stream->due && stream->due <= now)
			stream_due(stream);
		else if (broker.now - broker.room_ms > STALL)
			stream_cut(stream, REASON_AUDITOR_LOST, true);
	}
}

void
loop_run(void)
{
	struct peer *auditor = &broker.peers[IPC_AUDITOR];
	uint64_t stop_ms = 0, was;
	struct epoll_event event;
	int n;

	while (!stop_ms || (broker.stored < broker.recorded && broker.now < stop_ms)) {
		record_send();
		/* Without room for a record nothing is heard but the auditor. */
		event.data.ptr = auditor;
		n = record_room() ? epoll_wait(broker.epoll, &event, 1, TICK_MS)
				  : poll(&(struct pollfd){auditor->fd, POLLIN, 0}, 1, TICK_MS);
		if (n < 0 && errno != EINTR)
			bug("epoll_wait failed");
		was = broker.now / TICK_MS;
		broker.now = clock_ns(CLOCK_MONOTONIC) / 1000000;
		if (record_room())
			broker.room_ms = broker.now;
		if (n > 0)
			((struct peer *)event.data.ptr)->ready(event.data.ptr);
		for (uint32_t i = 0; stop_ms && i < broker.sessions_used && record_room(); i++)
			session_kill(&broker.sessions[i], REASON_DRAINING);
		if (broker.now / TICK_MS / ALIVE != was / ALIVE)
			fds_notify("WATCHDOG=1");
		/* At the end all is due. */
		if (stop_ms || broker.now / TICK_MS != was)
			sweep(stop_ms ? UINT64_MAX : broker.now);
		if (broker.reload && record_room())
			policy_load();
		if (broker.stop && !stop_ms) {
			stop_ms = broker.now + STOP_MS;
			record_new(EVENT_STOP, REASON_NONE, NULL);
		}
	}
}
