/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

/* Failures that map the inside come as one, at one pace: a multiple of this. */
#define PACE_MS   250
#define JITTER_MS 50

void
stream_refuse(struct stream *stream, enum reason reason)
{
	const struct image_grant *grant = stream->session->grant;
	bool inside = (reason >= REASON_RULE_DENIES && reason <= REASON_UNAVAILABLE) ||
		      reason >= REASON_ERRNO;

	dial_stop(stream);
	record_new(EVENT_REFUSED, reason, &stream->record);
	stream->reason = reason;
	stream->state = STREAM_REFUSED;
	if (inside && stream->record.protocol <= PROTOCOLS && !(grant && grant->explain)) {
		stream->reason = REASON_UNAVAILABLE;
		stream->due = broker.now + PACE_MS - (broker.now - stream->since_ms) % PACE_MS +
			      clock_ns(CLOCK_MONOTONIC) % JITTER_MS;
	} else {
		stream_due(stream);
	}
}

void
stream_due(struct stream *stream)
{
	struct ipc_refused refused = {{MSG_REFUSED}, stream->tag, stream->reason, {0}};

	stream->due = 0;
	if (stream->state == STREAM_LOOKUP) {
		stream_refuse(stream, REASON_NAME_FAILED);
	} else if (stream->state == STREAM_DIALLING) {
		dial_next(stream);
	} else if (stream->state == STREAM_LIVE) {
		stream_watch(stream);
	} else if (stream->state == STREAM_ENDING) {
		stream_linger(stream);
	} else {
		if (stream->record.protocol != PROTOCOL_INBOUND)
			(void)session_tell(stream->session, &refused, sizeof(refused), -1);
		stream_end(stream, stream->reason, true);
	}
}

struct stream *
stream_find(struct session *session, uint32_t id, enum stream_state state)
{
	struct stream *stream = session ? LIST_FIRST(&session->streams) : NULL;

	while (stream && (stream->record.stream != id || stream->state != state))
		stream = LIST_NEXT(stream, next);
	return stream;
}

/* Puts what decided on record. @addr: NULL asks whether any address could do. */
enum reason
stream_judge(struct stream *stream, const struct ipc_addr *addr)
{
	struct ipc_record *record = &stream->record;
	struct policy_question question = {stream->by_name ? record->host : NULL, addr,
					   addr ? addr->port : record->peer.port, record->protocol};
	const struct policy *policy = &broker.policy;
	const struct image_grant *grant = stream->session->grant;
	struct policy_verdict verdict;

	if (!grant)
		return REASON_POLICY_CHANGED;
	policy_judge(policy, (uint32_t)(grant - policy->grants), &question, &verdict);
	(void)strncpy(record->rule, verdict.text, IPC_RULE - 1); /* and zero behind it */
	if (addr)
		record->peer = *addr;
	if (addr && !verdict.reason && !verdict.named && dial_own(addr))
		return REASON_OWN_ADDRESS;
	return verdict.reason;
}

void
open_stored(struct stream *stream)
{
	const struct ipc_record *record = &stream->record;
	uint32_t type = record->protocol == PROTOCOL_LISTEN ? MSG_LISTENING : MSG_OPENED;
	struct ipc_opened opened = {
		{type}, stream->tag, record->stream, record->peer, record->local};

	/* What the policy that is in force now forbids does not leave: it ends at the tick. */
	stream->due = broker.now;
	stream->reason = stream_judge(stream, &record->peer);
	if (stream->reason ||
	    session_tell(stream->session, &opened, sizeof(opened), stream->fd) < 0)
		return;
	stream->state = STREAM_LIVE;
	stream->since_ms = broker.now;
	stream->record.mono_ns = broker.now * 1000000;
	stream_watch(stream);
}

/* What needs no judgement. */
static enum reason
limits(const struct session *session)
{
	struct account *account = session->account;
	const struct image_grant *grant = session->grant;

	if (session->peer.state != IPC_OPEN || !grant)
		return REASON_DRAINING;
	if (broker.peers[IPC_AUDITOR].fd < 0)
		return REASON_AUDITOR_LOST;
	account_now(account);
	if (session->busy > grant->terms.channels)
		return REASON_CHANNELS_LIMIT;
	if (grant->connects_per_minute && account->connects++ >= grant->connects_per_minute)
		return REASON_CONNECTS_LIMIT;
	if (grant->terms.bytes_per_minute && account->bytes > grant->terms.bytes_per_minute)
		return REASON_BYTES_LIMIT;
	return REASON_NONE;
}

void
stream_connected(struct stream *stream, int fd, enum reason reason)
{
	/* Judged again: a policy that came into force meanwhile holds already. */
	if (!reason)
		reason = stream_judge(stream, &stream->record.peer);
	/* Who may not come uses up nothing. */
	if (!reason && stream->record.protocol == PROTOCOL_INBOUND)
		reason = limits(stream->session);
	if (reason) {
		close(fd);
		stream_refuse(stream, reason);
		return;
	}
	stream->due = 0;
	stream->state = STREAM_RECORDED;
	stream->fd = fd;
	stream->session->record.streams++;
	record_new(EVENT_GRANTED, REASON_NONE, &stream->record);
}

/*
 * Only addresses that the policy allows are dialled; else the last refusal is told. Of
 * a name that came with a number only that address is.
 */
static void
choose(struct stream *stream)
{
	struct ipc_resolved said = {{MSG_RESOLVED}, stream->tag, stream->ttl_s, 0, {{0}}};
	enum reason reason = REASON_NO_RULE;
	struct ipc_addr only = stream->record.peer;

	for (uint8_t i = 0; i < stream->record.addresses; i++) {
		if (stream->by_name)
			stream->addrs[i].port = only.port;
		if (only.family && memcmp(&stream->addrs[i], &only, sizeof(only)) != 0)
			continue;
		reason = stream_judge(stream, &stream->addrs[i]);
		if (!reason)
			stream->addrs[stream->n++] = stream->addrs[i];
	}
	stream->state = STREAM_DIALLING;
	if (stream->n)
		reason = stream_judge(stream, &stream->addrs[0]);
	if (reason) {
		stream_refuse(stream, reason);
	} else if (stream->record.protocol) {
		dial_next(stream);
	} else { /* addresses were wanted: each of these was judged */
		said.count = stream->n;
		memcpy(said.addrs, stream->addrs, stream->n * sizeof(said.addrs[0]));
		record_new(EVENT_RESOLVED, REASON_NONE, &stream->record);
		stream->state = STREAM_REFUSED; /* its record is made */
		(void)session_tell(stream->session, &said, sizeof(said), -1);
		stream_end(stream, REASON_NONE, false);
	}
}

void
open_addresses(struct peer *peer UNUSED, const union ipc_any *any)
{
	const struct ipc_addresses *said = &any->ADDRESSES_body;
	struct stream *stream = stream_find(session_find(said->session), said->tag, STREAM_LOOKUP);

	if (!stream)
		return;
	stream->ttl_s = said->ttl_s;
	stream->record.addresses = said->count > IPC_ADDRESSES ? 0 : (uint8_t)said->count;
	memcpy(stream->addrs, said->addrs, sizeof(stream->addrs));
	if (said->reason)
		stream_refuse(stream, said->reason);
	else
		choose(stream);
}

struct stream *
stream_new(struct session *session, uint32_t tag, uint8_t protocol)
{
	struct stream *stream = LIST_FIRST(&broker.spare);

	if (stream)
		LIST_REMOVE(stream, next);
	else if (broker.streams_used < STREAMS_MOST)
		stream = &broker.streams[broker.streams_used++];
	else
		return NULL;
	stream->session = session;
	stream->since_ms = broker.now;
	stream->tag = tag;
	/* The session's facts come first in it. */
	memcpy(&stream->record, &session->record, offsetof(struct ipc_record, stream));
	stream->record.mono_ns = broker.now * 1000000;
	stream->record.stream = ++session->requests;
	stream->record.protocol = protocol;
	stream->record.addresses = 1;
	LIST_INSERT_HEAD(&session->streams, stream, next);
	session->busy++;
	session->listening += protocol == PROTOCOL_LISTEN;
	return stream;
}

enum reason
stream_look_up(struct stream *stream)
{
	const struct ipc_record *record = &stream->record;
	struct ipc_lookup lookup = {{MSG_LOOKUP}, record->stream, record->session, "", ""};
	/* As rules have names; whether it can be a host's, the resolver knows. */
	size_t n = strspn(record->host, "abcdefghijklmnopqrstuvwxyz0123456789-._");
	enum reason reason = stream_judge(stream, NULL);

	memcpy(lookup.grant, record->grant, IPC_GRANT);
	memcpy(lookup.host, record->host, IPC_HOST);
	/* Asked again, it has its time already, and may have lost its grant. */
	stream->due = stream->due ?: broker.now + stream->session->grant->terms.connect_timeout_ms;
	if (n > 253 || record->host[n] || record->host[n - 1] == '.')
		return REASON_NAME_INVALID;
	/* Where there is none, the next one is asked, as long as an answer may take. */
	bool asked = reason || !ipc_post(broker.peers[IPC_RESOLVER].fd, &lookup, sizeof(lookup));
	return asked || errno != EAGAIN ? reason : REASON_RESOLVER_LOST;
}

void
grant_open(struct peer *peer, const union ipc_any *any)
{
	const struct ipc_open *open = &any->OPEN_body;
	struct session *session = container_of(peer, struct session, peer);
	bool listens = open->kind == IPC_LISTEN;
	bool legal = ipc_text_ok(open->host, IPC_HOST) && open->kind <= IPC_LISTEN &&
		     (open->host[0] ? !listens : open->addr.family > 0) &&
		     open->protocol <= PROTOCOLS && !open->protocol == (open->kind == IPC_RESOLVE);
	uint8_t protocol = listens ? PROTOCOL_LISTEN : open->protocol;
	struct stream *stream = legal ? stream_new(session, open->tag, protocol) : NULL;
	enum reason reason;

	if (!stream) {
		session_kill(session, legal ? REASON_RESOURCES : REASON_PROTOCOL);
		return;
	}
	peer->messages += REQUEST - 1;
	stream->beside = open->beside;
	stream->by_name = open->host[0];
	stream->record.peer = stream->addrs[0] = open->addr;
	memcpy(stream->record.host, open->host, IPC_HOST);
	reason = limits(session);
	if (!reason && listens && session->listening > session->grant->listeners)
		reason = REASON_CHANNELS_LIMIT;
	if (!reason && !stream->by_name)
		choose(stream);
	else if (!reason)
		reason = stream_look_up(stream);
	if (reason)
		stream_refuse(stream, reason);
}
