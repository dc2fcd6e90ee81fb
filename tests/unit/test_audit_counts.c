/* SPDX-License-Identifier: ISC */
/*
 * What the auditor counts: each record of each kind in its one place, whatever
 * numbers stand in it, and each only once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "helpers/auditor/counts.h"
#include "helpers/auditor/trail.h"
#include "ipc/words.h"

static struct ipc_metrics zero;
static struct ipc_metrics counts;

static int
set_up(void **state)
{
	(void)state;
	counts_start(&counts);
	zero = counts;
	return 0;
}

static void
count(enum event event, unsigned int reason, uint32_t stream, unsigned int protocol)
{
	struct ipc_record record = {
		.event = (uint16_t)event,
		.reason = (uint16_t)reason,
		.stream = stream,
		.protocol = (uint8_t)protocol,
		.bytes_up = 3,
		.bytes_down = 5,
		.claims = {.claimed_up = 7, .claimed_down = 11},
	};

	counts_record(&counts, &record);
}

/* Takes what is expected off again: nothing else may be left. */
static void
is(uint64_t *at, uint64_t value)
{
	assert_int_equal(*at, value);
	*at = 0;
}

static void
is_all(void)
{
	assert_memory_equal(&counts, &zero, sizeof(counts));
}

static void
begins_at_0_now(void **state)
{
	struct timespec now;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &now);
	assert_true(counts.started_ns / 1000000000 <= (uint64_t)now.tv_sec);
	assert_true(counts.started_ns / 1000000000 + 60 > (uint64_t)now.tv_sec);
	assert_int_equal(counts.head.type, MSG_METRICS_ARE);
	assert_int_equal(counts.version, IPC_VERSION);
	counts.started_ns = 0;
	counts.head.type = 0;
	counts.version = 0;
	memset(&zero, 0, sizeof(zero));
	is_all();
}

static void
each_event(void **state)
{
	(void)state;
	count(EVENT_SESSION_OPEN, 0, 0, 0);
	is(&counts.sessions_opened, 1);
	count(EVENT_AUTHENTICATED, 0, 0, 0);
	is(&counts.sessions_authenticated, 1);
	count(EVENT_RESOLVED, 0, 1, 0);
	is(&counts.lookups_answered, 1);
	count(EVENT_REFUSED, REASON_TOKEN_WRONG, 0, 0);
	is(&counts.sessions_refused[REASON_TOKEN_WRONG], 1);
	count(EVENT_REFUSED, REASON_NAME_UNKNOWN, 1, 0);
	is(&counts.requests_refused[REASON_NAME_UNKNOWN], 1);
	is(&counts.lookups_refused, 1);
	count(EVENT_SESSION_END, REASON_IDLE, 0, 0);
	is(&counts.sessions_ended[REASON_IDLE], 1);
	for (unsigned int event = 0; event < 2 * EVENT_COUNT; event++) {
		if (event <= EVENT_POLICY || event >= EVENT_COUNT)
			count((enum event)event, REASON_NO_POLICY, 1, PROTOCOL_TCP);
	}
	is_all();
}

static void
each_kind(void **state)
{
	static const unsigned int protocols[IPC_KINDS] = {PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_TLS,
							  PROTOCOL_LISTEN, PROTOCOL_INBOUND};

	(void)state;
	for (int i = 0; i < IPC_KINDS; i++) {
		bool udp = protocols[i] == PROTOCOL_UDP;

		count(EVENT_GRANTED, 0, 1, protocols[i]);
		is(&counts.streams_granted[i], 1);
		count(EVENT_REFUSED, REASON_NO_RULE, 1, protocols[i]);
		is(&counts.streams_refused[i], 1);
		is(&counts.requests_refused[REASON_NO_RULE], 1);
		count(EVENT_STREAM_END, REASON_PEER_CLOSED, 1, protocols[i]);
		is(&counts.streams_ended[REASON_PEER_CLOSED], 1);
		is(udp ? &counts.claimed_udp_up : &counts.bytes_up, udp ? 7 : 3);
		is(udp ? &counts.claimed_udp_down : &counts.bytes_down, udp ? 11 : 5);
		is_all();
	}
}

/* What names no kind, or several, is of none; and nothing is written elsewhere. */
static void
no_kind(void **state)
{
	uint64_t refused = 0;

	(void)state;
	for (unsigned int protocol = 0; protocol < 256; protocol++) {
		if (protocol <= PROTOCOL_INBOUND && !(protocol & (protocol - 1)))
			continue;
		count(EVENT_GRANTED, 0, 1, protocol);
		count(EVENT_REFUSED, REASON_PROTOCOL, 1, protocol);
		refused++;
	}
	is(&counts.requests_refused[REASON_PROTOCOL], refused);
	is_all();
}

static void
each_reason(void **state)
{
	(void)state;
	for (unsigned int reason = 0; reason <= UINT16_MAX; reason++) {
		unsigned int plain = reason_plain(reason);
		unsigned int at = plain < REASON_COUNT ? plain : IPC_REASONS - 1;

		count(EVENT_REFUSED, reason, 0, 0);
		is(&counts.sessions_refused[at], 1);
	}
	count(EVENT_REFUSED, REASON_ERRNO + ECONNREFUSED, 0, 0);
	is(&counts.sessions_refused[REASON_PEER_REFUSED], 1);
	count(EVENT_REFUSED, REASON_COUNT, 0, 0);
	is(&counts.sessions_refused[IPC_REASONS - 1], 1);
	is_all();
}

static void
a_claim_wraps_no_sum(void **state)
{
	struct ipc_record record = {.event = EVENT_STREAM_END,
				    .protocol = PROTOCOL_UDP,
				    .claims = {.claimed_up = UINT64_MAX, .claimed_down = 1}};

	(void)state;
	for (int i = 0; i < 3; i++)
		counts_record(&counts, &record);
	assert_true(counts.claimed_udp_up == UINT64_MAX);
	assert_int_equal(counts.claimed_udp_down, 3);
}

/* --- with the auditor around it ----------------------------------------------- */

static struct {
	struct auditor auditor;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
} box;

static int
door(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	assert_true(snprintf(box.path, sizeof(box.path), "/tmp/sockward-test-%ld", (long)getpid()) >
		    0);
	memcpy(at.sun_path, box.path, sizeof(at.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static int
open_box(void **state)
{
	(void)state;
	memset(&box, 0, sizeof(box));
	box.auditor.serve.epoll = epoll_create1(EPOLL_CLOEXEC);
	counts_start(&box.auditor.counts);
	metrics_open(&box.auditor, door());
	return 0;
}

static int
close_box(void **state)
{
	struct metrics *metrics = &box.auditor.metrics;

	(void)state;
	for (int i = 0; i < METRICS_CLIENTS; i++)
		if (metrics->clients[i].watch.fd >= 0)
			close(metrics->clients[i].watch.fd);
	close(metrics->listening.fd);
	close(box.auditor.serve.epoll);
	return unlink(box.path);
}

/* All that is due, one event after the other. */
static void
turn(void)
{
	struct epoll_event event;

	while (epoll_wait(box.auditor.serve.epoll, &event, 1, 0) > 0) {
		struct serve_watch *watch = event.data.ptr;

		watch->ready(watch);
	}
}

static int
come(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

	memcpy(at.sun_path, box.path, sizeof(at.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	turn();
	return fd;
}

static void
ask(int fd)
{
	const struct ipc_plain question = {{MSG_METRICS}};

	assert_int_equal(write(fd, &question, sizeof(question)), sizeof(question));
	turn();
}

static void
is_answered(int fd, struct ipc_metrics *answer)
{
	char more;

	assert_int_equal(read(fd, answer, sizeof(*answer)), sizeof(*answer));
	assert_int_equal(read(fd, &more, 1), -1);
	assert_int_equal(errno, EAGAIN);
}

static void
one_answer_a_question(void **state)
{
	struct auditor *auditor = &box.auditor;
	struct ipc_metrics answer;
	int fd = come();

	(void)state;
	auditor->counts.records = 17;
	auditor->journal.lost_total = 4;
	ask(fd);
	is_answered(fd, &answer);
	assert_int_equal(answer.head.type, MSG_METRICS_ARE);
	assert_int_equal(answer.records, 17);
	assert_int_equal(answer.journal_lost, 4);
	assert_int_equal(answer.failing_ms, 0);
	auditor->failing = true;
	auditor->failing_since = serve_now_ms() - 5000;
	ask(fd);
	is_answered(fd, &answer);
	assert_true(answer.failing_ms > 5000 && answer.failing_ms < 100000);
	/* Just now is a failure too. */
	auditor->failing_since = serve_now_ms();
	ask(fd);
	is_answered(fd, &answer);
	assert_true(answer.failing_ms > 0);
	close(fd);
	turn();
	assert_int_equal(auditor->metrics.clients[0].watch.fd, -1);
}

static void
the_silent_one_makes_room(void **state)
{
	struct ipc_metrics answer;
	int fds[METRICS_CLIENTS + 1];
	char none;

	(void)state;
	for (int i = 0; i < METRICS_CLIENTS; i++)
		fds[i] = come();
	ask(fds[0]);
	is_answered(fds[0], &answer);
	fds[METRICS_CLIENTS] = come();
	assert_int_equal(read(fds[1], &none, 1), 0);
	for (int i = 0; i <= METRICS_CLIENTS; i++) {
		if (i != 1) {
			ask(fds[i]);
			is_answered(fds[i], &answer);
		}
		close(fds[i]);
	}
	turn();
}

static void
one_that_does_not_read_is_dropped(void **state)
{
	const struct ipc_plain question = {{MSG_METRICS}};
	int fd = come();
	int asked = 0;

	(void)state;
	while (write(fd, &question, sizeof(question)) > 0 && asked++ < 100000)
		turn();
	assert_true(asked < 100000);
	assert_int_equal(box.auditor.metrics.clients[0].watch.fd, -1);
	close(fd);
}

static void
what_has_no_row_is_cut_off(void **state)
{
	struct ipc_record record = {.head = {MSG_RECORD}, .number = 1};
	char none;
	int fd = come();

	(void)state;
	assert_int_equal(write(fd, &record, sizeof(record)), sizeof(record));
	turn();
	assert_int_equal(read(fd, &none, 1), 0);
	close(fd);
	fd = come();
	record.head.type = MSG_METRICS;
	assert_int_equal(write(fd, &record, 5), 5);
	turn();
	assert_int_equal(read(fd, &none, 1), 0);
	close(fd);
	assert_int_equal(box.auditor.number, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(begins_at_0_now, set_up),
		cmocka_unit_test_setup(each_event, set_up),
		cmocka_unit_test_setup(each_kind, set_up),
		cmocka_unit_test_setup(no_kind, set_up),
		cmocka_unit_test_setup(each_reason, set_up),
		cmocka_unit_test_setup(a_claim_wraps_no_sum, set_up),
		cmocka_unit_test_setup_teardown(one_answer_a_question, open_box, close_box),
		cmocka_unit_test_setup_teardown(the_silent_one_makes_room, open_box, close_box),
		cmocka_unit_test_setup_teardown(one_that_does_not_read_is_dropped, open_box,
						close_box),
		cmocka_unit_test_setup_teardown(what_has_no_row_is_cut_off, open_box, close_box),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
