/* SPDX-License-Identifier: ISC */
#include "worker/tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ipc/messages.h"
#include "ipc/words.h"
#include "worker/buffer.h"
#include "worker/keys.h"
#include "worker/trust.h"

#define TRIES    8                /* of one call that something harmless interrupts: a warning */
#define OUT_MOST (2 * TLS_RECORD) /* a record, and what GnuTLS says besides */

struct tls {
	gnutls_session_t session;
	int fd;
	uint64_t sent;
	uint64_t received;
	uint64_t heard; /* of received, when data came last */
	bool ended;     /* the socket came to its end */
	bool secure;    /* the handshake is complete */
	bool said;      /* close_notify was made */
	bool bounded;   /* the far end's keys may be used */
	/*
	 * What was made and the socket did not take yet, once the handshake is complete.
	 * GnuTLS would keep it, too; but when it has to update its keys meanwhile, as a far
	 * end can ask for at any time, it breaks off.
	 */
	struct buffer out;
	size_t taken; /* of the caller's bytes, that are in out; 0: there are none */
	uint32_t reason;
	unsigned int verdict; /* of the far end's certificate; 0: it is good, or was not judged */
	gnutls_typed_vdata_st wanted[2];
	unsigned char purpose[sizeof(GNUTLS_KP_TLS_WWW_SERVER)];
	unsigned char who[IPC_HOST];
};

/* --- the socket ------------------------------------------------------------------------ */

static ssize_t
pull(gnutls_transport_ptr_t with, void *bytes, size_t n)
{
	struct tls *t = with;
	uint64_t room = t->heard + TLS_SILENCE - t->received;
	ssize_t got = -1;

	errno = EPROTO;
	if (room)
		got = read(t->fd, bytes, n < room ? n : (size_t)room);
	if (got > 0)
		t->received += (uint64_t)got;
	if (got == 0)
		t->ended = true;
	if (got < 0)
		gnutls_transport_set_errno(t->session, errno);
	return got;
}

/* GnuTLS asks before it reads, where it has a time limit. Ours has none: the stream has. */
static int
pull_timeout(gnutls_transport_ptr_t with, unsigned int ms)
{
	(void)with;
	(void)ms;
	return 1;
}

static ssize_t
put(struct tls *t, const struct iovec *pieces, int n)
{
	ssize_t took = writev(t->fd, pieces, n);

	if (took > 0)
		t->sent += (uint64_t)took;
	return took;
}

/* Keeps what is behind the first @took bytes. */
static int
keep(struct tls *t, const giovec_t *pieces, int n, size_t took)
{
	for (int i = 0; i < n; i++) {
		size_t gone = took < pieces[i].iov_len ? took : pieces[i].iov_len;
		const char *rest = (const char *)pieces[i].iov_base + gone;

		took -= gone;
		if (buffer_add(&t->out, rest, pieces[i].iov_len - gone) < 0)
			return -1;
	}
	return 0;
}

static ssize_t
push(gnutls_transport_ptr_t with, const giovec_t *pieces, int n)
{
	struct tls *t = with;
	ssize_t took = 0;
	size_t all = 0;

	for (int i = 0; i < n; i++)
		all += pieces[i].iov_len;
	if (!t->out.length)
		took = put(t, pieces, n);
	if (took < 0 && t->secure && (errno == EAGAIN || errno == EINTR))
		took = 0;
	if (took >= 0 && t->secure)
		took = keep(t, pieces, n, (size_t)took) == 0 ? (ssize_t)all : -1;
	if (took < 0)
		gnutls_transport_set_errno(t->session, errno);
	return took;
}

/* Returns 0 when nothing waits any more, or -1 with errno as tls_write(). */
static int
flush(struct tls *t)
{
	while (t->out.length) {
		struct iovec rest = {(void *)(uintptr_t)buffer_head(&t->out), t->out.length};
		ssize_t took = put(t, &rest, 1);

		if (took < 0 && errno == EINTR)
			continue;
		if (took < 0 && errno != EAGAIN) {
			t->reason = REASON_CONNECT_FAILED;
			errno = EPROTO;
		}
		if (took < 0)
			return -1;
		buffer_drop(&t->out, (size_t)took);
	}
	return 0;
}

/* --- its beginning and end ---------------------------------------------------------------- */

static void
set_wanted(struct tls *t, const char *host, const struct ipc_addr *addr)
{
	unsigned int n = addr->family == 4 ? 4 : 16;
	gnutls_vdata_types_t type = GNUTLS_DT_IP_ADDRESS;

	if (*host) {
		n = (unsigned int)strnlen(host, sizeof(t->who) - 1);
		type = GNUTLS_DT_DNS_HOSTNAME;
		memcpy(t->who, host, n);
	} else {
		memcpy(t->who, addr->ip, n);
	}
	memcpy(t->purpose, GNUTLS_KP_TLS_WWW_SERVER, sizeof(t->purpose));
	t->wanted[0] = (gnutls_typed_vdata_st){type, t->who, n};
	t->wanted[1] = (gnutls_typed_vdata_st){GNUTLS_DT_KEY_PURPOSE_OID, t->purpose,
					       sizeof(t->purpose) - 1};
}

/* Before the far end's signature is checked, where that comes before verify(): TLS 1.3. */
static int
before_signature(gnutls_session_t session, unsigned int type, unsigned int when,
		 unsigned int incoming, const gnutls_datum_t *message)
{
	struct tls *t = gnutls_session_get_ptr(session);

	(void)type;
	(void)when;
	(void)incoming;
	(void)message;
	t->bounded = keys_bounded(session);
	return t->bounded ? 0 : GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

static int
verify(gnutls_session_t session)
{
	struct tls *t = gnutls_session_get_ptr(session);
	int result;

	if (!t->bounded && !keys_bounded(session))
		return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
	result = gnutls_certificate_verify_peers(session, t->wanted, 2, &t->verdict);
	if (result < 0)
		return GNUTLS_E_CERTIFICATE_ERROR;
	if (!t->verdict && t->wanted[0].type == GNUTLS_DT_DNS_HOSTNAME && !keys_named(session))
		t->verdict = GNUTLS_CERT_UNEXPECTED_OWNER;
	return t->verdict ? GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR : 0;
}

struct tls *
tls_new(struct trust *trust, const char *host, const struct ipc_addr *addr, int fd,
	uint32_t *reason)
{
	struct tls *t = NULL;

	*reason = REASON_TLS_NO_TRUST;
	if (!trust || !trust_ready(trust))
		return NULL;
	*reason = REASON_RESOURCES;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	if (gnutls_init(&t->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS) < 0)
		goto fail;
	t->fd = fd;
	t->out.most = OUT_MOST;
	set_wanted(t, host, addr);
	if (gnutls_priority_set(t->session, trust->priority) < 0 ||
	    gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, trust->credentials) < 0 ||
	    (*host && gnutls_server_name_set(t->session, GNUTLS_NAME_DNS, host, strlen(host)) < 0))
		goto fail_session;
	gnutls_session_set_ptr(t->session, t);
	gnutls_session_set_verify_function(t->session, verify);
	gnutls_handshake_set_hook_function(t->session, GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY,
					   GNUTLS_HOOK_PRE, before_signature);
	gnutls_transport_set_ptr(t->session, t);
	gnutls_transport_set_pull_function(t->session, pull);
	gnutls_transport_set_pull_timeout_function(t->session, pull_timeout);
	gnutls_transport_set_vec_push_function(t->session, push);
	*reason = REASON_NONE;
	return t;
fail_session:
	gnutls_deinit(t->session);
fail:
	free(t);
	return NULL;
}

void
tls_free(struct tls *t)
{
	if (!t)
		return;
	gnutls_deinit(t->session);
	buffer_free(&t->out);
	free(t);
}

/* --- why it failed -------------------------------------------------------------------------- */

/* What a person can mend first. */
static uint32_t
certificate_reason(unsigned int status)
{
	static const struct {
		unsigned int bits;
		uint32_t reason;
	} reasons[] = {
		{GNUTLS_CERT_REVOKED, REASON_TLS_REVOKED},
		{GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA, REASON_TLS_ISSUER},
		{GNUTLS_CERT_EXPIRED, REASON_TLS_EXPIRED},
		{GNUTLS_CERT_NOT_ACTIVATED, REASON_TLS_NOT_YET},
		{GNUTLS_CERT_UNEXPECTED_OWNER, REASON_TLS_HOST},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (status & reasons[i].bits)
			return reasons[i].reason;
	}
	return REASON_TLS_CERTIFICATE;
}

/* Sets errno for GnuTLS's @error, and the reason where it is the end. Returns -1. */
static int
fail_with(struct tls *t, int error)
{
	errno = EPROTO;
	if (error == GNUTLS_E_AGAIN || error == GNUTLS_E_INTERRUPTED)
		errno = EAGAIN;
	else if (error == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
		t->reason = certificate_reason(t->verdict);
	else if (t->ended)
		t->reason = REASON_TLS_TRUNCATED;
	else if (error == GNUTLS_E_MEMORY_ERROR)
		t->reason = REASON_RESOURCES;
	else if ((error == GNUTLS_E_PULL_ERROR && t->received < t->heard + TLS_SILENCE) ||
		 error == GNUTLS_E_PUSH_ERROR)
		t->reason = REASON_CONNECT_FAILED;
	else
		t->reason = REASON_TLS_FAILED;
	return -1;
}

/* A warning, or a message that was taken: the call is made again. */
static bool
harmless(int error)
{
	return error < 0 && !gnutls_error_is_fatal(error) && error != GNUTLS_E_AGAIN &&
	       error != GNUTLS_E_REHANDSHAKE;
}

/* --- what it does ----------------------------------------------------------------------------- */

int
tls_handshake(struct tls *t)
{
	int result;
	int tries = 0;

	do {
		result = gnutls_handshake(t->session);
	} while (harmless(result) && ++tries < TRIES);
	if (result == GNUTLS_E_SUCCESS) {
		t->heard = t->received;
		t->secure = true;
		return 0;
	}
	if (harmless(result))
		result = GNUTLS_E_AGAIN;
	(void)fail_with(t, result);
	if (errno == EAGAIN)
		return -1;
	if (t->reason == REASON_TLS_TRUNCATED)
		t->reason = REASON_TLS_FAILED;
	/* Little was sent before: there is room for it, or there is nobody. */
	(void)gnutls_alert_send_appropriate(t->session, result);
	errno = EPROTO;
	return -1;
}

bool
tls_writing(const struct tls *t)
{
	return gnutls_record_get_direction(t->session) == 1;
}

ssize_t
tls_read(struct tls *t, void *bytes, size_t size)
{
	ssize_t result;
	int tries = 0;

	do {
		result = gnutls_record_recv(t->session, bytes, size);
	} while (harmless((int)result) && ++tries < TRIES);
	if (result > 0)
		t->heard = t->received;
	if (result >= 0)
		return result;
	if (harmless((int)result))
		result = GNUTLS_E_AGAIN;
	return fail_with(t, (int)result);
}

bool
tls_pending(const struct tls *t)
{
	return gnutls_record_check_pending(t->session) > 0;
}

ssize_t
tls_write(struct tls *t, const void *bytes, size_t n)
{
	ssize_t result = (ssize_t)t->taken;

	if (!result)
		result = gnutls_record_send(t->session, bytes, n < TLS_RECORD ? n : TLS_RECORD);
	if (result < 0)
		return fail_with(t, (int)result);
	t->taken = (size_t)result;
	if (flush(t) < 0)
		return -1;
	t->taken = 0;
	return result;
}

int
tls_bye(struct tls *t)
{
	int result = t->said ? GNUTLS_E_SUCCESS : gnutls_bye(t->session, GNUTLS_SHUT_WR);

	if (result != GNUTLS_E_SUCCESS)
		return fail_with(t, result);
	t->said = true;
	return flush(t);
}

uint32_t
tls_reason(const struct tls *t)
{
	return t->reason;
}

uint64_t
tls_sent(const struct tls *t)
{
	return t->sent;
}

uint64_t
tls_received(const struct tls *t)
{
	return t->received;
}
