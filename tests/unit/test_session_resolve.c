/* SPDX-License-Identifier: ISC */
/* Names that are resolved, answers of the broker that make no sense, half-closes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/play_inside.h"

static const struct ipc_addr near_any = {.family = 4, .port = 0, .ip = {192, 0, 2, 1}};

static void
post_refused(struct inside *in, uint32_t tag, uint32_t reason)
{
	const struct ipc_refused refused = {.head = {MSG_REFUSED}, .tag = tag, .reason = reason};

	inside_post(in, &refused, sizeof(refused), -1);
}

static void
post_listening(struct inside *in, uint32_t tag)
{
	const struct ipc_opened listening = {.head = {MSG_LISTENING},
					     .tag = tag,
					     .stream = 5,
					     .peer = {4, 0, 8080, {192, 0, 2, 1}}};

	inside_post(in, &listening, sizeof(listening), -1);
}

static struct ipc_resolved
answer_of(const struct stream *stream, uint32_t count)
{
	return (struct ipc_resolved){.head = {MSG_RESOLVED},
				     .tag = stream->tag,
				     .ttl_s = 60,
				     .count = count,
				     .addrs = {{4, 0, 0, {192, 0, 2, 7}}, {6, 0, 0, {0xfd}}}};
}

static void
test_resolve(void **state)
{
	struct inside *in = *state;
	struct stream *stream = session_resolve(in->s, "h.example", inside_name("r"));
	struct ipc_resolved answer = answer_of(stream, 2);
	struct ipc_buffer buffer;

	inside_take(in, MSG_OPEN, &buffer);
	assert_int_equal(buffer.any.OPEN_body.kind, IPC_RESOLVE);
	assert_int_equal(buffer.any.OPEN_body.protocol, 0);
	assert_int_equal(buffer.any.OPEN_body.addr.family, 0);
	assert_int_equal(buffer.any.OPEN_body.addr.port, 0);
	assert_string_equal(buffer.any.OPEN_body.host, "h.example");
	inside_post(in, &answer, sizeof(answer), -1);
	inside_told(in, "r resolved, ");
	assert_memory_equal(&in->resolved, &answer, sizeof(answer));
	assert_int_equal(stream->state, STREAM_FREE);
	assert_null(session_next(in->s, NULL));
	inside_quiet(in); /* there is no END of what was no stream */
}

/* A guest that resolves first and connects to the number falls under the name's rules. */
static void
test_number_of_a_name(void **state)
{
	struct inside *in = *state;
	struct stream *stream = session_resolve(in->s, "h.example", inside_name("r"));
	struct ipc_resolved answer = answer_of(stream, 2);
	struct ipc_buffer buffer;

	inside_take(in, MSG_OPEN, &buffer);
	inside_post(in, &answer, sizeof(answer), -1);
	inside_told(in, "r resolved, ");
	(void)session_open(in->s, PROTOCOL_TCP, "192.0.2.7", 80, inside_name("a"));
	inside_take(in, MSG_OPEN, &buffer);
	assert_string_equal(buffer.any.OPEN_body.host, "h.example");
	assert_memory_equal(buffer.any.OPEN_body.addr.ip, answer.addrs[0].ip, 16);
	assert_int_equal(buffer.any.OPEN_body.addr.port, 80);
	/* not another number, and not for longer than it was told */
	(void)session_open(in->s, PROTOCOL_UDP, "192.0.2.8", 80, inside_name("b"));
	inside_take(in, MSG_OPEN, &buffer);
	assert_string_equal(buffer.any.OPEN_body.host, "");
	in->s->now_ms += 60000;
	(void)session_open(in->s, PROTOCOL_TCP, "192.0.2.7", 80, inside_name("c"));
	inside_take(in, MSG_OPEN, &buffer);
	assert_string_equal(buffer.any.OPEN_body.host, "");
	assert_int_equal(buffer.any.OPEN_body.addr.family, 4);
}

static void
test_resolve_refused(void **state)
{
	struct inside *in = *state;
	struct stream *stream = session_resolve(in->s, "h.example", inside_name("r"));

	post_refused(in, stream->tag, REASON_NAME_UNKNOWN);
	inside_told(in, "r refused name-unknown, ");
	assert_int_equal(stream->state, STREAM_FREE);
}

/* An errno of the broker reaches a dialect as the reason that it is. */
static void
test_refused_by_errno(void **state)
{
	struct inside *in = *state;
	struct stream *stream =
		session_open(in->s, PROTOCOL_TCP, "h.example", 80, inside_name("a"));

	post_refused(in, stream->tag, REASON_ERRNO + ECONNREFUSED);
	inside_told(in, "a refused peer-refused, ");
}

static void
test_resolve_not_wanted(void **state)
{
	struct inside *in = *state;
	struct stream *stream = session_resolve(in->s, "h.example", inside_name("r"));
	struct ipc_resolved answer = answer_of(stream, 1);

	session_drop(in->s, stream, REASON_CLIENT_CLOSED);
	inside_post(in, &answer, sizeof(answer), -1);
	inside_told(in, "");
	assert_int_equal(stream->state, STREAM_FREE);
	/* nor by a dialect that has no use for answers */
	in->dialect.resolved = NULL;
	stream = session_resolve(in->s, "h.example", inside_name("r"));
	answer = answer_of(stream, IPC_ADDRESSES);
	inside_post(in, &answer, sizeof(answer), -1);
	inside_told(in, "");
	assert_int_equal(stream->state, STREAM_FREE);
	assert_false(in->s->over);
}

static void
test_slots_for_names(void **state)
{
	struct inside *in = *state;

	for (uint32_t i = 0; i < INSIDE_CHANNELS + SESSION_SPARE; i++)
		assert_non_null(session_resolve(in->s, "h.example", inside_name("r")));
	assert_null(session_resolve(in->s, "h.example", inside_name("r")));
	assert_null(session_listen(in->s, &near_any, inside_name("l")));
	assert_null(session_open(in->s, PROTOCOL_UDP, "h.example", 1, inside_name("a")));
}

/* --- answers that make no sense ------------------------------------------------------- */

enum nonsense {
	OPENED,
	LISTENING,
	RESOLVED,
	RESOLVED_NONE,
	RESOLVED_NINE
};

static void
answer_nonsense(struct inside *in, struct stream *stream, enum nonsense what)
{
	struct ipc_resolved answer = answer_of(stream, what == RESOLVED_NINE ? 9 : 0);

	answer.count += what == RESOLVED;
	switch (what) {
	case OPENED:
		close(inside_opened(in, stream->tag, 1, SOCK_STREAM));
		break;
	case LISTENING:
		post_listening(in, stream->tag);
		break;
	default:
		inside_post(in, &answer, sizeof(answer), -1);
		break;
	}
}

static void
test_nonsense(void **state)
{
	static const struct {
		enum ipc_open_kind asked;
		enum nonsense answer;
	} cases[] = {
		{IPC_CONNECT, LISTENING},     {IPC_CONNECT, RESOLVED},      {IPC_RESOLVE, OPENED},
		{IPC_RESOLVE, LISTENING},     {IPC_RESOLVE, RESOLVED_NONE}, {IPC_LISTEN, OPENED},
		{IPC_RESOLVE, RESOLVED_NINE}, {IPC_LISTEN, RESOLVED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct inside *in = *state;
		struct stream *stream;

		if (cases[i].asked == IPC_CONNECT)
			stream =
				session_open(in->s, PROTOCOL_TCP, "h.example", 1, inside_name("a"));
		else if (cases[i].asked == IPC_RESOLVE)
			stream = session_resolve(in->s, "h.example", inside_name("r"));
		else
			stream = session_listen(in->s, &near_any, inside_name("l"));
		assert_non_null(stream);
		answer_nonsense(in, stream, cases[i].answer);
		inside_told(in, "");
		assert_true(in->s->over);
		assert_int_equal(in->s->exit_status, WORKER_BROKER_LOST);
		inside_stop(in);
		inside_start(in, INSIDE_CHANNELS);
	}
}

/* --- half-closes ---------------------------------------------------------------------- */

static void
test_half_close(void **state)
{
	struct inside *in = *state;

	for (int early = 0; early < 2; early++) {
		struct stream *stream =
			session_open(in->s, PROTOCOL_TCP, "h.example", 80, inside_name("a"));
		struct ipc_buffer buffer;
		char got[8];
		int peer;

		assert_int_equal(session_push(in->s, stream, "all", 3), 0);
		if (early)
			session_shut(in->s, stream);
		inside_take(in, MSG_OPEN, &buffer);
		peer = inside_opened(in, buffer.any.OPEN_body.tag, 1, SOCK_STREAM);
		inside_told(in, "a opened, ");
		assert_int_equal(read(peer, got, sizeof(got)), 3);
		if (!early) {
			assert_int_equal(read(peer, got, 1), -1);
			session_shut(in->s, stream);
		}
		assert_int_equal(read(peer, got, 1), 0);
		assert_int_equal(session_push(in->s, stream, "late", 4), 0);
		/* the other way stays */
		play_write(peer, "answer", 6);
		close(peer);
		inside_told(in, "a data 6, a ended peer-closed, ");
		inside_expect_end(in, 1, REASON_PEER_CLOSED, 3, 6);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, inside_setup, inside_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(resolve),          TEST(number_of_a_name),   TEST(resolve_refused),
		TEST(refused_by_errno), TEST(resolve_not_wanted), TEST(slots_for_names),
		TEST(nonsense),         TEST(half_close),
	};

	return cmocka_run_group_tests_name("session_resolve", tests, NULL, NULL);
}
