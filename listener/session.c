/* SPDX-License-Identifier: ISC */
#include "listener/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"

void
session_move(struct session *session, struct sessions *list)
{
	if (session->list)
		TAILQ_REMOVE((struct sessions *)session->list, session, next);
	session->list = (void *)list;
	TAILQ_INSERT_TAIL(list, session, next);
}

struct session *
session_find(uint64_t id)
{
	struct session *session = &listener.sessions[id % SESSIONS_MOST];

	return session->state != WORKER_FREE && session->id == id ? session : NULL;
}

/* An id that leads to its slot: its lower part is the slot's number. */
static struct session *
take(void)
{
	struct session *session = TAILQ_FIRST(&listener.free);
	uint64_t slot = (uint64_t)(session - listener.sessions);

	listener.next_id += SESSIONS_MOST;
	session->id = listener.next_id / SESSIONS_MOST * SESSIONS_MOST + slot;
	session->pid = 0;
	session->granted = false;
	session->behind = false;
	session->share = 0;
	session->used_us = 0;
	session->looked_ms = listener.now;
	session->reason = REASON_NONE;
	session->accepted_ms = listener.now;
	health_begun(session);
	memset(session->grant, 0, sizeof(session->grant));
	memset(session->subject, 0, sizeof(session->subject));
	listener.used++;
	listener.sessions_total++;
	return session;
}

static void
give_back(struct session *session)
{
	session->state = WORKER_FREE;
	session_move(session, &listener.free);
	source_leave(&session->client);
	listener.used--;
}

/* A reload may have made the time shorter: those before us may be due behind us. */
static void
await(struct session *session)
{
	struct session *before;

	session_move(session, &listener.deadlines);
	TAILQ_REMOVE(&listener.deadlines, session, next);
	before = TAILQ_LAST(&listener.deadlines, sessions);
	while (before && before->due_ms > session->due_ms)
		before = TAILQ_PREV(before, sessions, next);
	if (before)
		TAILQ_INSERT_AFTER(&listener.deadlines, before, session, next);
	else
		TAILQ_INSERT_HEAD(&listener.deadlines, session, next);
}

static void
ended(struct session *session, enum reason reason)
{
	session->end.head.type = MSG_SESSION_END;
	session->end.reason = reason;
	session->end.session = session->id;
	session->state = WORKER_ENDED;
	session_move(session, &listener.ended);
}

void
session_failed(struct session *session)
{
	session->end = (struct ipc_session_end){.exit_code = -1};
	ended(session, session->reason ? session->reason : REASON_RESOURCES);
}

void
session_begin(int client, const struct ipc_addr *from)
{
	struct ipc_client hand = {.head = {MSG_CLIENT}, .proxy = from->proxy};
	struct ipc_session_open open = {.head = {MSG_SESSION_OPEN}, .client = *from};
	struct session *session = take();
	int pair[2] = {-1, -1};

	session->client = *from;
	session->state = WORKER_ASKED;
	session->due_ms = listener.now + listener.hello.limits.handshake_ms;
	await(session);
	open.session = session->id;
	open.accepted_ns = listener.now * 1000000;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0 ||
	    ipc_pass(pair[0], &hand, sizeof(hand), client) < 0 ||
	    broker_post(&open, sizeof(open), pair[0]) < 0) {
		/* The broker never heard of it. */
		listener.shed_total++;
		give_back(session);
	} else if (spawn_worker(session, pair[1]) < 0) {
		session_failed(session);
	}
	close(client);
	if (pair[0] >= 0) {
		close(pair[0]);
		close(pair[1]);
	}
}

static bool
is_crash(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGABRT ||
	       signal == SIGFPE || signal == SIGSYS || signal == SIGTRAP;
}

/* The raw call: glibc's has no room for the rusage. */
static void
worker_ready(struct source *source)
{
	struct session *session = container_of(source, struct session, source);
	struct rusage usage = {0};
	siginfo_t info = {0};
	bool exited;

	if (syscall(SYS_waitid, P_PIDFD, source->fd, &info, WEXITED | WNOHANG, &usage) < 0)
		bug("a worker was reaped by another");
	if (!info.si_pid)
		return;
	source_close(source);
	exited = info.si_code == CLD_EXITED;
	session->end = (struct ipc_session_end){
		.exit_code = exited ? info.si_status : -1,
		.signal = exited ? 0 : info.si_status,
		.cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
			  (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec),
		.max_rss_kib = (uint64_t)usage.ru_maxrss,
	};
	if (!exited && is_crash(info.si_status)) {
		listener.crashed++;
		spawn_suspect();
	}
	if (session->reason)
		ended(session, session->reason);
	else
		ended(session, exited ? REASON_WORKER_EXITED : REASON_WORKER_CRASHED);
}

void
session_watch(struct session *session, int pidfd, uint32_t pid)
{
	siginfo_t info;

	session->state = WORKER_RUNNING;
	session->pid = pid;
	if (session->reason)
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	if (source_add(&session->source, pidfd, worker_ready) == 0)
		return;
	(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	(void)waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
	close(pidfd);
	session_failed(session);
}

void
session_kill(struct session *session, enum reason reason)
{
	if (!session->reason)
		session->reason = reason;
	/* One that is only asked for yet is killed when its pidfd comes. */
	if (session->state == WORKER_RUNNING)
		(void)pidfd_send_signal(session->source.fd, SIGKILL, NULL, 0);
	if (session->state != WORKER_ENDED)
		session_move(session, &listener.running);
}

int
sessions_due(void)
{
	struct session *session;
	uint64_t next = UINT64_MAX;

	while ((session = TAILQ_FIRST(&listener.deadlines)) && session->due_ms <= listener.now)
		session_kill(session, REASON_HANDSHAKE_TIMEOUT);
	if (session)
		next = session->due_ms;
	while ((session = TAILQ_FIRST(&listener.leaving)) && session->due_ms <= listener.now)
		session_kill(session, REASON_WORKER_EXITED);
	if (session && session->due_ms < next)
		next = session->due_ms;
	/* Nothing tells when the broker reads again. */
	if (!TAILQ_EMPTY(&listener.ended) && listener.now + REPORT_MS < next)
		next = listener.now + REPORT_MS;
	return next == UINT64_MAX ? -1 : (int)(next - listener.now);
}

void
sessions_report(void)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&listener.ended))) {
		/* A broker that is gone has lost the session already. */
		if (listener.broker_state == IPC_OPEN &&
		    broker_post(&session->end, sizeof(session->end), -1) < 0 && errno == EAGAIN)
			return;
		give_back(session);
	}
}
