/* SPDX-License-Identifier: ISC */
#include "helpers/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/fds.h"
#include "common/log.h"

#define PASSED_MOST 4
#define EVENTS_MOST 32
#define ALIVE       "WATCHDOG=1"
#define ALIVE_MS    5000 /* between two of these */

#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

uint64_t
serve_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Whose the door is may come in: service manager and `sockward run` give it to the broker. */
static uid_t
owner_of(int listening)
{
	struct {
		struct sockaddr_un name;
		char end; /* a path that fills the field has no NUL */
	} door = {.end = '\0'};
	socklen_t size = sizeof(door.name);
	struct stat st;

	if (getsockname(listening, (struct sockaddr *)&door.name, &size) < 0 ||
	    stat(door.name.sun_path, &st) < 0)
		fail_start("cannot find out whose the listening socket %s is", door.name.sun_path);
	return st.st_uid;
}

static bool
take_passed(const struct passed_fd *passed, struct serve_passed *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (wanted[i].fd >= 0 || strcmp(passed->name, wanted[i].name) != 0)
			continue;
		wanted[i].fd = passed->fd;
		return true;
	}
	return false;
}

int
serve_socket(const char *name, struct serve_passed *also, size_t n_also)
{
	struct passed_fd passed[PASSED_MOST];
	size_t n = fds_passed(passed, PASSED_MOST);
	int found = -1;

	errno = 0;
	for (size_t i = 0; i < n_also; i++)
		also[i].fd = -1;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(passed[i].name, name) == 0 && found < 0)
			found = passed[i].fd;
		else if (!take_passed(&passed[i], also, n_also))
			fail_start("a descriptor named '%s' has no use here", passed[i].name);
	}
	if (found < 0)
		fail_start("no socket named '%s' was passed: start this by systemd or sockward run",
			   name);
	if (!fds_is_socket(found, AF_UNIX, SOCK_SEQPACKET, true))
		fail_start("the socket named '%s' is no listening SOCK_SEQPACKET socket", name);
	return found;
}

static int
watch_events(struct serve *serve, struct serve_watch *watch, int how, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	return epoll_ctl(serve->epoll, how, watch->fd, &event);
}

int
serve_watch(struct serve *serve, struct serve_watch *watch)
{
	return watch_events(serve, watch, EPOLL_CTL_ADD, EPOLLIN);
}

/*
 * A held client leaves the set: with its events masked it would still wake us
 * for a hang-up, over and over.
 */
static void
attend(struct serve_client *client)
{
	struct serve *serve = client->serve;
	bool wanted = client->pending || !serve->held;
	int how = client->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (!wanted && !client->watched)
		return;
	if (!wanted)
		how = EPOLL_CTL_DEL;
	if (watch_events(serve, &client->watch, how, client->pending ? EPOLLOUT : EPOLLIN) < 0)
		bug("cannot wait for a client");
	client->watched = wanted;
}

static void
drop(struct serve_client *client)
{
	if (client->serve->gone)
		client->serve->gone(client);
	/* A child of the resolver may hold a copy for a moment, and keep it in the set. */
	if (client->watched)
		(void)epoll_ctl(client->serve->epoll, EPOLL_CTL_DEL, client->watch.fd, NULL);
	close(client->watch.fd);
	client->watch.fd = -1;
	explicit_bzero(&client->answer, sizeof(client->answer));
}

void
serve_hold(struct serve *serve, bool held)
{
	if (serve->held == held)
		return;
	serve->held = held;
	for (size_t i = 0; i < SERVE_CLIENTS; i++) {
		if (serve->clients[i].watch.fd >= 0)
			attend(&serve->clients[i]);
	}
}

int
serve_answer(struct serve_client *client, const void *message, size_t length)
{
	if (client->pending)
		return -1;
	if (client->deaf || ipc_post(client->watch.fd, message, length) == 0)
		return 0;
	if (errno == EAGAIN) {
		memcpy(&client->answer, message, length);
		client->pending = length;
		attend(client);
		return 0;
	}
	/* What it sent before it hung up still counts: read on until the end. */
	client->deaf = true;
	return 0;
}

/* Returns false when there is nothing more to read now, or the client is dropped. */
static bool
take(struct serve_client *client)
{
	struct serve *serve = client->serve;
	struct ipc_got got;
	int result;

	if (ipc_take(client->watch.fd, &serve->buffer, &got, false) < 0) {
		if (errno == EAGAIN)
			return false;
		/* Said once, when the peer closed without reading our answers. */
		if (errno == ECONNRESET && !client->deaf) {
			client->deaf = true;
			return true;
		}
		got.length = 0;
	}
	if (got.length == 0) {
		drop(client);
		return false;
	}
	if (!ipc_legal(serve->channel, IPC_ASK, client->state, &serve->buffer.any, &got)) {
		log_note("a client broke the protocol and is cut off");
		drop(client);
		return false;
	}
	result = serve->message(client, &serve->buffer.any);
	explicit_bzero(&serve->buffer, got.length);
	if (result < 0)
		drop(client);
	return result == 0;
}

static void
flush(struct serve_client *client)
{
	if (ipc_post(client->watch.fd, &client->answer, client->pending) < 0) {
		if (errno == EAGAIN)
			return;
		client->deaf = true;
	}
	explicit_bzero(&client->answer, client->pending);
	client->pending = 0;
	attend(client);
	if (client->serve->drained)
		client->serve->drained(client);
}

static void
client_ready(struct serve_watch *watch)
{
	struct serve_client *client = container_of(watch, struct serve_client, watch);

	if (client->pending)
		flush(client);
	for (int i = 0; i < SERVE_BATCH; i++) {
		if (client->pending || client->serve->held || !take(client))
			return;
	}
}

static bool
welcome(const struct serve *serve, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid() || peer.uid == serve->comes;
}

static void
listening_ready(struct serve_watch *watch)
{
	struct serve *serve = container_of(watch, struct serve, listening);
	struct serve_client *client = serve->clients;
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	while (client < serve->clients + SERVE_CLIENTS && client->watch.fd >= 0)
		client++;
	if (client == serve->clients + SERVE_CLIENTS || !welcome(serve, fd)) {
		log_note("a client is turned away");
		close(fd);
		return;
	}
	*client = (struct serve_client){.watch = {fd, client_ready}, .serve = serve};
	client->state = serve->greeting;
	attend(client);
}

static void
signals_ready(struct serve_watch *watch)
{
	struct serve *serve = container_of(watch, struct serve, signals);
	struct signalfd_siginfo info;

	if (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		serve->ending = true;
}

/* To the service manager, now: after confine() no socket can be made. */
static int
manager(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path && getenv("WATCHDOG_USEC") ? fds_connect(path, SOCK_DGRAM) : -1;
}

void
serve_open(struct serve *serve, int listening)
{
	sigset_t end;

	for (size_t i = 0; i < SERVE_CLIENTS; i++)
		serve->clients[i].watch.fd = -1;
	serve->comes = owner_of(listening);
	serve->manager = manager();
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	if (sigprocmask(SIG_BLOCK, &end, NULL) < 0)
		fail_start("cannot block signals");
	serve->signals.fd = signalfd(-1, &end, SFD_CLOEXEC | SFD_NONBLOCK);
	serve->signals.ready = signals_ready;
	serve->listening.fd = listening;
	serve->listening.ready = listening_ready;
	serve->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (fcntl(listening, F_SETFL, O_NONBLOCK) < 0)
		fail_start("cannot make the listening socket non-blocking");
	if (serve->signals.fd < 0 || serve->epoll < 0 || serve_watch(serve, &serve->signals) < 0 ||
	    serve_watch(serve, &serve->listening) < 0)
		fail_start("cannot set up the event loop");
}

/* Says that it lives, and returns by when that is to be said again. */
static int
live(struct serve *serve, int wait)
{
	uint64_t now = serve_now_ms();

	if (serve->manager < 0)
		return wait;
	if (now >= serve->alive_ms) {
		(void)!write(serve->manager, ALIVE, strlen(ALIVE));
		serve->alive_ms = now + ALIVE_MS;
	}
	return wait < 0 || wait > ALIVE_MS ? ALIVE_MS : wait;
}

void
serve_run(struct serve *serve)
{
	struct epoll_event events[EVENTS_MOST];

	while (!serve->ending) {
		int wait = serve->wait_ms ? serve->wait_ms() : -1;
		int n = epoll_wait(serve->epoll, events, EVENTS_MOST, live(serve, wait));

		if (n < 0 && errno != EINTR)
			bug("epoll_wait failed");
		for (int i = 0; i < n; i++) {
			struct serve_watch *watch = events[i].data.ptr;

			/* An earlier event of this round may have closed it. */
			if (watch->fd >= 0)
				watch->ready(watch);
		}
		if (serve->turn)
			serve->turn();
	}
	/* What was sent before the end is still taken. */
	for (size_t i = 0; i < SERVE_CLIENTS; i++) {
		if (serve->clients[i].watch.fd >= 0)
			client_ready(&serve->clients[i].watch);
	}
	if (serve->turn)
		serve->turn();
}
