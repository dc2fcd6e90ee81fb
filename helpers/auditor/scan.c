/* SPDX-License-Identifier: ISC */
#include "helpers/auditor/scan.h"

#include <nettle/hmac.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "ipc/words.h"

#define WINDOW_NS (SCAN_WINDOW_MS * 1000000ULL)

/* What is hashed: zero wherever nothing is set. */
struct asker {
	char grant[IPC_GRANT];
	char subject[IPC_SUBJECT];
	uint8_t family;
	uint8_t source[8];
};

struct target {
	char host[IPC_HOST];
	uint8_t ip[16];
	uint16_t port;
	uint8_t family;
	uint8_t protocol;
};

void
scan_open(struct scans *scans)
{
	if (getrandom(scans->key, sizeof(scans->key), 0) != (ssize_t)sizeof(scans->key))
		fail_start("no random bytes");
}

static uint64_t
keyed(const struct scans *scans, const void *bytes, size_t n)
{
	struct hmac_sha256_ctx context;
	uint64_t hash;

	hmac_sha256_set_key(&context, sizeof(scans->key), scans->key);
	hmac_sha256_update(&context, n, bytes);
	hmac_sha256_digest(&context, sizeof(hash), (uint8_t *)&hash);
	return hash;
}

static uint64_t
who_asks(const struct scans *scans, const struct ipc_record *record)
{
	struct asker asker;

	memset(&asker, 0, sizeof(asker));
	memcpy(asker.grant, record->grant, strnlen(record->grant, sizeof(asker.grant)));
	if (record->subject[0]) {
		memcpy(asker.subject, record->subject,
		       strnlen(record->subject, sizeof(asker.subject)));
	} else {
		asker.family = record->client.family;
		memcpy(asker.source, record->client.ip, asker.family == 6 ? 8 : 4);
	}
	return keyed(scans, &asker, sizeof(asker));
}

static uint64_t
what_for(const struct scans *scans, const struct ipc_record *record)
{
	struct target target;

	memset(&target, 0, sizeof(target));
	target.port = record->peer.port;
	target.protocol = record->protocol;
	/* Beside a name stands whichever of its addresses was judged last. */
	if (record->host[0]) {
		memcpy(target.host, record->host, strnlen(record->host, sizeof(target.host)));
	} else {
		target.family = record->peer.family;
		memcpy(target.ip, record->peer.ip, target.family == 6 ? 16 : 4);
	}
	return keyed(scans, &target, sizeof(target));
}

/*
 * What comes in, or would listen, is not asked for: strangers outside would brand a
 * session. What we or an operator broke off says nothing of who asked, either.
 */
static bool
counts(const struct ipc_record *record)
{
	if (record->event != EVENT_REFUSED || !record->stream || record->protocol > PROTOCOLS)
		return false;
	switch (reason_plain(record->reason)) {
	case REASON_NO_POLICY:
	case REASON_AUDITOR_LOST:
	case REASON_RESOLVER_LOST:
	case REASON_AUTHENTICATOR_LOST:
	case REASON_RESOURCES:
	case REASON_DRAINING:
	case REASON_KILLED:
	case REASON_LISTENER_LOST:
	case REASON_BROKER_LOST:
	case REASON_POLICY_CHANGED:
		return false;
	default:
		return true;
	}
}

/* Its place; with another one's in it when it is new. */
static struct scan_watcher *
place_of(struct scans *scans, uint64_t who)
{
	struct scan_watcher *set = scans->watchers[who % SCAN_SETS];
	struct scan_watcher *oldest = set;

	for (struct scan_watcher *at = set; at < set + SCAN_WAYS; at++) {
		if (at->used && at->who == who)
			return at;
		if (at->used < oldest->used)
			oldest = at;
	}
	return oldest;
}

static bool
seen(const struct scan_watcher *watcher, uint64_t target)
{
	for (uint32_t i = 0; i < watcher->n; i++) {
		if (watcher->targets[i] == target)
			return true;
	}
	return false;
}

bool
scan_count(struct scans *scans, const struct ipc_record *record, struct scan_found *found)
{
	struct scan_watcher *watcher;
	uint64_t target;
	uint64_t who;

	if (!counts(record))
		return false;
	who = who_asks(scans, record);
	watcher = place_of(scans, who);
	/* A clock that went back makes the difference a large one. */
	if (!watcher->used || watcher->who != who ||
	    record->mono_ns - watcher->start_ns >= WINDOW_NS)
		*watcher = (struct scan_watcher){.who = who, .start_ns = record->mono_ns};
	watcher->used = ++scans->turn;
	watcher->refused++;
	if (watcher->n == SCAN_TARGETS)
		return false;
	target = what_for(scans, record);
	if (seen(watcher, target))
		return false;
	watcher->targets[watcher->n++] = target;
	if (watcher->n < SCAN_TARGETS)
		return false;
	*found = (struct scan_found){watcher->n, watcher->refused,
				     (record->mono_ns - watcher->start_ns) / 1000000};
	return true;
}
