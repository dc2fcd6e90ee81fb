/* SPDX-License-Identifier: ISC */
#include "listener/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fds.h"
#include "common/log.h"

#define RETRY_MS 200

/* Without its broker a worker ends by itself; soon, or it is ended. */
static void
broker_lost(void)
{
	struct session *session;

	source_close(&listener.broker);
	listener.broker_state = IPC_NEW;
	health_look();
	log_note("the broker is gone, and its sessions with it; connecting again");
	while ((session = TAILQ_FIRST(&listener.deadlines)) ||
	       (session = TAILQ_FIRST(&listener.running))) {
		session->due_ms = listener.now + GRACE_MS;
		session_move(session, &listener.leaving);
	}
}

int
broker_post(const void *message, size_t length, int pass)
{
	if (listener.broker.fd < 0) {
		errno = ENOTCONN;
		return -1;
	}
	return pass < 0 ? ipc_post(listener.broker.fd, message, length)
			: ipc_pass(listener.broker.fd, message, length, pass);
}

static void
granted(const struct ipc_session_note *note)
{
	struct session *session = session_find(note->session);

	if (!session || session->state == WORKER_ENDED || session->reason)
		return;
	if (!session->granted)
		health_granted(session);
	session->granted = true;
	memcpy(session->grant, note->grant, sizeof(session->grant));
	memcpy(session->subject, note->subject, sizeof(session->subject));
	session_move(session, &listener.running);
}

/* NONE: the worker closed its channel and is about to exit by itself. */
static void
let_go(const struct ipc_session_note *note)
{
	struct session *session = session_find(note->session);

	if (!session || session->state == WORKER_ENDED)
		return;
	if (note->reason != REASON_NONE) {
		session_kill(session, note->reason);
		return;
	}
	/* The broker says it again until it hears the end; the first word counts. */
	if (session->list == (void *)&listener.leaving)
		return;
	session->due_ms = listener.now + GRACE_MS;
	session_move(session, &listener.leaving);
}

static void
broker_ready(struct source *source)
{
	struct ipc_buffer buffer = {0};
	struct ipc_got got = {0, 0, -1};

	if (ipc_take(source->fd, &buffer, &got, false) < 0 && errno == EAGAIN)
		return;
	if (!ipc_legal(IPC_LISTENER, IPC_TELL, listener.broker_state, &buffer.any, &got) ||
	    (buffer.any.head.type == MSG_HELLO_OK &&
	     buffer.any.HELLO_OK_body.version != IPC_VERSION)) {
		broker_lost();
		return;
	}
	switch (buffer.any.head.type) {
	case MSG_HELLO_OK:
		listener.hello = buffer.any.HELLO_OK_body;
		listener.broker_state = IPC_OPEN;
		health_look();
		return;
	case MSG_SESSION_GRANTED:
		granted(&buffer.any.SESSION_GRANTED_body);
		return;
	case MSG_SESSION_KILL:
		let_go(&buffer.any.SESSION_KILL_body);
		return;
	default:
		bug("message %u passed the table", buffer.any.head.type);
	}
}

void
broker_keep(void)
{
	int fd;

	if (listener.broker.fd >= 0 || listener.now < listener.retry_ms)
		return;
	listener.retry_ms = listener.now + RETRY_MS;
	fd = fds_connect("broker.sock", SOCK_SEQPACKET);
	if (fd < 0 || source_open(&listener.broker, fd, broker_ready) < 0)
		return;
	listener.broker_state = IPC_NEW;
}
