/* SPDX-License-Identifier: ISC */
#include "worker/handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/accept.h"
#include "worker/answer.h"
#include "worker/ask.h"
#include "worker/session.h"
#include "worker/token.h"

_Static_assert(HTTP_HEAD_MOST <= WS_INPUT, "a head and what follows it fit the input");
_Static_assert(HTTP_HOST_MOST < IPC_HOST && HTTP_HOST_MOST < IPC_ORIGIN, "fields fit AUTH");

static void
refuse(struct session *s, unsigned int status)
{
	size_t n;
	const char *answer = accept_refusal(status, &n);

	s->http_status = (uint16_t)status;
	session_exit(s, WORKER_HTTP_REFUSED);
	ws_refuse(&s->ws, answer, n);
}

static void
answer_plain(struct session *s, const char *answer, size_t n)
{
	session_exit(s, WORKER_NOT_UPGRADED);
	ws_refuse(&s->ws, answer, n);
}

static void
fill_auth(const struct session *s, struct ipc_auth *auth)
{
	const struct http_span *origin = http_find(&s->head, HTTP_ORIGIN);
	enum token_result token;

	*auth = (struct ipc_auth){.head = {MSG_AUTH}};
	auth->dialect = (uint8_t)s->dialect->number;
	auth->has_origin = origin != NULL;
	http_copy_lower(s->head_bytes, http_find(&s->head, HTTP_HOST), auth->host);
	http_copy_lower(s->head_bytes, origin, auth->origin);
	token = token_find(&s->head, s->head_bytes, s->dialect->number, auth->token);
	/* A malformed one goes as an empty one: nobody admits it, and it is on record. */
	auth->has_token = token != TOKEN_ABSENT;
}

static void
switch_protocols(struct session *s)
{
	const struct http_span *key = http_find(&s->head, HTTP_KEY);
	const char *protocol = NULL;
	struct http_span span = {0};
	char answer[ACCEPT_SIZE];
	size_t n;

	if (token_protocol(&s->head, s->head_bytes, s->dialect->number, &span))
		protocol = s->head_bytes + span.at;
	n = accept_upgrade(s->head_bytes + key->at, protocol, span.length, answer);
	if (ws_upgrade(&s->ws, answer, n, s->head_bytes + s->head.length,
		       s->head_length - s->head.length) < 0)
		session_no_memory(s);
}

static void
upgrade(struct session *s, const struct target *target)
{
	struct ipc_auth auth;

	s->mine = calloc(1, s->dialect->size);
	if (!s->mine) {
		session_no_memory(s);
		return;
	}
	s->dialect->begin(s, target, s->head_bytes + s->head.query.at, s->head.query.length);
	if (!s->refused_early) {
		fill_auth(s, &auth);
		ask_auth(s, &auth);
		explicit_bzero(&auth, sizeof(auth));
	}
	if (s->over)
		return;
	switch_protocols(s);
	if (s->refused_early && !s->over)
		answer_refused(s);
}

static void
route_dialect(struct session *s, const struct target *target)
{
	size_t n;
	const char *answer;

	if (s->head.method != HTTP_GET) {
		if (target->route != TARGET_NETPROXY) {
			refuse(s, 405);
			return;
		}
		answer = accept_preflight(&n);
		answer_plain(s, answer, n);
		return;
	}
	switch (http_upgrade(&s->head, s->head_bytes)) {
	case HTTP_WEBSOCKET:
		s->dialect = dialect_of(target->route);
		upgrade(s, target);
		break;
	case HTTP_BAD_UPGRADE:
		refuse(s, 400);
		break;
	case HTTP_PLAIN:
	case HTTP_OTHER_VERSION:
		refuse(s, 426);
		break;
	}
}

static void
route(struct session *s)
{
	struct target target;
	const char *answer;
	size_t n;

	target_read(s->head_bytes + s->head.path.at, s->head.path.length, &target);
	if (target.route == TARGET_BAD) {
		refuse(s, 400);
	} else if (dialect_of(target.route)) {
		route_dialect(s, &target);
	} else if (target.route != TARGET_HEALTH) {
		refuse(s, 404);
	} else if (s->head.method != HTTP_GET) {
		refuse(s, 405);
	} else if (http_upgrade(&s->head, s->head_bytes) != HTTP_PLAIN) {
		refuse(s, 400);
	} else {
		answer = accept_health(&n);
		answer_plain(s, answer, n);
	}
}

static void
lost(struct session *s)
{
	s->ws.lost = true;
	s->ws.state = WS_OVER;
}

void
handshake_read(struct session *s)
{
	ssize_t n = read(s->client, s->head_bytes + s->head_length,
			 sizeof(s->head_bytes) - s->head_length);
	enum http_result parsed;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lost(s);
		return;
	}
	s->head_length += (size_t)n;
	s->ws.bytes_in += (uint64_t)n;
	parsed = http_parse(&s->head, s->head_bytes, s->head_length);
	switch (parsed) {
	case HTTP_DONE:
		route(s);
		break;
	case HTTP_REFUSE:
		refuse(s, s->head.status);
		break;
	case HTTP_MORE:
		break;
	}
	/* It may have held a token; what came behind the head was copied. */
	if (parsed != HTTP_MORE)
		explicit_bzero(s->head_bytes, s->head_length);
}
