/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "helpers/auditor/journal.h"
#include "helpers/auditor/message_ids.h"
#include "helpers/auditor/record.h"
#include "helpers/auditor/sessions.h"
#include "helpers/auditor/writer.h"
#include "ipc/words.h"

#define Z8  "00000000"
#define Z64 Z8 Z8 Z8 Z8 Z8 Z8 Z8 Z8

static void
written(const char *bytes, size_t n, const char *wanted)
{
	char out[256];
	char expected[256];
	struct writer writer;

	writer_start(&writer, out, sizeof(out));
	writer_text(&writer, "x", bytes, n);
	out[writer.length] = '\0';
	strcpy(expected, "{\"x\":\"");
	strcat(expected, wanted);
	strcat(expected, "\"");
	assert_string_equal(out, expected);
}

#define WRITTEN(bytes, wanted) written(bytes, sizeof(bytes) - 1, wanted)

static void
escapes(void **state)
{
	(void)state;
	WRITTEN("", "");
	WRITTEN("plain ~!", "plain ~!");
	WRITTEN("\"\\/", "\\\"\\\\/");
	WRITTEN("\0\n\x1f\x7f", "\\u0000\\u000a\\u001f\\u007f");
	WRITTEN("\xc3\xa9", "\\u00e9");
	WRITTEN("\xef\xbf\xbf", "\\uffff");
	WRITTEN("\xf0\x9f\x98\x80", "\\ud83d\\ude00");
	WRITTEN("\xf4\x8f\xbf\xbf", "\\udbff\\udfff");
	WRITTEN("\xf4\x90\x80\x80", "\\udcf4\\udc90\\udc80\\udc80");
	WRITTEN("\xed\xa0\x80", "\\udced\\udca0\\udc80");
	WRITTEN("\xc0\xaf", "\\udcc0\\udcaf");
	WRITTEN("\xe0\x80\x80", "\\udce0\\udc80\\udc80");
	WRITTEN("\xf0\x80\x80\x80", "\\udcf0\\udc80\\udc80\\udc80");
	WRITTEN("\xe2\x82", "\\udce2\\udc82");
	WRITTEN("\xff\x80", "\\udcff\\udc80");
}

static void
lines(void **state)
{
	static const char good[] =
		"{\"seq\":1,\"a\":\"x\\u0000\\\"\\\\\",\"b\":-5,\"c\":0,\"prev\":"
		"\"\",\"hash\":\"\"}";
	static const char *const bad[] = {
		"",
		"{}",
		"{\"seq\":1}",
		"{\"seq\":1,\"hash\":\"\",\"prev\":\"\"}",
		"{\"a\":1,\"prev\":\"\",\"hash\":\"\"}",
		" {\"seq\":1,\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\": 1,\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":1,\"prev\":\"\",\"hash\":\"\"} ",
		"{\"seq\":01,\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":-,\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":,\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":1.0,\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":true,\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":[1],\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":1,\"x\":\"\\n\",\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":1,\"x\":\"\\u00G0\",\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":1,\"x\":\"\\u00A0\",\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":1,\"x\":\"\t\",\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":1,\"x\":\"\x80\",\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":1,\"x\":1,\"x\":1,\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":1,,\"prev\":\"\",\"hash\":\"\"}",
		"{\"seq\":1,\"prev\":\"\",\"hash\":\"\"",
		"{\"seq\":1,\"prev\":\"\",\"hash\":\"",
	};
	struct line line;
	char text[8];

	(void)state;
	assert_int_equal(line_parse(&line, good, strlen(good)), 0);
	assert_int_equal(line.n, 6);
	assert_int_equal(line_number(&line, "seq"), 1);
	assert_int_equal(line_number(&line, "b"), 0);
	assert_int_equal(line_number(&line, "a"), 0);
	line_copy(&line, "a", text, sizeof(text));
	assert_string_equal(text, "x\\u0000");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(line_parse(&line, bad[i], strlen(bad[i])), -1);
	/* Cut short at each byte, without reading beyond it. */
	for (size_t n = 0; n < strlen(good); n++) {
		char *part = malloc(n ? n : 1);

		assert_non_null(part);
		memcpy(part, good, n);
		assert_int_equal(line_parse(&line, part, n), -1);
		free(part);
	}
}

static void
numbers(void **state)
{
	static const char text[] = "{\"seq\":18446744073709551615,\"a\":18446744073709551616,\"h\":"
				   "\"0123456789abcdef\",\"prev\":\"\",\"hash\":\"\"}";
	struct line line;

	(void)state;
	assert_int_equal(line_parse(&line, text, strlen(text)), 0);
	assert_true(line_number(&line, "seq") == UINT64_MAX);
	assert_int_equal(line_number(&line, "a"), 0);
	assert_true(line_hex(&line, "h") == 0x0123456789abcdefULL);
	assert_int_equal(line_hex(&line, "prev"), 0);
}

/* The longest record there can be: every field full, every byte escaped. */
static void
longest_record(void **state)
{
	struct trail trail = {.boot = "01234567-89ab-cdef-0123-456789abcdef", .run = UINT64_MAX};
	struct ipc_record record;
	char out[LINE_MOST];
	char datagram[3 * LINE_MOST];
	struct line line;
	size_t n;

	(void)state;
	for (uint16_t event = 0; event < EVENT_COUNT + 2; event++) {
		chain_start(&trail.chain);
		memset(&record, 0xff, sizeof(record));
		record.event = event;
		record.client.family = record.peer.family = record.local.family = 6;
		n = record_line(&trail, &record, out);
		assert_in_range(n, 1000, LINE_MOST - 1);
		assert_int_equal(out[n - 1], '\n');
		assert_int_equal(line_parse(&line, out, n - 1), 0);
		assert_true(chain_sound(out, n - 1));
		assert_true(line_is(&line, "prev", Z64));
		assert_true(line_is(&line, "hash", trail.chain.hash));
		assert_true(line_is(&line, "event", event_word(event)));
		assert_true(journal_build(out, n - 1, datagram, sizeof(datagram)) > n);
		assert_int_equal(journal_build(out, n - 1, datagram, n), 0);
	}
}

static bool
told(const struct ipc_record *record, const char *ip, uint64_t port)
{
	struct trail trail = {.boot = "b"};
	char out[LINE_MOST];
	struct line line;
	size_t n;

	chain_start(&trail.chain);
	n = record_line(&trail, record, out);
	assert_int_equal(line_parse(&line, out, n - 1), 0);
	assert_true(line_is(&line, "client", "192.0.2.10"));
	if (!ip)
		return !line_find(&line, "claimed_client") &&
		       !line_find(&line, "claimed_client_port");
	return line_is(&line, "claimed_client", ip) &&
	       line_number(&line, "claimed_client_port") == port;
}

/* What a worker says of its client counts where the listener found a listed proxy. */
static void
who_the_client_is(void **state)
{
	const struct ipc_addr proxy = {4, 1, 443, {192, 0, 2, 10}};
	const struct ipc_addr v4 = {4, 0, 40001, {203, 0, 113, 9}};
	const struct ipc_addr v6 = {6, 1, 2, {0x20, 1, 0xd, 0xb8, [15] = 7}};
	struct ipc_record record = {.number = 1, .event = EVENT_SESSION_END, .client = proxy};

	(void)state;
	assert_true(told(&record, NULL, 0));
	record.counts.told = v4;
	assert_true(told(&record, "203.0.113.9", 40001));
	/* The word that was first stands. */
	record.told = v6;
	assert_true(told(&record, "2001:db8::7", 2));
	record.counts.told = (struct ipc_addr){0};
	assert_true(told(&record, "2001:db8::7", 2));
	record.counts.told = v4;
	record.client.proxy = 0;
	assert_true(told(&record, NULL, 0));
}

/* So that `journalctl MESSAGE_ID=' finds each, and nothing else. */
static void
each_event_has_its_own_id(void **state)
{
	static const char *const words[] = {
#define ROW(word, id, priority) word,
		MESSAGE_IDS(ROW)
#undef ROW
	};
	static const char *const ids[] = {
#define ROW(word, id, priority) id,
		MESSAGE_IDS(ROW)
#undef ROW
	};
	size_t n = sizeof(ids) / sizeof(ids[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(strspn(ids[i], "0123456789abcdef"), 32);
		assert_int_equal(strlen(ids[i]), 32);
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(words[i], words[j]);
			assert_string_not_equal(ids[i], ids[j]);
		}
	}
	for (uint16_t event = 1; event < EVENT_COUNT; event++) {
		size_t i = 0;

		while (i < n && strcmp(words[i], event_word(event)) != 0)
			i++;
		assert_true(i < n);
	}
}

static void
cut_lines_are_kept(void **state)
{
	struct trail trail = {.boot = "b"};
	char bytes[RECORD_CUT_MOST];
	struct repair repair = {"line-cut", 9, bytes, 100000};
	char out[LINE_MOST];
	struct line line;
	size_t n;

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	chain_start(&trail.chain);
	n = record_repair(&trail, &repair, out);
	assert_int_equal(line_parse(&line, out, n - 1), 0);
	assert_int_equal(line_number(&line, "cut_bytes"), 100000);
	assert_int_equal(line_find(&line, "cut")->value_length, 6 * RECORD_CUT_MOST);
}

static void
any_change_of_a_line_shows(void **state)
{
	struct trail trail = {.boot = "b", .run = 1};
	struct ipc_record record = {.number = 1, .event = EVENT_START};
	char out[LINE_MOST];
	size_t n;

	(void)state;
	chain_start(&trail.chain);
	n = record_line(&trail, &record, out) - 1;
	for (size_t i = 0; i < n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			out[i] = (char)(out[i] ^ (1 << bit));
			assert_false(chain_sound(out, n));
			out[i] = (char)(out[i] ^ (1 << bit));
		}
		assert_false(chain_sound(out, i));
	}
	assert_true(chain_sound(out, n));
}

/* A set against the simplest other one: an array of marks. */
static void
sets(void **state)
{
	static bool there[5000];
	struct sessions set = {0};
	size_t n = 0;

	(void)state;
	srandom(5);
	assert_int_equal(sessions_any(&set), 0);
	sessions_remove(&set, 5);
	for (int i = 0; i < 200000; i++) {
		size_t which = (size_t)random() % 5000;
		/* Numbers that share a home, too. */
		uint64_t session = which % 2 ? which + 1 : (which + 1) << 40;

		if (random() % 2) {
			assert_int_equal(sessions_add(&set, session), 0);
			n += !there[which];
			there[which] = true;
		} else {
			sessions_remove(&set, session);
			n -= there[which];
			there[which] = false;
		}
		assert_int_equal(set.n, n);
	}
	while (n--) {
		uint64_t session = sessions_any(&set);
		size_t which = (size_t)(session > UINT32_MAX ? session >> 40 : session) - 1;

		assert_true(session && there[which]);
		there[which] = false;
		sessions_remove(&set, session);
	}
	assert_int_equal(sessions_any(&set), 0);
	sessions_free(&set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes),
		cmocka_unit_test(lines),
		cmocka_unit_test(numbers),
		cmocka_unit_test(who_the_client_is),
		cmocka_unit_test(longest_record),
		cmocka_unit_test(each_event_has_its_own_id),
		cmocka_unit_test(cut_lines_are_kept),
		cmocka_unit_test(any_change_of_a_line_shows),
		cmocka_unit_test(sets),
	};

	return cmocka_run_group_tests_name("audit line", tests, NULL, NULL);
}
