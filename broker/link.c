/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

static const char *const paths[] = {"resolver.sock", "authenticator.sock", "auditor.sock"};

bool
listener_tell(uint32_t type, const struct session *session)
{
	struct ipc_session_note note = {{type}, session->reason, session->record.session, "", ""};

	memcpy(note.grant, session->record.grant, IPC_GRANT);
	memcpy(note.subject, session->record.subject, IPC_SUBJECT);
	return ipc_post(session->listener->fd, &note, sizeof(note)) == 0;
}

void
listener_greet(void)
{
	const struct ipc_limits *limits = &broker.policy.header->limits;
	struct ipc_hello_ok hello = {{MSG_HELLO_OK}, IPC_VERSION, broker.generation, 0, 0, 0, 0,
				     *limits};

	hello.resolver_up = broker.peers[IPC_RESOLVER].fd >= 0;
	hello.authenticator_up = broker.peers[IPC_AUTHENTICATOR].fd >= 0;
	hello.auditor_up = broker.peers[IPC_AUDITOR].state == IPC_OPEN;
	for (uint32_t i = 0; i < LISTENERS_MOST; i++)
		(void)ipc_post(broker.listeners[i].fd, &hello, sizeof(hello));
}

/* What waits for a helper's answer runs into its own deadline. */
void
peer_gone(struct peer *peer, enum reason reason)
{
	if (peer->channel == IPC_SESSION) {
		session_kill(container_of(peer, struct session, peer), reason);
		return;
	}
	peer_close(peer);
	peer->state = IPC_DEAD;
	log_note("channel %d is lost; the sessions live on", peer->channel);
	listener_greet();
}

void
door_listener(struct peer *door)
{
	int fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct ucred who = {.uid = ~0U};
	struct peer *listener = broker.listeners;

	if (fd < 0)
		return;
	while (listener->fd >= 0 && listener < &broker.listeners[LISTENERS_MOST - 1])
		listener++;
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &(socklen_t){sizeof(who)});
	if (listener->fd >= 0 || who.uid != broker.listener_uid) {
		log_note("turned away one listener too many, or one of uid %u", who.uid);
		close(fd);
		return;
	}
	listener->state = IPC_OPEN;
	if (peer_open(listener, fd, EPOLLIN) == 0)
		listener_greet();
}

void
links_keep(void)
{
	struct ipc_audit_hello hello = {{MSG_AUDIT_HELLO}, IPC_VERSION, broker.instance};

	for (enum ipc_channel i = IPC_RESOLVER; i <= IPC_AUDITOR; i++) {
		struct peer *peer = &broker.peers[i];
		int fd = peer->fd < 0 ? fds_connect(paths[i - IPC_RESOLVER], SOCK_SEQPACKET) : -1;

		if (fd < 0)
			continue;
		peer->state = i == IPC_AUDITOR ? IPC_NEW : IPC_OPEN;
		if (peer_open(peer, fd, EPOLLIN) == 0 && i == IPC_AUDITOR &&
		    ipc_post(fd, &hello, sizeof(hello)) < 0)
			peer_gone(peer, REASON_RESOURCES);
		listener_greet();
		/* What the one before was asked, it may not have answered. */
		for (uint32_t n = 0; i == IPC_AUTHENTICATOR && n < VERIFY; n++)
			if (broker.verifying[n].session)
				(void)ipc_post(fd, &broker.verifying[n], sizeof(*broker.verifying));
		for (uint32_t n = 0; i == IPC_RESOLVER && n < broker.streams_used; n++)
			if (broker.streams[n].session && broker.streams[n].state == STREAM_LOOKUP)
				(void)stream_look_up(&broker.streams[n]);
	}
}
