/* SPDX-License-Identifier: ISC */
#include "helpers/auditor/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fds.h"
#include "common/log.h"
#include "helpers/auditor/trail.h"

#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static void
drop(struct metrics_client *client)
{
	close(client->watch.fd);
	client->watch.fd = -1;
}

/* One question an event: records have their turn in between. */
static void
client_ready(struct serve_watch *watch)
{
	struct metrics_client *client = container_of(watch, struct metrics_client, watch);
	const struct auditor *auditor = client->metrics->auditor;
	struct ipc_metrics answer = auditor->counts;
	struct ipc_buffer buffer = {0};
	struct ipc_got got;

	if (ipc_take(watch->fd, &buffer, &got, false) < 0 && errno == EAGAIN)
		return;
	if (!ipc_legal(IPC_METRICS, IPC_ASK, IPC_OPEN, &buffer.any, &got)) {
		drop(client);
		return;
	}
	client->heard = ++client->metrics->turn;
	answer.journal_lost = auditor->journal.lost_total;
	if (auditor->failing)
		answer.failing_ms = serve_now_ms() - auditor->failing_since + 1;
	if (ipc_post(watch->fd, &answer, sizeof(answer)) < 0)
		drop(client);
}

/* A free place, or that of the client that was silent for longest. */
static struct metrics_client *
place(struct metrics *metrics)
{
	struct metrics_client *oldest = metrics->clients;

	for (struct metrics_client *at = oldest; at < metrics->clients + METRICS_CLIENTS; at++) {
		if (at->watch.fd < 0)
			return at;
		if (at->heard < oldest->heard)
			oldest = at;
	}
	drop(oldest);
	return oldest;
}

static void
listening_ready(struct serve_watch *watch)
{
	struct metrics *metrics = container_of(watch, struct metrics, listening);
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct metrics_client *client;

	if (fd < 0)
		return;
	client = place(metrics);
	*client = (struct metrics_client){{fd, client_ready}, metrics, ++metrics->turn};
	if (serve_watch(&metrics->auditor->serve, &client->watch) < 0)
		drop(client);
}

void
metrics_open(struct auditor *auditor, int fd)
{
	struct metrics *metrics = &auditor->metrics;

	metrics->auditor = auditor;
	metrics->listening = (struct serve_watch){fd, listening_ready};
	for (size_t i = 0; i < METRICS_CLIENTS; i++)
		metrics->clients[i].watch.fd = -1;
	if (fd < 0)
		return;
	errno = 0;
	if (!fds_is_socket(fd, AF_UNIX, SOCK_SEQPACKET, true))
		fail_start(
			"the descriptor 'metrics' is no listening AF_UNIX SOCK_SEQPACKET socket");
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
	    serve_watch(&auditor->serve, &metrics->listening) < 0)
		fail_start("cannot serve the metrics socket");
}
