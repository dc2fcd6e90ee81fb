/* SPDX-License-Identifier: ISC */
/* The line that tells of a scan; and the auditor with as many in a batch as can be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "helpers/auditor/journal.h"
#include "helpers/auditor/trail.h"
#include "helpers/auditor/verify.h"
#include "ipc/words.h"

static struct auditor auditor;
static char path[32];

static struct ipc_record
refusal(unsigned int who, uint16_t port)
{
	struct ipc_record record = {.head = {MSG_RECORD},
				    .event = EVENT_REFUSED,
				    .reason = REASON_NO_RULE,
				    .session = 7,
				    .stream = 1,
				    .protocol = PROTOCOL_TCP,
				    .client = {4, 0, 40000, {192, 0, 2, 1}},
				    .peer = {4, 0, port, {10, 0, 0, 1}}};

	strcpy(record.grant, "demo");
	snprintf(record.subject, sizeof(record.subject), "alice-%u", who);
	return record;
}

static void
the_line(void **state)
{
	struct ipc_record record = refusal(1, 443);
	const struct scan_found found = {32, 40, 1234};
	struct trail trail = {.run = 9};
	char fields[3 * LINE_MOST];
	char text[LINE_MOST];
	struct line line;
	size_t n;

	(void)state;
	chain_start(&trail.chain);
	record.number = 12;
	record.dialect = DIALECT_WISP;
	strcpy(record.host, "db.test");
	n = record_scan(&trail, &record, &found, text);
	assert_int_equal(line_parse(&line, text, n - 1), 0);
	assert_true(line_is(&line, "event", "scan"));
	assert_true(line_is(&line, "grant", "demo"));
	assert_true(line_is(&line, "subject", "alice-1"));
	assert_true(line_is(&line, "client", "192.0.2.1"));
	assert_true(line_is(&line, "dialect", "wisp"));
	assert_int_equal(line_hex(&line, "session"), 7);
	assert_int_equal(line_number(&line, "targets"), 32);
	assert_int_equal(line_number(&line, "refused"), 40);
	assert_int_equal(line_number(&line, "window_ms"), 1234);
	/* It is about no one destination, and is the auditor's own. */
	assert_null(line_find(&line, "n"));
	assert_null(line_find(&line, "host"));
	assert_null(line_find(&line, "stream"));
	assert_null(line_find(&line, "reason"));
	n = journal_build(text, n - 1, fields, sizeof(fields));
	assert_true(n > 0);
	assert_non_null(memmem(fields, n, "PRIORITY\n\1\0\0\0\0\0\0\0004\n", 19));
	assert_non_null(memmem(fields, n, "scan: 32 targets, session 0000000000000007\n", 43));
}

/* --- with the auditor around it ------------------------------------------------- */

static int
tell(uint64_t number, unsigned int who, uint16_t port)
{
	union ipc_any any = {.RECORD_body = refusal(who, port)};

	any.RECORD_body.number = number;
	return trail_message(&auditor, &auditor.serve.clients[0], &any);
}

static uint64_t
lines_in_file(void)
{
	struct verify_result result;

	assert_int_equal(lseek(auditor.file.fd, 0, SEEK_SET), 0);
	assert_int_equal(verify_file(auditor.file.fd, NULL, NULL, &result), 0);
	assert_int_equal(result.fault, VERIFY_FINE);
	return result.records;
}

static int
start_auditor(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/sockward-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	memset(&auditor, 0, sizeof(auditor));
	auditor.file = (struct audit_file){.fd = fd};
	auditor.journal.fd = -1;
	memcpy(auditor.trail.boot, "boot", 5);
	chain_start(&auditor.trail.chain);
	for (size_t i = 0; i < SERVE_CLIENTS; i++)
		auditor.serve.clients[i].watch.fd = -1;
	memset(auditor.scans.key, 7, sizeof(auditor.scans.key));
	return 0;
}

static int
end_auditor(void **state)
{
	(void)state;
	assert_int_equal(unlink(path), 0);
	close(auditor.file.fd);
	return 0;
}

/* A whole turn's records, of which each completes a scan: all are written. */
static void
scans_in_a_batch(void **state)
{
	uint64_t number = 0;

	(void)state;
	for (uint16_t port = 1; port < SCAN_TARGETS; port++) {
		for (unsigned int who = 0; who < BATCH_RECORDS; who++)
			assert_int_equal(tell(++number, who, port), 0);
		trail_turn(&auditor);
	}
	assert_int_equal(lines_in_file(), number);
	for (unsigned int who = 0; who < BATCH_RECORDS; who++)
		assert_int_equal(tell(++number, who, SCAN_TARGETS), 0);
	assert_int_equal(auditor.lines, BATCH_LINES);
	trail_turn(&auditor);
	assert_int_equal(lines_in_file(), number + BATCH_RECORDS);
	assert_int_equal(auditor.stored, number);
}

/* What a broker sends again after a reconnection is nothing new. */
static void
sent_again(void **state)
{
	uint64_t number = 0;
	uint64_t lines;

	(void)state;
	for (uint16_t port = 1; port < SCAN_TARGETS; port++)
		assert_int_equal(tell(++number, 1, port), 0);
	for (uint64_t again = 1; again <= number; again++)
		assert_int_equal(tell(again, 1, (uint16_t)(1000 + again)), 0);
	trail_turn(&auditor);
	lines = lines_in_file();
	assert_int_equal(lines, number);
	assert_int_equal(tell(++number, 1, SCAN_TARGETS), 0);
	assert_int_equal(tell(number, 1, SCAN_TARGETS), 0);
	trail_turn(&auditor);
	assert_int_equal(lines_in_file(), lines + 2);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_auditor, end_auditor)
	const struct CMUnitTest tests[] = {
		TEST(the_line),
		TEST(scans_in_a_batch),
		TEST(sent_again),
	};

	return cmocka_run_group_tests_name("audit scan line", tests, NULL, NULL);
}
