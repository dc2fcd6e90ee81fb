/* SPDX-License-Identifier: ISC */
#include "worker/keys.h"

#include <gnutls/gnutls.h>
#include <gnutls/ocsp.h>
#include <gnutls/x509.h>

#define EXPONENT_BYTES 9U /* 64 bits, and a zero in front that makes it no negative number */

static bool
rsa_bounded(gnutls_x509_crt_t certificate)
{
	gnutls_datum_t modulus;
	gnutls_datum_t exponent;
	bool bounded;

	if (gnutls_x509_crt_get_pk_rsa_raw(certificate, &modulus, &exponent) < 0)
		return false;
	bounded = exponent.size <= EXPONENT_BYTES;
	gnutls_free(modulus.data);
	gnutls_free(exponent.data);
	return bounded;
}

static bool
key_bounded(gnutls_x509_crt_t certificate)
{
	unsigned int bits = 0;
	int algorithm = gnutls_x509_crt_get_pk_algorithm(certificate, &bits);

	switch (algorithm) {
	case GNUTLS_PK_RSA:
	case GNUTLS_PK_RSA_PSS:
		return bits <= KEYS_BITS && rsa_bounded(certificate);
	case GNUTLS_PK_ECDSA:
	case GNUTLS_PK_EDDSA_ED25519:
	case GNUTLS_PK_EDDSA_ED448:
		return true;
	default:
		return false;
	}
}

/* Returns NULL when it is none, or too long, or memory is short. */
static gnutls_x509_crt_t
read_certificate(const gnutls_datum_t *der)
{
	gnutls_x509_crt_t certificate;

	if (der->size > KEYS_DER || gnutls_x509_crt_init(&certificate) < 0)
		return NULL;
	if (gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) == 0)
		return certificate;
	gnutls_x509_crt_deinit(certificate);
	return NULL;
}

static bool
certificate_bounded(const gnutls_datum_t *der)
{
	gnutls_x509_crt_t certificate = read_certificate(der);
	bool bounded = certificate && key_bounded(certificate);

	if (certificate)
		gnutls_x509_crt_deinit(certificate);
	return bounded;
}

/* What cannot be read is refused at the end anyway; what says that there is none costs nothing. */
static bool
answer_bounded(const gnutls_datum_t *der)
{
	gnutls_ocsp_resp_t answer;
	gnutls_x509_crt_t *certificates = NULL;
	size_t n = 0;
	bool bounded = false;

	if (der->size > KEYS_DER || gnutls_ocsp_resp_init(&answer) < 0)
		return false;
	if (gnutls_ocsp_resp_import(answer, der) < 0)
		goto out;
	bounded = gnutls_ocsp_resp_get_status(answer) != GNUTLS_OCSP_RESP_SUCCESSFUL;
	if (bounded || gnutls_ocsp_resp_get_certs(answer, &certificates, &n) < 0)
		goto out;
	bounded = n <= KEYS_CHAIN;
	for (size_t i = 0; i < n; i++) {
		bounded = bounded && key_bounded(certificates[i]);
		gnutls_x509_crt_deinit(certificates[i]);
	}
	gnutls_free(certificates);
out:
	gnutls_ocsp_resp_deinit(answer);
	return bounded;
}

bool
keys_bounded(gnutls_session_t session)
{
	unsigned int n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
	gnutls_datum_t answer;

	if (!chain || !n || n > KEYS_CHAIN)
		return false;
	for (unsigned int i = 0; i < n; i++) {
		if (!certificate_bounded(&chain[i]))
			return false;
		if (gnutls_ocsp_status_request_get2(session, i, &answer) == 0 &&
		    !answer_bounded(&answer))
			return false;
	}
	return true;
}

bool
keys_named(gnutls_session_t session)
{
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, NULL);
	gnutls_x509_crt_t certificate = chain ? read_certificate(chain) : NULL;
	int type = GNUTLS_E_MEMORY_ERROR;

	for (unsigned int i = 0; certificate; i++) {
		char name[256]; /* longer than any DNS name */
		size_t n = sizeof(name);

		type = gnutls_x509_crt_get_subject_alt_name(certificate, i, name, &n, NULL);
		if (type == GNUTLS_SAN_DNSNAME ||
		    (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER))
			break;
	}
	if (certificate)
		gnutls_x509_crt_deinit(certificate);
	return type == GNUTLS_SAN_DNSNAME;
}
