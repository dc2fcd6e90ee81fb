/* SPDX-License-Identifier: ISC */
#include "listener/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/fds.h"
#include "common/log.h"

#define KEEP_MS  200
#define STOP_MS  1000 /* at the end, for those that were accepted to get their workers */
#define ALIVE_MS 5000 /* between two words to a service manager that watches */

/* Where Debian has it, and others have a link to theirs. */
#define TRUST_STORE "/etc/ssl/certs/ca-certificates.crt"

struct listener listener = {
	.worker = -1,
	.trust = TRUST_STORE,
	.broker.fd = -1,
	.control_door.fd = -1,
	.status_door.fd = -1,
	.templates = {{.source.fd = -1, .pidfd = -1}, {.source.fd = -1, .pidfd = -1}},
};

static uint64_t
clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int
source_add(struct source *source, int fd, void (*ready)(struct source *))
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	*source = (struct source){fd, ready};
	if (epoll_ctl(listener.epoll, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	source->fd = -1;
	return fail("cannot wait for a descriptor");
}

int
source_open(struct source *source, int fd, void (*ready)(struct source *))
{
	if (source_add(source, fd, ready) == 0)
		return 0;
	close(fd);
	return -1;
}

void
source_close(struct source *source)
{
	if (source->fd < 0)
		return;
	(void)epoll_ctl(listener.epoll, EPOLL_CTL_DEL, source->fd, NULL);
	close(source->fd);
	source->fd = -1;
}

static void
signals_ready(struct source *source)
{
	struct signalfd_siginfo info;

	if (read(source->fd, &info, sizeof(info)) != sizeof(info) || listener.stopping)
		return;
	listener.stopping = true;
	listener.stop_ms = listener.now + STOP_MS;
}

static void
read_arguments(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--spawn=exec") == 0) {
			listener.by_exec = true;
		} else if (strcmp(argv[i], "--spawn=fork") == 0) {
			listener.by_exec = false;
		} else if (strcmp(argv[i], "--runtime-dir") == 0 && i + 1 < argc) {
			if (chdir(argv[++i]) < 0)
				fail_start("cannot enter %s", argv[i]);
		} else if (strcmp(argv[i], "--trust") == 0 && i + 1 < argc) {
			listener.trust = argv[++i];
		} else if (strcmp(argv[i], "--worker") == 0 && i + 1 < argc) {
			listener.worker = open(argv[++i], O_RDONLY | O_CLOEXEC);
			if (listener.worker < 0)
				fail_start("cannot open the worker %s", argv[i]);
		} else {
			errno = 0;
			fail_start("'%s' is not understood; usage: sockward-listener "
				   "[--runtime-dir DIR] [--worker FILE] [--spawn=fork|exec] "
				   "[--trust FILE]",
				   argv[i]);
		}
	}
}

/* Where people ask, not where clients come in. */
static void
take_asked(struct source *door, const struct passed_fd *passed, void (*ready)(struct source *))
{
	if (!fds_is_socket(passed->fd, AF_UNIX, SOCK_SEQPACKET, true))
		fail_start("the descriptor '%s' is no listening AF_UNIX SOCK_SEQPACKET socket",
			   passed->name);
	(void)fcntl(passed->fd, F_SETFL, fcntl(passed->fd, F_GETFL) | O_NONBLOCK);
	if (source_open(door, passed->fd, ready) < 0)
		fail_start("cannot serve the socket '%s'", passed->name);
}

/* What systemd, or sockward run, passed: doors, those of people, the worker. */
static void
take_descriptors(void)
{
	struct passed_fd passed[DOORS_MOST + 3];
	size_t n = fds_passed(passed, DOORS_MOST + 3);

	for (size_t i = 0; i < n; i++) {
		int fd = passed[i].fd;

		errno = 0;
		if (strcmp(passed[i].name, "worker") == 0) {
			listener.worker = fd;
		} else if (strcmp(passed[i].name, "control") == 0) {
			take_asked(&listener.control_door, &passed[i], control_door_ready);
		} else if (strcmp(passed[i].name, "status") == 0) {
			take_asked(&listener.status_door, &passed[i], status_door_ready);
		} else if (fds_is_socket(fd, 0, SOCK_STREAM, true) &&
			   listener.ndoors < DOORS_MOST) {
			listener.doors[listener.ndoors++] = (struct source){fd, door_ready};
			(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		} else if (fds_is_socket(fd, 0, SOCK_STREAM, false) && !listener.is_alone) {
			alone_take(fd);
		} else {
			fail_start("descriptor %d ('%s') is no stream socket; check ListenStream= "
				   "of the socket unit",
				   fd, passed[i].name);
		}
	}
	errno = 0;
	if (!listener.ndoors == !listener.is_alone)
		fail_start("either listening sockets or one connection must be passed "
			   "(LISTEN_FDS): start it by its socket unit or by 'sockward run'");
	if (listener.worker < 0)
		fail_start("no worker: pass the descriptor 'worker', or --worker FILE");
}

/* Workers read it, and have no log. */
static void
check_trust(void)
{
	int fd = open(listener.trust, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		(void)fail("cannot read the trust store %s, so TLS streams are refused",
			   listener.trust);
	else
		close(fd);
}

static void
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, &listener.inherited) < 0 ||
	    source_open(&listener.signals, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
			signals_ready) < 0)
		fail_start("cannot wait for signals");
}

static void
begin(void)
{
	struct timespec day;

	TAILQ_INIT(&listener.free);
	TAILQ_INIT(&listener.deadlines);
	TAILQ_INIT(&listener.running);
	TAILQ_INIT(&listener.leaving);
	TAILQ_INIT(&listener.ended);
	for (size_t i = 0; i < CONTROLS_MOST; i++)
		listener.controls[i].source.fd = -1;
	for (size_t i = 0; i < WATCHERS_MOST; i++)
		listener.watchers[i].source.fd = -1;
	for (size_t i = 0; i < SESSIONS_MOST; i++) {
		listener.sessions[i].source.fd = -1;
		session_move(&listener.sessions[i], &listener.free);
	}
	listener.now = listener.started = clock_ms();
	listener.watched = getenv("WATCHDOG_USEC") != NULL;
	health_start();
	listener.paused = true;
	/*
	 * Ids go on from the time of day, so that two runs do not share one: sessions
	 * of a listener that died in this very second may live on.
	 */
	clock_gettime(CLOCK_REALTIME, &day);
	listener.next_id = (uint64_t)day.tv_sec << 32 | (uint64_t)day.tv_nsec << 2;
	listener.epoll = epoll_create1(EPOLL_CLOEXEC);
	listener.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	listener.reserve = fcntl(listener.null, F_DUPFD_CLOEXEC, 3);
	if (listener.epoll < 0 || listener.reserve < 0 ||
	    getrandom(&listener.source_salt, sizeof(listener.source_salt), 0) < 0)
		fail_start("cannot start");
}

/* Of two times to wait, of which -1 is without end. */
static int
sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Returns by when it is to be said again that this lives; -1: nobody wants to hear. */
static int
live(void)
{
	if (!listener.watched)
		return -1;
	if (listener.now >= listener.alive_ms) {
		fds_notify("WATCHDOG=1");
		listener.alive_ms = listener.now + ALIVE_MS;
	}
	return (int)(listener.alive_ms - listener.now);
}

static void
serve(void)
{
	struct epoll_event event;

	while (!alone_over() &&
	       (!listener.stopping || (spawn_owed() && listener.now < listener.stop_ms))) {
		bool soon = listener.broker.fd < 0 || !listener.begun || listener.stopping;
		int due = sooner(sessions_due(), busy_due());
		int wait = sooner(due, soon ? KEEP_MS : -1);
		int n = epoll_wait(listener.epoll, &event, 1, sooner(wait, live()));

		if (n < 0 && errno != EINTR)
			bug("epoll_wait failed");
		listener.now = clock_ms();
		if (n > 0)
			((struct source *)event.data.ptr)->ready(event.data.ptr);
		broker_keep();
		sessions_report();
		doors_adjust();
	}
}

int
main(int argc, char **argv)
{
	struct confinement wanted = {.descriptors = RLIM_INFINITY,
				     .file_bytes = 1 << 30, /* standard error may be a file */
				     .files = confine_read_exec,
				     .filter = &filter_listener};

	begin();
	read_arguments(argc, argv);
	take_descriptors();
	open_signals();
	check_trust();
	confine(&wanted);
	if (!listener.by_exec)
		spawn_renew();
	broker_keep();
	fds_notify("READY=1");
	serve();
	return 0;
}
