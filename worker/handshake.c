/* SPDX-License-Identifier: ISC */
#include "worker/handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/accept.h"
#include "worker/answer.h"
#include "worker/ask.h"
#include "worker/proxy.h"
#include "worker/session.h"
#include "worker/token.h"

_Static_assert(PROXY_MOST <= WS_INPUT, "a PROXY header fits the input");
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
	auth->told = s->told;
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

	if (token_protocol(&s->head, s->head_bytes, s->dialect->echo_any_subprotocol, &span))
		protocol = s->head_bytes + span.at;
	n = accept_upgrade(s->head_bytes + key->at, protocol, span.length, answer);
	if (ws_upgrade(&s->ws, answer, n, s->head_bytes + s->head.length,
		       s->head_length - s->head.length) < 0)
		session_no_memory(s);
}

static void
upgrade(struct session *s)
{
	struct ipc_auth auth;

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
route_dialect(struct session *s)
{
	size_t n;
	const char *answer;

	if (s->head.method != HTTP_GET) {
		if (!s->dialect->preflight) {
			refuse(s, 405);
			return;
		}
		answer = accept_preflight(&n);
		answer_plain(s, answer, n);
		return;
	}
	switch (http_upgrade(&s->head, s->head_bytes)) {
	case HTTP_WEBSOCKET:
		upgrade(s);
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

/* Has the path a dialect, by its first segment and by what that makes of the others? */
static bool
begin_dialect(struct session *s, const struct target *target)
{
	s->dialect = dialect_of(target->word);
	if (!s->dialect)
		return false;
	s->mine = calloc(1, s->dialect->size);
	if (!s->mine) {
		s->dialect = NULL; /* which has no state to stop */
		session_no_memory(s);
		return true;
	}
	if (s->dialect->begin(s, target, s->head_bytes + s->head.query.at, s->head.query.length))
		return true;
	free(s->mine);
	s->mine = NULL;
	s->dialect = NULL;
	return false;
}

static void
route_health(struct session *s)
{
	const char *answer;
	size_t n;

	if (s->head.method != HTTP_GET) {
		refuse(s, 405);
	} else if (http_upgrade(&s->head, s->head_bytes) != HTTP_PLAIN) {
		refuse(s, 400);
	} else {
		answer = accept_health(&n);
		answer_plain(s, answer, n);
	}
}

static void
route(struct session *s)
{
	struct target target;

	target_read(s->head_bytes + s->head.path.at, s->head.path.length, &target);
	if (target.bad)
		refuse(s, 400);
	else if (target_is(&target, "health"))
		route_health(s);
	else if (!begin_dialect(s, &target))
		refuse(s, 404);
	else if (s->mine)
		route_dialect(s);
}

static void
lost(struct session *s)
{
	s->ws.lost = true;
	s->ws.state = WS_OVER;
}

/*
 * The header that a listed proxy must send first. Returns whether HTTP may be read: what
 * is behind it then is at the buffer's beginning.
 */
static bool
take_proxy_header(struct session *s)
{
	struct proxy_header header;

	if (!s->proxied)
		return true;
	switch (proxy_parse(s->head_bytes, s->head_length, &header)) {
	case PROXY_DONE:
		s->proxied = false;
		s->told = header.told;
		s->head_length -= header.length;
		memmove(s->head_bytes, s->head_bytes + header.length, s->head_length);
		/* What was moved stood here too, and may have held a token. */
		explicit_bzero(s->head_bytes + s->head_length, header.length);
		return s->head_length > 0;
	case PROXY_REFUSE:
		session_exit(s, WORKER_PROXY_VIOLATION);
		lost(s);
		return false;
	default:
		return false;
	}
}

static void
take_head(struct session *s)
{
	enum http_result parsed = http_parse(&s->head, s->head_bytes, s->head_length);

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

void
handshake_read(struct session *s)
{
	ssize_t n = read(s->client, s->head_bytes + s->head_length,
			 sizeof(s->head_bytes) - s->head_length);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lost(s);
		return;
	}
	s->head_length += (size_t)n;
	s->ws.bytes_in += (uint64_t)n;
	if (take_proxy_header(s))
		take_head(s);
}
