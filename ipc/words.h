/* SPDX-License-Identifier: ISC */
/*
 * The closed vocabularies that travel in messages as numbers: reasons, events,
 * dialects. Words for them are in words.c, which the broker does not link: it
 * neither reads nor writes text.
 */
#ifndef SOCKWARD_IPC_WORDS_H
#define SOCKWARD_IPC_WORDS_H

enum reason {
#define REASON(name, word, sentence) REASON_##name,
#include "ipc/reasons.def"
#undef REASON
	REASON_COUNT
};

/* Why a dial failed, in messages and records: this and the errno(3). */
#define REASON_ERRNO 1024

/**
 * reason_plain() - one of enum reason for any number that came in a message.
 * @reason: of the list, or REASON_ERRNO and an errno.
 *
 * What is neither stays as it is.
 */
unsigned int reason_plain(unsigned int reason);

/* What a record speaks of. Append only: the numbers are in audit files. */
enum event {
	EVENT_START = 1,     /* the broker is up; first record of a run */
	EVENT_STOP,          /* the broker ended in order */
	EVENT_POLICY,        /* a policy generation came into force, or was refused */
	EVENT_SESSION_OPEN,  /* a connection was accepted */
	EVENT_AUTHENTICATED, /* the session got its grant */
	EVENT_GRANTED,       /* a stream was connected and is about to be handed over */
	EVENT_REFUSED,       /* the session, or a request of it, was refused */
	EVENT_STREAM_END,    /* with the kernel's byte counts */
	EVENT_SESSION_END,   /* with the cause */
	EVENT_RESOLVED,      /* addresses of a name were told to the session */
	EVENT_COUNT
};

enum dialect {
	DIALECT_RAW = 1,
	DIALECT_NETPROXY,
	DIALECT_WEBNETSTACK,
	DIALECT_WASMNET,
	DIALECT_WISP,
	DIALECT_ETHERNET,
	DIALECT_UDP_RELAY,
	DIALECT_COUNT
};

/* Bits of a rule; a request names exactly one. */
enum protocol {
	PROTOCOL_TCP = 1,
	PROTOCOL_UDP = 2,
	PROTOCOL_TLS = 4,
	PROTOCOLS = 7, /* all that go out */
	/* What a grant's `listen' says is rules too: of its near address, and of who may come. */
	PROTOCOL_LISTEN = 8,
	PROTOCOL_INBOUND = 16,
};

/*
 * How a worker ends: its exit status is its last message. Everything here is
 * the worker's claim; a signal is the kernel's word.
 */
enum worker_exit {
	WORKER_DONE = 0,           /* both sides closed in order */
	WORKER_CONFINE_FAILED = 1, /* ended before it read a byte of the client */
	WORKER_HTTP_REFUSED = 10,  /* the request was no acceptable upgrade */
	WORKER_NOT_UPGRADED,       /* an ordinary GET was answered (health) */
	WORKER_WS_VIOLATION,       /* the client broke RFC 6455 */
	WORKER_DIALECT_VIOLATION,  /* the client broke its dialect */
	WORKER_REFUSED,            /* the broker refused the session */
	WORKER_CLIENT_LOST,        /* the client's connection broke */
	WORKER_BROKER_LOST,        /* the broker is gone: fail closed */
	WORKER_DRAINED,            /* told to end */
	WORKER_NO_MEMORY,          /* an allocation failed */
	WORKER_PROXY_VIOLATION,    /* a listed proxy sent no right PROXY header */
};

/**
 * reason_word() - the word that stands on record for a reason.
 * @reason: a number that came in a message; any value is answered.
 *
 * Returns a constant string; "unknown" for a number outside the list.
 */
const char *reason_word(unsigned int reason);

/**
 * reason_sentence() - a reason as a sentence for a person, lower case, no full stop.
 * @reason: as reason_word().
 */
const char *reason_sentence(unsigned int reason);

/**
 * event_word() - the word on record for an event; "unknown" outside the list.
 */
const char *event_word(unsigned int event);

/**
 * dialect_word() - a dialect's name as a policy writes it; "unknown" outside the list.
 */
const char *dialect_word(unsigned int dialect);

/**
 * dialect_number() - the dialect of that name, or 0 when there is none.
 */
unsigned int dialect_number(const char *word);

/**
 * worker_exit_word() - the word on record for a worker's exit status.
 */
const char *worker_exit_word(int status);

#endif
