/* SPDX-License-Identifier: ISC */
/*
 * The audit file under faults: each write, sync and cut can fail or be short, at
 * each point. What was said to be stored is in the file, once, and the file is
 * whole lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "helpers/auditor/trail.h"
#include "helpers/auditor/verify.h"
#include "ipc/words.h"

#define INSTANCE 77

static struct {
	struct auditor auditor;
	char path[32];
	int broker;      /* the far end of its channel */
	int writes_good; /* so many writes to the file work, then they fail; -1: all work */
	size_t short_by; /* the failing write takes so many bytes first */
	int cuts_fail;   /* ftruncate fails */
	int synced;      /* how often */
	int stored_before_sync;
	uint64_t clock_ms; /* added to serve_now_ms() */
} box;

ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
int __real_ftruncate(int fd, off_t length);
int __wrap_ftruncate(int fd, off_t length);
int __wrap_fdatasync(int fd);
uint64_t __real_serve_now_ms(void);
uint64_t __wrap_serve_now_ms(void);

ssize_t
__wrap_write(int fd, const void *bytes, size_t n)
{
	if (fd != box.auditor.file.fd) {
		const struct ipc_head *head = bytes;

		if (fd > STDERR_FILENO && head->type == MSG_STORED && !box.synced)
			box.stored_before_sync = 1;
		return __real_write(fd, bytes, n);
	}
	if (box.writes_good < 0)
		return __real_write(fd, bytes, n);
	if (box.writes_good > 0) {
		box.writes_good--;
		return __real_write(fd, bytes, n > 7 ? n / 2 : n);
	}
	if (box.short_by) {
		n = n < box.short_by ? n : box.short_by;
		box.short_by = 0;
		return __real_write(fd, bytes, n);
	}
	errno = ENOSPC;
	return -1;
}

int
__wrap_ftruncate(int fd, off_t length)
{
	if (box.cuts_fail) {
		errno = EIO;
		return -1;
	}
	return __real_ftruncate(fd, length);
}

int
__wrap_fdatasync(int fd)
{
	(void)fd;
	box.synced++;
	return 0;
}

uint64_t
__wrap_serve_now_ms(void)
{
	return __real_serve_now_ms() + box.clock_ms;
}

static int
set_up(void **state)
{
	struct auditor *auditor = &box.auditor;
	struct serve_client *client = &auditor->serve.clients[0];
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
	int pair[2];
	int fd;

	(void)state;
	memset(&box, 0, sizeof(box));
	strcpy(box.path, "/tmp/sockward-test-XXXXXX");
	fd = mkstemp(box.path);
	box.writes_good = -1;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	auditor->file = (struct audit_file){.fd = fd};
	auditor->journal.fd = -1;
	memcpy(auditor->trail.boot, "boot", 5);
	chain_start(&auditor->trail.chain);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	for (size_t i = 1; i < SERVE_CLIENTS; i++)
		auditor->serve.clients[i].watch.fd = -1;
	auditor->serve.epoll = epoll_create1(0);
	*client = (struct serve_client){.watch.fd = pair[0], .serve = &auditor->serve};
	client->state = IPC_NEW;
	client->watched = true;
	assert_int_equal(epoll_ctl(auditor->serve.epoll, EPOLL_CTL_ADD, pair[0], &event), 0);
	box.broker = pair[1];
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	assert_int_equal(unlink(box.path), 0);
	close(box.broker);
	close(box.auditor.serve.clients[0].watch.fd);
	close(box.auditor.serve.epoll);
	close(box.auditor.file.fd);
	sessions_free(&box.auditor.sessions);
	return 0;
}

static void
hello(uint64_t instance)
{
	union ipc_any any = {.AUDIT_HELLO_body = {{MSG_AUDIT_HELLO}, IPC_VERSION, instance}};

	assert_int_equal(trail_message(&box.auditor, &box.auditor.serve.clients[0], &any), 0);
	trail_turn(&box.auditor);
}

static int
record(uint64_t number, enum event event, uint64_t session)
{
	union ipc_any any = {.RECORD_body = {.head = {MSG_RECORD}, .number = number}};

	any.RECORD_body.event = (uint16_t)event;
	any.RECORD_body.session = session;
	memset(any.RECORD_body.host, 'h', 200);
	return trail_message(&box.auditor, &box.auditor.serve.clients[0], &any);
}

/* The number in the last answer, which must be of that type; -1: there is none. */
static int64_t
answer(uint32_t type)
{
	struct ipc_stored got;
	int64_t last = -1;

	while (read(box.broker, &got, sizeof(got)) == (ssize_t)sizeof(got)) {
		assert_int_equal(got.head.type, type);
		last = (int64_t)got.number;
	}
	return last;
}

static uint64_t
proven(void)
{
	struct verify_result result;

	assert_int_equal(lseek(box.auditor.file.fd, 0, SEEK_SET), 0);
	assert_int_equal(verify_file(box.auditor.file.fd, NULL, NULL, &result), 0);
	assert_int_equal(result.fault, VERIFY_FINE);
	assert_int_equal(result.size, box.auditor.file.size);
	return result.records;
}

static void
short_writes_and_failures(void **state)
{
	uint64_t number = 0;

	(void)state;
	hello(INSTANCE);
	assert_int_equal(answer(MSG_AUDIT_READY), 0);
	for (int good = 0; good < 12; good++) {
		for (size_t partial = 0; partial < 900; partial += 83) {
			for (int i = 0; i < 3; i++)
				assert_int_equal(record(++number, EVENT_START, 0), 0);
			box.writes_good = good;
			box.short_by = partial;
			trail_turn(&box.auditor);
			if (box.auditor.failing) {
				assert_int_equal(answer(MSG_STORED), -1);
				assert_int_equal(proven(), number - 3);
				assert_true(box.auditor.serve.held);
				assert_in_range(trail_wait_ms(&box.auditor), 1, RETRY_MS);
				box.writes_good = -1;
				trail_turn(&box.auditor); /* not yet */
				assert_int_equal(answer(MSG_STORED), -1);
				box.clock_ms += RETRY_MS + 1;
				trail_turn(&box.auditor);
			}
			assert_false(box.auditor.serve.held);
			assert_int_equal(answer(MSG_STORED), number);
			assert_int_equal(proven(), number);
		}
	}
}

static void
what_cannot_be_cut_off_at_once(void **state)
{
	(void)state;
	hello(INSTANCE);
	(void)answer(MSG_AUDIT_READY);
	assert_int_equal(record(1, EVENT_START, 0), 0);
	trail_turn(&box.auditor);
	assert_int_equal(answer(MSG_STORED), 1);
	assert_int_equal(record(2, EVENT_START, 0), 0);
	box.writes_good = 0;
	box.short_by = 100;
	box.cuts_fail = 1;
	trail_turn(&box.auditor);
	box.writes_good = -1;
	for (int i = 0; i < 3; i++) {
		box.clock_ms += RETRY_MS + 1;
		trail_turn(&box.auditor);
		assert_int_equal(answer(MSG_STORED), -1);
	}
	box.cuts_fail = 0;
	box.clock_ms += RETRY_MS + 1;
	trail_turn(&box.auditor);
	assert_int_equal(answer(MSG_STORED), 2);
	assert_int_equal(proven(), 2);
}

static void
lost_sessions_while_the_disk_is_full(void **state)
{
	uint64_t number = 0;

	(void)state;
	hello(INSTANCE);
	(void)answer(MSG_AUDIT_READY);
	for (uint64_t session = 1; session <= 600; session++) {
		assert_int_equal(record(++number, EVENT_SESSION_OPEN, session), 0);
		trail_turn(&box.auditor);
		assert_int_equal(answer(MSG_STORED), number);
	}
	trail_gone(&box.auditor, &box.auditor.serve.clients[0]);
	box.auditor.serve.clients[0].state = IPC_NEW;
	box.writes_good = 9; /* each write takes half of what is left */
	hello(INSTANCE + 1);
	assert_int_equal(answer(MSG_AUDIT_READY), -1);
	assert_true(box.auditor.failing);
	box.writes_good = -1;
	box.clock_ms += RETRY_MS + 1;
	trail_turn(&box.auditor);
	assert_int_equal(answer(MSG_AUDIT_READY), 0);
	assert_int_equal(proven(), 1200);
}

static void
synced_before_stored(void **state)
{
	(void)state;
	box.auditor.sync = true;
	hello(INSTANCE);
	(void)answer(MSG_AUDIT_READY);
	for (uint64_t number = 1; number < 5; number++) {
		box.synced = 0;
		assert_int_equal(record(number, EVENT_START, 0), 0);
		trail_turn(&box.auditor);
		assert_int_equal(answer(MSG_STORED), number);
		assert_int_equal(box.synced, 1);
		assert_false(box.stored_before_sync);
	}
}

static void
synced_a_tenth_of_a_second_later(void **state)
{
	(void)state;
	hello(INSTANCE);
	(void)answer(MSG_AUDIT_READY);
	assert_int_equal(trail_wait_ms(&box.auditor), -1);
	assert_int_equal(record(1, EVENT_START, 0), 0);
	trail_turn(&box.auditor);
	assert_int_equal(answer(MSG_STORED), 1);
	assert_int_equal(box.synced, 0);
	assert_in_range(trail_wait_ms(&box.auditor), 1, SYNC_MS);
	box.clock_ms += SYNC_MS / 2;
	assert_int_equal(record(2, EVENT_START, 0), 0);
	trail_turn(&box.auditor);
	assert_int_equal(box.synced, 0);
	/* A second write does not put it off. */
	assert_in_range(trail_wait_ms(&box.auditor), 0, SYNC_MS / 2);
	box.clock_ms += SYNC_MS / 2 + 1;
	trail_turn(&box.auditor);
	assert_int_equal(box.synced, 1);
	assert_int_equal(trail_wait_ms(&box.auditor), -1);
}

static void
numbers(void **state)
{
	(void)state;
	hello(INSTANCE);
	(void)answer(MSG_AUDIT_READY);
	assert_int_equal(record(2, EVENT_START, 0), -1);
	assert_int_equal(record(0, EVENT_START, 0), 0);
	assert_int_equal(record(1, EVENT_START, 0), 0);
	assert_int_equal(record(1, EVENT_START, 0), 0);
	trail_turn(&box.auditor);
	assert_int_equal(answer(MSG_STORED), 1);
	assert_int_equal(record(1, EVENT_START, 0), 0);
	trail_turn(&box.auditor);
	assert_int_equal(answer(MSG_STORED), 1);
	assert_int_equal(proven(), 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(short_writes_and_failures),
		TEST(what_cannot_be_cut_off_at_once),
		TEST(lost_sessions_while_the_disk_is_full),
		TEST(synced_before_stored),
		TEST(synced_a_tenth_of_a_second_later),
		TEST(numbers),
	};

	return cmocka_run_group_tests_name("audit file", tests, NULL, NULL);
}
