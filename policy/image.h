/* SPDX-License-Identifier: ISC */
/*
 * The compiled policy: one flat block that `sockward policy compile` writes and
 * the broker loads. The privileged program parses no text. It holds what the broker
 * needs and nothing else: a header, the grants, the rules, in that order and without
 * a gap. There are no references but numbers of rules; image_open() checks all of it
 * before anything is read. Host byte order: an image is made on the host that uses it.
 */
#ifndef SOCKWARD_POLICY_IMAGE_H
#define SOCKWARD_POLICY_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/messages.h"

#define IMAGE_MAGIC    0x79636c6f50776b53ULL /* "SkwPolcy", and the byte order */
#define IMAGE_VERSION  5U
#define IMAGE_MOST     (24U << 20) /* bytes of an image at most */
#define IMAGE_CHANNELS 984         /* of one session at most: a worker has 1,000 slots for them */
#define IMAGE_NONE     0xffffffffU

/* A run of rules: n of them from number at. */
struct image_list {
	uint32_t at;
	uint32_t n;
};

struct image_header {
	uint64_t magic;
	uint32_t version;
	uint32_t size;     /* of the whole image, bytes */
	uint64_t checksum; /* image_checksum() over all bytes behind this field */
	struct ipc_limits limits;
	uint32_t grants;     /* how many struct image_grant follow */
	uint32_t rules;      /* and how many struct image_rule then, of all grants */
	uint32_t audit_sync; /* 1: a record is synced before its descriptor leaves */
	uint32_t pad;
};

struct image_grant {
	char name[IPC_GRANT];
	struct image_list rules; /* what denies comes first */
	uint32_t denies;
	uint32_t explain; /* 1: the client is told the true reason of a refusal */
	uint32_t sessions;
	uint32_t connects_per_minute; /* 0: not limited, as below */
	uint32_t listeners;           /* of one session at most */
	uint32_t session_timeout_ms;
	uint64_t bytes_per_second; /* pacing of what is sent to destinations, per stream */
	struct ipc_terms terms;    /* its near end is what its rule has */
};

enum rule_kind {
	RULE_ANY = 1, /* "*": any public address, any ordinary name */
	RULE_NAME,    /* that name */
	RULE_SUFFIX,  /* any name that ends in it, at a dot: stored with its leading dot */
	RULE_PREFIX,  /* that range of addresses */
};

struct image_rule {
	char text[IPC_RULE]; /* "host:port" as written, for the record */
	char name[IPC_HOST]; /* RULE_NAME, RULE_SUFFIX */
	uint8_t kind;
	uint8_t protocols;  /* bits of enum protocol */
	uint8_t is_private; /* a name may lead to private addresses */
	uint8_t family;     /* RULE_PREFIX: 4 or 6 */
	uint8_t bits;       /* RULE_PREFIX: length of the prefix */
	uint8_t pad;
	uint16_t port_low; /* inclusive */
	uint16_t port_high;
	uint16_t line; /* of the policy's text */
	uint8_t ip[16];
};

/* A checked image. The base is not freed as long as this is in use. */
struct policy {
	const struct image_header *header;
	const struct image_grant *grants;
	const struct image_rule *rules;
};

/**
 * image_checksum() - FNV-1a, 64 bits: finds damage, not malice.
 * @bytes: what to sum. @n: how many bytes.
 */
uint64_t image_checksum(const void *bytes, size_t n);

/**
 * image_open() - check an image wholly and make it readable.
 * @policy: set on success, untouched on failure.
 * @base: the image, aligned to 8 bytes; stays the caller's.
 * @size: its size in bytes.
 *
@@ Returns NULL,
 * or what is wrong, as a constant sentence.
 */
const char *image_open(struct policy *policy, const void *base, size_t size);

/**
 * policy_grant() - the index of the grant of that name, or IMAGE_NONE.
 */
uint32_t policy_grant(const struct policy *policy, const char *name);

#endif
