/* SPDX-License-Identifier: ISC */
#include "listener/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

#define CUT_MS 500

static void
answer_status(int fd)
{
	const struct ipc_hello_ok *hello = &listener.hello;
	bool up = listener.broker_state == IPC_OPEN;
	struct ipc_ctl_status status = {
		.head = {MSG_CTL_STATUS_IS},
		.version = IPC_VERSION,
		.generation = up ? hello->generation : 0,
		.sessions = listener.used,
		.sessions_most = hello->limits.sessions,
		.workers_crashed = listener.crashed,
		.policy = up ? hello->limits.fingerprint : 0,
		.uptime_ms = listener.now - listener.started,
		.sessions_total = listener.sessions_total,
		.shed_total = listener.shed_total,
		.broker_up = up,
		.resolver_up = up ? hello->resolver_up : 0,
		.authenticator_up = up ? hello->authenticator_up : 0,
		.auditor_up = up ? hello->auditor_up : 0,
		.draining = listener.draining,
		.sessions_per_source = hello->limits.sessions_per_source,
		.handshake_ms = hello->limits.handshake_ms,
	};

	health_tell(&status);
	(void)ipc_post(fd, &status, sizeof(status));
}

/* One session an answer, so that a list of any length fits. */
static void
answer_list(int fd, uint32_t after)
{
	struct ipc_ctl_session line = {.head = {MSG_CTL_SESSION}};

	for (uint32_t slot = after; slot < SESSIONS_MOST; slot++) {
		const struct session *session = &listener.sessions[slot];

		if (session->state == WORKER_FREE || session->state == WORKER_ENDED)
			continue;
		line.slot = slot + 1;
		line.session = session->id;
		line.state = session->list == &listener.leaving || session->reason ? IPC_DRAIN
			     : session->granted                                    ? IPC_OPEN
										   : IPC_NEW;
		line.behind = session->behind;
		line.age_ms = (uint32_t)(listener.now - session->accepted_ms);
		line.client = session->client;
		line.pid = session->pid;
		memcpy(line.grant, session->grant, sizeof(line.grant));
		memcpy(line.subject, session->subject, sizeof(line.subject));
		break;
	}
	(void)ipc_post(fd, &line, sizeof(line));
}

/* Ends one session (or all: 0) through the broker, which tells the worker why. */
static void
stop(int fd, uint64_t id, enum reason reason, uint32_t grace_ms)
{
	struct ipc_stop stop = {{MSG_STOP}, reason, id, grace_ms, 0};
	struct ipc_ctl_done done = {.head = {MSG_CTL_DONE}, .ok = 1};

	if ((id && !session_find(id)) || broker_post(&stop, sizeof(stop), -1) < 0) {
		done.ok = 0;
		done.reason = id && !session_find(id) ? REASON_NONE : REASON_RESOURCES;
	}
	(void)ipc_post(fd, &done, sizeof(done));
}

static void
control_ready(struct source *source)
{
	struct control *control = container_of(source, struct control, source);
	struct ipc_buffer buffer = {0};
	struct ipc_got got = {0, 0, -1};
	int fd = source->fd;

	if (ipc_take(fd, &buffer, &got, false) < 0 && errno == EAGAIN)
		return;
	if (!ipc_legal(IPC_CONTROL, IPC_ASK, IPC_OPEN, &buffer.any, &got) ||
	    (control->watches && buffer.any.head.type != MSG_CTL_STATUS)) {
		source_close(source);
		return;
	}
	control->heard = ++listener.asked;
	switch (buffer.any.head.type) {
	case MSG_CTL_STATUS:
		answer_status(fd);
		return;
	case MSG_CTL_LIST:
		answer_list(fd, buffer.any.CTL_LIST_body.after);
		return;
	case MSG_CTL_KILL:
		stop(fd,
		     buffer.any.CTL_KILL_body.session ? buffer.any.CTL_KILL_body.session
						      : UINT64_MAX,
		     REASON_KILLED, CUT_MS);
		return;
	case MSG_CTL_DRAIN:
		listener.draining = true;
		health_look();
		stop(fd, 0, REASON_DRAINING, buffer.any.CTL_DRAIN_body.deadline_ms);
		return;
	default:
		bug("message %u passed the table", buffer.any.head.type);
	}
}

/* Out of descriptors, it is taken with the reserve and let go: it would be ready for ever. */
static int
take_client(int door)
{
	int fd = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
		return fd;
	if (listener.reserve >= 0)
		close(listener.reserve);
	listener.reserve = -1;
	fd = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	reserve_restore();
	return -1;
}

void
control_door_ready(struct source *door)
{
	int fd = take_client(door->fd);

	for (size_t i = 0; fd >= 0 && i < CONTROLS_MOST; i++) {
		if (listener.controls[i].source.fd >= 0)
			continue;
		(void)source_open(&listener.controls[i].source, fd, control_ready);
		return;
	}
	if (fd >= 0)
		close(fd);
}

/* A free place, or that of the client that was silent for longest. */
static struct control *
watcher_place(void)
{
	struct control *oldest = listener.watchers;

	for (struct control *at = oldest; at < listener.watchers + WATCHERS_MOST; at++) {
		if (at->source.fd < 0)
			return at;
		if (at->heard < oldest->heard)
			oldest = at;
	}
	source_close(&oldest->source);
	return oldest;
}

void
status_door_ready(struct source *door)
{
	int fd = take_client(door->fd);
	struct control *watcher;

	if (fd < 0)
		return;
	watcher = watcher_place();
	watcher->watches = true;
	watcher->heard = ++listener.asked;
	(void)source_open(&watcher->source, fd, control_ready);
}
