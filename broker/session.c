/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

#define CUT_MS  500  /* from the word to a worker to its end by force */
#define SAY_MS  1000 /* between two words to the listener on one session */
#define WORD_MS 5000 /* for the listener's word on a worker that must have ended */
#define WORDS   1024 /* messages that are read of a worker that is gone */

struct session *
session_find(uint64_t id)
{
	for (uint32_t i = 0; i < broker.sessions_used; i++) {
		if (broker.ids[i] == id)
			return &broker.sessions[i];
	}
	return NULL;
}

void
session_state(struct session *session, enum ipc_state state)
{
	if (state <= session->peer.state)
		bug("a session goes from state %d to %d", session->peer.state, state);
	session->peer.state = state;
}

int
session_tell(struct session *session, const void *message, size_t length, int pass)
{
	if (ipc_pass(session->peer.fd, message, length, pass) == 0)
		return 0;
	/*
	 * The worker may be gone already; one whose channel is full does not read. The
	 * loop ends it, not this: whoever called may go on to use the session.
	 */
	if (session->peer.state < IPC_DRAIN)
		session_state(session, IPC_DRAIN);
	session->ends_with = errno == EAGAIN ? REASON_PROTOCOL : REASON_NONE;
	session->due = broker.now;
	return -1;
}

/*
 * DEAD: the listener's word on the worker is awaited, if there is a listener, and
 * what is left of its streams, which end by themselves, soon.
 */
static void
bury(struct session *session)
{
	enum reason reason = session->reason ? session->reason : session->record.end.reason;

	session->due = broker.now + SAY_MS;
	if (broker.now < session->ends_ms && !broker.stop) {
		(void)listener_tell(MSG_SESSION_KILL, session);
	} else if (LIST_EMPTY(&session->streams)) {
		record_new(EVENT_SESSION_END, reason, &session->record);
		broker.ids[session - broker.sessions] = 0;
		memset(session, 0, sizeof(*session));
	}
}

void
session_due(struct session *session)
{
	session->due = 0;
	if (session->peer.state == IPC_DEAD)
		bury(session);
	else if (session->peer.state == IPC_OPEN)
		session_stop(session, session->ends_with, CUT_MS);
	else
		session_kill(session, session->ends_with);
}

void
session_new(struct peer *peer, const union ipc_any *any)
{
	const struct ipc_session_open *open = &any->SESSION_OPEN_body;
	struct session *session = session_find(0);

	if (!session && broker.sessions_used < SESSIONS_MOST)
		session = &broker.sessions[broker.sessions_used++];
	/* Without a place, the end of its channel ends the worker. */
	if (!session || session_find(open->session)) {
		close(broker.passed);
		return;
	}
	broker.ids[session - broker.sessions] = open->session;
	session->listener = peer;
	session->record.session = open->session;
	session->record.client = open->client;
	session->record.mono_ns = open->accepted_ns;
	session->peer = (struct peer){-1, IPC_SESSION, IPC_NEW, peer_message, 0, false};
	record_new(EVENT_SESSION_OPEN, REASON_NONE, &session->record);
	if (peer_open(&session->peer, broker.passed, EPOLLIN) < 0)
		session_kill(session, REASON_RESOURCES);
}

void
session_counts(struct peer *peer, const union ipc_any *any)
{
	container_of(peer, struct session, peer)->record.counts = any->COUNTS_body;
}

void
session_stop(struct session *session, enum reason reason, uint32_t grace_ms)
{
	struct ipc_drain drain = {{MSG_DRAIN}, reason, grace_ms, 0};

	/* What ends it sooner holds, also while it drains for another reason. */
	if (session->peer.state >= IPC_DEAD || !session->peer.state ||
	    (session->due && session->due <= broker.now + grace_ms))
		return;
	if (session->peer.state < IPC_DRAIN)
		session_state(session, IPC_DRAIN);
	session->reason = session->ends_with = reason;
	session->due = broker.now + grace_ms;
	(void)session_tell(session, &drain, sizeof(drain), -1);
}

void
session_kill(struct session *session, enum reason reason)
{
	struct stream *stream = LIST_FIRST(&session->streams), *next;

	if (session->peer.state == IPC_DEAD || !session->peer.state)
		return;
	session_state(session, IPC_DEAD);
	if (!session->reason)
		session->reason = reason;
	for (; stream; stream = next) {
		next = LIST_NEXT(stream, next);
		/* What ended in order before its session did is delivered. */
		if (stream->state != STREAM_ENDING || session->reason)
			stream_end(stream, session->reason ? session->reason : REASON_WORKER_EXITED,
				   true);
	}
	peer_close(&session->peer);
	if (VERIFY_OF(session)->session == session->record.session)
		explicit_bzero(VERIFY_OF(session), sizeof(struct ipc_verify));
	if (session->account)
		session->account->sessions--;
	session->record.end = (struct ipc_session_end){{0}, REASON_LISTENER_LOST, 0, -1, 0, 0, 0};
	/* At the broker's own end nobody is awaited. */
	session->ends_ms = broker.stop || session->listener->fd < 0 ? 0 : broker.now + WORD_MS;
	bury(session);
}

void
session_end(struct peer *peer UNUSED, const union ipc_any *any)
{
	const struct ipc_session_end *end = &any->SESSION_END_body;
	struct session *session = end->session ? session_find(end->session) : NULL;

	/* The worker is gone: what it said last is still in its channel. (Not DEAD, nor free.) */
	for (int i = 0; session && i < WORDS && session->peer.state % IPC_DEAD && record_room();
	     i++) {
		session->peer.messages = UINT32_MAX; /* it waits for nobody any more */
		peer_message(&session->peer);
	}
	if (!session || !session->peer.state)
		return;
	session_kill(session, end->reason == REASON_WORKER_EXITED ? REASON_NONE : end->reason);
	session->ends_ms = 0;
	session->record.end = *end;
	bury(session);
}

void
session_asked_to_stop(struct peer *peer UNUSED, const union ipc_any *any)
{
	const struct ipc_stop *stop = &any->STOP_body;

	for (uint32_t i = 0; i < broker.sessions_used; i++) {
		if (!stop->session || stop->session == broker.ids[i])
			session_stop(&broker.sessions[i], stop->reason, stop->grace_ms);
	}
}
