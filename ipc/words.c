/* SPDX-License-Identifier: ISC */
#include "ipc/words.h"

#include <errno.h>
#include <string.h>

static const char *const reason_words[] = {
#define REASON(name, word, sentence) [REASON_##name] = word,
#include "ipc/reasons.def"
#undef REASON
};

static const char *const reason_sentences[] = {
#define REASON(name, word, sentence) [REASON_##name] = sentence,
#include "ipc/reasons.def"
#undef REASON
};

static const char *const event_words[] = {
	[EVENT_START] = "start",
	[EVENT_STOP] = "stop",
	[EVENT_POLICY] = "policy",
	[EVENT_SESSION_OPEN] = "session-open",
	[EVENT_AUTHENTICATED] = "authenticated",
	[EVENT_GRANTED] = "granted",
	[EVENT_REFUSED] = "refused",
	[EVENT_STREAM_END] = "stream-end",
	[EVENT_SESSION_END] = "session-end",
	[EVENT_RESOLVED] = "resolved",
};

static const char *const dialect_words[] = {
	[DIALECT_RAW] = "raw",
	[DIALECT_NETPROXY] = "netproxy",
	[DIALECT_WEBNETSTACK] = "webnetstack",
	[DIALECT_WASMNET] = "wasmnet",
	[DIALECT_WISP] = "wisp",
	[DIALECT_ETHERNET] = "ethernet",
	[DIALECT_UDP_RELAY] = "udp-relay",
};

#define WORD(list, index) \
	((index) < sizeof(list) / sizeof((list)[0]) && (list)[index] ? (list)[index] : "unknown")

unsigned int
reason_plain(unsigned int reason)
{
	if (reason < REASON_ERRNO || reason >= REASON_ERRNO + 4096)
		return reason;
	switch (reason - REASON_ERRNO) {
	case ECONNREFUSED:
		return REASON_PEER_REFUSED;
	case ETIMEDOUT:
		return REASON_TIMEOUT;
	case EADDRINUSE:
		return REASON_PORT_TAKEN;
	case EACCES:
		return REASON_PORT_FORBIDDEN;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
		return REASON_UNREACHABLE;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case ENOSPC:
		return REASON_RESOURCES;
	default:
		return REASON_CONNECT_FAILED;
	}
}

const char *
reason_word(unsigned int reason)
{
	return WORD(reason_words, reason_plain(reason));
}

const char *
reason_sentence(unsigned int reason)
{
	return WORD(reason_sentences, reason_plain(reason));
}

const char *
event_word(unsigned int event)
{
	return WORD(event_words, event);
}

const char *
dialect_word(unsigned int dialect)
{
	return WORD(dialect_words, dialect);
}

unsigned int
dialect_number(const char *word)
{
	for (unsigned int i = 1; i < DIALECT_COUNT; i++) {
		if (strcmp(dialect_words[i], word) == 0)
			return i;
	}
	return 0;
}

const char *
worker_exit_word(int status)
{
	switch (status) {
	case WORKER_DONE:
		return "done";
	case WORKER_CONFINE_FAILED:
		return "confine-failed";
	case WORKER_HTTP_REFUSED:
		return "http-refused";
	case WORKER_NOT_UPGRADED:
		return "not-upgraded";
	case WORKER_WS_VIOLATION:
		return "websocket-violation";
	case WORKER_DIALECT_VIOLATION:
		return "dialect-violation";
	case WORKER_REFUSED:
		return "refused";
	case WORKER_CLIENT_LOST:
		return "client-lost";
	case WORKER_BROKER_LOST:
		return "broker-lost";
	case WORKER_DRAINED:
		return "drained";
	case WORKER_NO_MEMORY:
		return "no-memory";
	case WORKER_PROXY_VIOLATION:
		return "proxy-violation";
	default:
		return "unknown";
	}
}
