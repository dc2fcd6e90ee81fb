/* SPDX-License-Identifier: ISC */
/*
 * A policy's text as structs: what the compiler, `sockward policy explain` and
 * the authenticator work on. sockward-policy(5) says what the format means.
 * Everything here is checked; nothing needs a second look.
 */
#ifndef SOCKWARD_POLICY_READ_H
#define SOCKWARD_POLICY_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/arena.h"
#include "policy/image.h"
#include "policy/report.h"

#define TOKEN_HASH 32 /* bytes of a SHA-256 */

#define HOSTS_MOST   64
#define ORIGINS_MOST 256  /* of a grant */
#define RULES_MOST   2048 /* of one list of a grant */
#define TOKENS_MOST  1024 /* of a grant */
#define RANGES_MOST  64   /* of listen.from */

struct source_texts {
	const char **items;
	size_t n;
};

struct source_rule {
	struct place at;
	const char *text;        /* "to" as written */
	const char *name;        /* RULE_NAME, RULE_SUFFIX (with its leading dot); else "" */
	struct image_rule image; /* but for its offsets */
};

struct source_rules {
	struct source_rule *items;
	size_t n;
};

struct source_token {
	struct place at;
	uint8_t hash[TOKEN_HASH]; /* SHA-256 of the token */
};

struct source_jwt {
	bool present;
	const char *algorithm; /* "HS256" */
	const char *key_file;  /* as written: absolute, or relative to the policy file */
	const char *issuer;
	const char *audience;
};

struct source_auth {
	bool none; /* the grant of clients without a token */
	struct source_token *tokens;
	size_t n_tokens;
	struct source_jwt jwt;
};

struct source_range {
	uint8_t family; /* 4 or 6 */
	uint8_t bits;
	uint8_t ip[16];
};

/* Where a grant may listen, and for whom. */
struct source_listen {
	bool present;
	struct source_range address; /* all of its bits */
	uint16_t port_low;
	uint16_t port_high;
	struct source_range *from;
	size_t n_from;
	uint32_t most;
};

struct source_grant {
	struct place at;
	const char *name;
	struct source_auth auth;
	struct source_texts origins; /* without "*" and "none" */
	bool origin_any;
	bool origin_none;
	struct source_rules deny;
	struct source_rules allow;
	struct source_listen listen;
	const char *bridge; /* "ethernet", or NULL; as listen */
	bool explain;
	uint32_t sessions;
	uint32_t channels;
	uint32_t connects_per_minute; /* 0: not limited, as below */
	uint32_t datagrams_per_minute;
	uint32_t reply_ratio;
	uint64_t bytes_per_minute;
	uint64_t bytes_per_second;
	uint32_t message_bytes;
	uint32_t connect_timeout_ms;
	uint32_t idle_timeout_ms;
	uint32_t session_timeout_ms;
};

struct policy_source {
	struct arena arena;   /* owns all below */
	uint64_t fingerprint; /* first 8 bytes of the text's SHA-256, the first one highest */
	struct source_texts hosts;
	uint32_t dialects; /* bit 1 << DIALECT_x */
	struct source_grant *grants;
	size_t n_grants;
	uint32_t sessions;
	uint32_t sessions_per_source;
	uint32_t handshake_ms;
	struct ipc_range proxies[IPC_PROXIES]; /* no two of them have an address in common */
	size_t n_proxies;
	bool audit_sync;
};

/**
 * policy_read() - read and check a policy.
 * @text: any bytes; not needed afterwards. @size: how many.
 * @report: zeroed; receives errors and notes.
 *
 * Returns the policy, to be freed by policy_free(); or NULL when there are errors.
 */
struct policy_source *policy_read(const char *text, size_t size, struct report *report);

/**
 * policy_read_fd() - the same, from a descriptor, to its end.
 * @fd: a file, a memfd or a pipe; stays the caller's.
 *
 * Reads at most JSON_SIZE bytes. What cannot be read is an error in @report.
 */
struct policy_source *policy_read_fd(int fd, struct report *report);

/**
 * policy_free() - NULL is fine.
 */
void policy_free(struct policy_source *source);

#endif
