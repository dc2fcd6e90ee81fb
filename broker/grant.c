/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

#define GOODBYE_MS 3000 /* for a refused worker to tell its client and end */
#define MINUTE_MS  60000
#define NEAR       16

void
account_now(struct account *account)
{
	if (broker.now - account->window >= MINUTE_MS)
		*account = (struct account){account->key, broker.now, account->sessions, 0, 0};
}

/*
 * Without a token, the client's address stands for the subject (IPv6: its /64).
 * An account outlives its sessions by a minute, so that leaving resets nothing.
 */
static struct account *
account_of(const struct ipc_record *facts)
{
	uint64_t key = image_checksum(facts->grant, IPC_GRANT) ^ broker.instance;
	struct account *spare = NULL;

	key += facts->subject[0]
		       ? image_checksum(facts->subject, IPC_SUBJECT)
		       : image_checksum(facts->client.ip, facts->client.family == 6 ? 8 : 4);
	/* Nobody can work out who is near whom: the place depends on a secret. */
	for (uint64_t at = key * (broker.instance | 1) >> 40, end = at + NEAR; at < end; at++) {
		struct account *account = &broker.accounts[at % ACCOUNTS_MOST];

		if (account->key == key)
			return account;
		if (!account->sessions && broker.now - account->window >= MINUTE_MS)
			spare = account;
	}
	if (spare)
		*spare = (struct account){key, broker.now, 0, 0, 0};
	return spare;
}

static void
refuse(struct session *session, enum reason reason)
{
	struct ipc_refused refused = {.head = {MSG_REFUSED}, .reason = reason};

	explicit_bzero(VERIFY_OF(session), sizeof(struct ipc_verify));
	record_new(EVENT_REFUSED, reason, &session->record);
	session->reason = reason;
	session_state(session, IPC_DRAIN);
	session->due = broker.now + GOODBYE_MS;
	(void)session_tell(session, &refused, sizeof(refused), -1);
}

void
grant_stored(struct session *session)
{
	struct ipc_granted granted = {{MSG_GRANTED}, 0, session->grant->terms};

	if (session_tell(session, &granted, sizeof(granted), -1) < 0)
		return;
	session_state(session, IPC_OPEN);
	(void)listener_tell(MSG_SESSION_GRANTED, session);
}

void
grant_auth(struct peer *peer, const union ipc_any *any)
{
	struct session *session = container_of(peer, struct session, peer);
	struct ipc_record *facts = &session->record;
	struct ipc_verify *verify = VERIFY_OF(session);

	*verify = (struct ipc_verify){{MSG_VERIFY}, 0, facts->session, any->AUTH_body};
	session_state(session, IPC_ASKED);
	facts->dialect = verify->auth.dialect;
	facts->has_origin = verify->auth.has_origin ? 1 : 0;
	facts->told = facts->client.proxy ? verify->auth.told : facts->told;
	memcpy(facts->host, verify->auth.host, IPC_HOST);
	memcpy(facts->origin, verify->auth.origin, IPC_ORIGIN);
	if (!broker.generation)
		refuse(session, REASON_NO_POLICY);
	else if (broker.peers[IPC_AUDITOR].fd < 0)
		refuse(session, REASON_AUDITOR_LOST);
	else if (broker.peers[IPC_AUTHENTICATOR].fd < 0)
		refuse(session, REASON_AUTHENTICATOR_LOST);
	else /* or when there is another authenticator */
		(void)ipc_post(broker.peers[IPC_AUTHENTICATOR].fd, verify, sizeof(*verify));
}

/* The authenticator judged the texts too, and chose a grant: the limits remain. */
void
grant_verdict(struct peer *peer UNUSED, const union ipc_any *any)
{
	const struct ipc_verdict *said = &any->VERDICT_body;
	struct session *session = session_find(said->session);
	uint32_t i = policy_grant(&broker.policy, said->grant);

	/* What another policy says waits for an authenticator of the one in force. */
	if (!session || session->peer.state != IPC_ASKED || session->account ||
	    said->policy != broker.policy.header->limits.fingerprint)
		return;
	explicit_bzero(VERIFY_OF(session), sizeof(struct ipc_verify));
	memcpy(session->record.grant, said->grant, IPC_GRANT);
	memcpy(session->record.subject, said->subject, IPC_SUBJECT);
	if (said->reason || i == IMAGE_NONE) {
		refuse(session, said->reason ? said->reason : REASON_TOKEN_WRONG);
		return;
	}
	const struct image_grant *grant = session->grant = &broker.policy.grants[i];
	session->account = account_of(&session->record);
	if (!session->account || session->account->sessions++ >= grant->sessions) {
		refuse(session, session->account ? REASON_SESSIONS_LIMIT : REASON_RESOURCES);
		return;
	}
	session->ends_with = REASON_LIFETIME;
	uint64_t lifetime = grant->session_timeout_ms ? grant->session_timeout_ms : UINT32_MAX;
	if (said->lifetime_s && said->lifetime_s < lifetime / 1000) {
		lifetime = said->lifetime_s * 1000;
		session->ends_with = REASON_TOKEN_EXPIRED;
	}
	session->due = broker.now + lifetime;
	record_new(EVENT_AUTHENTICATED, REASON_NONE, &session->record);
}
