/* SPDX-License-Identifier: ISC */
/* What is a scan and what is none; test_audit_scan_line.c has what is made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "helpers/auditor/scan.h"
#include "ipc/words.h"

#define SECOND 1000000000ULL
#define ASKERS (SCAN_SETS * SCAN_WAYS)
#define WINDOW (SCAN_WINDOW_MS * 1000000ULL)

static struct scans scans;

static int
set_up(void **state)
{
	(void)state;
	/* One key for all runs, so that places do not depend on chance. */
	memset(&scans, 0, sizeof(scans));
	memset(scans.key, 7, sizeof(scans.key));
	return 0;
}

/* A refusal as the broker records it: alice asked for port @port of 10.0.0.1. */
static struct ipc_record
refusal(uint16_t port)
{
	struct ipc_record record = {.head = {MSG_RECORD},
				    .event = EVENT_REFUSED,
				    .reason = REASON_NO_RULE,
				    .session = 7,
				    .stream = 1,
				    .protocol = PROTOCOL_TCP,
				    .mono_ns = 5 * SECOND,
				    .wall_ns = 1000 * SECOND,
				    .client = {4, 0, 40000, {192, 0, 2, 1}},
				    .peer = {4, 0, port, {10, 0, 0, 1}}};

	strcpy(record.grant, "demo");
	strcpy(record.subject, "alice");
	return record;
}

static bool
count(const struct ipc_record *record)
{
	struct scan_found found = {77, 77, 77};
	bool is = scan_count(&scans, record, &found);

	/* Without a scan the output stays as it was. */
	assert_int_equal(found.targets, is ? SCAN_TARGETS : 77);
	return is;
}

/* Counts @n refusals like it, each of another port, from @first on; how many scans. */
static unsigned int
ports(const struct ipc_record *like, unsigned int first, unsigned int n)
{
	struct ipc_record record = *like;
	unsigned int scanned = 0;

	for (unsigned int i = 0; i < n; i++) {
		record.peer.port = (uint16_t)(first + i);
		record.stream++;
		scanned += count(&record);
	}
	return scanned;
}

static void
the_thirty_second(void **state)
{
	struct ipc_record record = refusal(0);

	(void)state;
	assert_int_equal(ports(&record, 1, SCAN_TARGETS - 1), 0);
	assert_int_equal(ports(&record, SCAN_TARGETS, 1), 1);
}

static void
once_in_a_window(void **state)
{
	struct ipc_record record = refusal(0);

	(void)state;
	assert_int_equal(ports(&record, 1, 1000), 1);
	record.mono_ns += WINDOW - 1;
	assert_int_equal(ports(&record, 2000, 1000), 0);
	record.mono_ns += 1;
	assert_int_equal(ports(&record, 1, SCAN_TARGETS - 1), 0);
	assert_int_equal(ports(&record, 5000, 1000), 1);
}

static void
what_it_says(void **state)
{
	struct ipc_record record = refusal(0);
	struct scan_found found;

	(void)state;
	assert_int_equal(ports(&record, 1, SCAN_TARGETS - 1), 0);
	record.mono_ns += 3 * SECOND / 2;
	assert_int_equal(ports(&record, 1, SCAN_TARGETS - 1), 0);
	record.peer.port = 9999;
	assert_true(scan_count(&scans, &record, &found));
	assert_int_equal(found.targets, SCAN_TARGETS);
	assert_int_equal(found.refused, 2 * SCAN_TARGETS - 1);
	assert_int_equal(found.window_ms, 1500);
}

static void
the_same_again(void **state)
{
	struct ipc_record record = refusal(443);

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_false(count(&record));
	/* Its number in the session, why, and which address a name had are nothing new. */
	strcpy(record.host, "db.test");
	for (uint8_t i = 0; i < 100; i++) {
		record.stream = i + 1U;
		record.reason = i % 2 ? REASON_TIMEOUT : REASON_PEER_REFUSED;
		record.peer.ip[3] = i;
		assert_false(count(&record));
	}
}

static void
what_is_different(void **state)
{
	struct ipc_record record = refusal(443);
	unsigned int scanned = 0;

	(void)state;
	/* Eight each of address, port, name and protocol with name: 32 in all. */
	for (uint8_t i = 0; i < 8; i++) {
		record = refusal(443);
		record.peer.ip[3] = (uint8_t)(100 + i);
		scanned += count(&record);
		record = refusal((uint16_t)(1 + i));
		scanned += count(&record);
		record = refusal(443);
		snprintf(record.host, sizeof(record.host), "h%d.test", i);
		scanned += count(&record);
		assert_int_equal(scanned, 0);
		record.protocol = i % 2 ? PROTOCOL_UDP : PROTOCOL_TLS;
		scanned += count(&record);
	}
	assert_int_equal(scanned, 1);
}

static void
further_sessions(void **state)
{
	struct ipc_record record = refusal(0);
	unsigned int scanned = 0;

	(void)state;
	for (uint16_t i = 0; i < SCAN_TARGETS; i++) {
		record.session = 100 + i;
		record.stream = 1;
		record.client.ip[3] = (uint8_t)i; /* wherever it comes from */
		record.peer.port = i;
		scanned += count(&record);
	}
	assert_int_equal(scanned, 1);
}

static void
two_apart(void **state)
{
	struct ipc_record alice = refusal(0);
	struct ipc_record bob = refusal(0);
	struct ipc_record other = refusal(0);

	(void)state;
	strcpy(bob.subject, "bob");
	strcpy(other.grant, "other");
	assert_int_equal(ports(&alice, 1, SCAN_TARGETS - 1), 0);
	assert_int_equal(ports(&bob, 1000, SCAN_TARGETS - 1), 0);
	assert_int_equal(ports(&other, 2000, SCAN_TARGETS - 1), 0);
	assert_int_equal(ports(&bob, 3000, 1), 1);
	assert_int_equal(ports(&alice, 3000, 1), 1);
	assert_int_equal(ports(&other, 3000, 1), 1);
}

/* The same text with another border between grant and subject is somebody else. */
static void
no_border_moves(void **state)
{
	struct ipc_record one = refusal(0);
	struct ipc_record two = refusal(0);

	(void)state;
	memset(one.grant, 'g', sizeof(one.grant));
	strcpy(one.subject, "s");
	memset(two.grant, 'g', sizeof(two.grant));
	two.grant[sizeof(two.grant) - 1] = '\0';
	strcpy(two.subject, "gs");
	assert_int_equal(ports(&one, 1, SCAN_TARGETS - 1), 0);
	assert_int_equal(ports(&two, 1000, SCAN_TARGETS - 1), 0);
}

static void
without_a_subject(void **state)
{
	struct ipc_record one = refusal(0);
	struct ipc_record two;
	struct ipc_record six;

	(void)state;
	memset(one.subject, 0, sizeof(one.subject));
	two = six = one;
	two.client.ip[3] = 2;
	assert_int_equal(ports(&one, 1, SCAN_TARGETS - 1), 0);
	assert_int_equal(ports(&two, 100, SCAN_TARGETS - 1), 0);
	one.client.port++;
	assert_int_equal(ports(&one, 1000, 1), 1);
	/* Of IPv6 a /64 is one. */
	six.client = (struct ipc_addr){6, 0, 1, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1}};
	for (uint8_t i = 0; i < SCAN_TARGETS - 1; i++) {
		six.client.ip[15] = i;
		six.client.ip[8] = i;
		assert_int_equal(ports(&six, i, 1), 0);
	}
	two = six;
	two.client.ip[7] = 2;
	assert_int_equal(ports(&two, 1000, 1), 0);
	assert_int_equal(ports(&six, 1000, 1), 1);
}

static void
what_does_not_count(void **state)
{
	static const uint16_t ours[] = {
		REASON_AUDITOR_LOST, REASON_RESOLVER_LOST,  REASON_AUTHENTICATOR_LOST,
		REASON_RESOURCES,    REASON_DRAINING,       REASON_KILLED,
		REASON_BROKER_LOST,  REASON_POLICY_CHANGED, REASON_ERRNO + EMFILE,
		REASON_NO_POLICY,    REASON_LISTENER_LOST};
	struct ipc_record record = refusal(0);

	(void)state;
	/* Strangers outside, who brand nobody; and where a session would listen. */
	record.protocol = PROTOCOL_INBOUND;
	assert_int_equal(ports(&record, 1, 1000), 0);
	record.protocol = PROTOCOL_LISTEN;
	assert_int_equal(ports(&record, 1, 1000), 0);
	/* A session that was refused: its header is no destination. */
	record = refusal(0);
	for (int i = 0; i < 100; i++) {
		record.stream = 0;
		snprintf(record.host, sizeof(record.host), "h%d.test", i);
		assert_false(count(&record));
	}
	record = refusal(0);
	for (enum event event = EVENT_START; event < EVENT_COUNT; event++) {
		record.event = (uint16_t)event;
		assert_int_equal(ports(&record, 1, 100), event == EVENT_REFUSED);
	}
	strcpy(record.subject, "bob");
	record.event = EVENT_REFUSED;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		record.reason = ours[i];
		assert_int_equal(ports(&record, 1, 100), 0);
	}
}

static void
what_counts(void **state)
{
	static const uint16_t theirs[] = {
		REASON_RULE_DENIES,    REASON_NO_RULE,        REASON_SPECIAL_ADDRESS,
		REASON_OWN_ADDRESS,    REASON_PORT_CLOSED,    REASON_NAME_INVALID,
		REASON_NAME_UNKNOWN,   REASON_NAME_FAILED,    REASON_ERRNO + ECONNREFUSED,
		REASON_TIMEOUT,        REASON_PEER_MISMATCH,  REASON_ERRNO + EHOSTUNREACH,
		REASON_CHANNELS_LIMIT, REASON_CONNECTS_LIMIT, REASON_BYTES_LIMIT,
		REASON_WORKER_EXITED,  REASON_CLIENT_CLOSED,  REASON_WORKER_CRASHED};
	const size_t n = sizeof(theirs) / sizeof(theirs[0]);
	struct ipc_record record = refusal(0);
	unsigned int scanned = 0;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		snprintf(record.subject, sizeof(record.subject), "s%zu", i);
		record.reason = theirs[i];
		/* Of lookups too, which have no protocol. */
		record.protocol = i % 2 ? PROTOCOL_TCP : 0;
		scanned += ports(&record, 1, SCAN_TARGETS);
	}
	assert_int_equal(scanned, n);
}

/* Whatever the clock does, a window ends, and no scan is told of twice in a row. */
static void
clocks(void **state)
{
	struct ipc_record record = refusal(0);

	(void)state;
	assert_int_equal(ports(&record, 1, SCAN_TARGETS), 1);
	record.mono_ns = SECOND;
	assert_int_equal(ports(&record, 1, SCAN_TARGETS - 1), 0);
	record.mono_ns = UINT64_MAX;
	assert_int_equal(ports(&record, 1, SCAN_TARGETS - 1), 0);
	record.mono_ns = 0;
	assert_int_equal(ports(&record, 1, SCAN_TARGETS - 1), 0);
	/* The wall clock is not looked at. */
	record.wall_ns += 1000 * WINDOW;
	assert_int_equal(ports(&record, 1000, 1), 1);
}

static struct ipc_record
somebody(unsigned int number)
{
	struct ipc_record record = refusal(1);

	snprintf(record.subject, sizeof(record.subject), "somebody-%u", number);
	return record;
}

/* Who goes on asking stays, however many others come; who is silent makes room. */
static void
more_than_there_is_room_for(void **state)
{
	struct ipc_record alice = refusal(0);
	struct ipc_record record;

	(void)state;
	for (unsigned int i = 0; i < SCAN_TARGETS - 1; i++) {
		assert_int_equal(ports(&alice, 1 + i, 1), 0);
		/* They cannot choose her set: eight of them hardly fall into it. */
		for (unsigned int j = 0; j < SCAN_SETS / 4; j++) {
			record = somebody(i * SCAN_SETS + j);
			assert_false(count(&record));
		}
	}
	assert_int_equal(ports(&alice, 1000, 1), 1);
	assert_int_equal(ports(&alice, 2000, 40), 0);
	for (unsigned int i = 0; i < 40 * ASKERS; i++) {
		record = somebody(i);
		assert_false(count(&record));
	}
	/* She was pushed out, and begins anew. */
	assert_int_equal(ports(&alice, 1, SCAN_TARGETS - 1), 0);
	assert_int_equal(ports(&alice, 1000, 1), 1);
}

static void
other_keys_other_places(void **state)
{
	static struct scans other;
	struct ipc_record record = refusal(1);
	uint64_t who[2] = {0, 0};

	(void)state;
	memset(&other, 0, sizeof(other));
	scan_open(&other);
	assert_false(scan_count(&scans, &record, &(struct scan_found){0}));
	assert_false(scan_count(&other, &record, &(struct scan_found){0}));
	for (size_t i = 0; i < ASKERS; i++) {
		who[0] |= scans.watchers[i / SCAN_WAYS][i % SCAN_WAYS].who;
		who[1] |= other.watchers[i / SCAN_WAYS][i % SCAN_WAYS].who;
	}
	assert_int_not_equal(who[0], who[1]);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		TEST(the_thirty_second),
		TEST(once_in_a_window),
		TEST(what_it_says),
		TEST(the_same_again),
		TEST(what_is_different),
		TEST(further_sessions),
		TEST(two_apart),
		TEST(no_border_moves),
		TEST(without_a_subject),
		TEST(what_does_not_count),
		TEST(what_counts),
		TEST(clocks),
		TEST(more_than_there_is_room_for),
		TEST(other_keys_other_places),
	};

	return cmocka_run_group_tests_name("audit scan", tests, NULL, NULL);
}
