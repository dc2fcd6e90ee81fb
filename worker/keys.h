/* SPDX-License-Identifier: ISC */
/*
 * What a far end's keys may cost. To check one signature by an RSA key of 12,000 bytes with an
 * exponent as long takes minutes, in which the session does nothing else. GnuTLS has no limit:
 * that of gnutls_certificate_set_verify_limits() is on the length of a chain alone, and comes
 * after the first signature.
 */
#ifndef SOCKWARD_WORKER_KEYS_H
#define SOCKWARD_WORKER_KEYS_H

#include <stdbool.h>

struct gnutls_session_int;

/**
 * keys_bounded() - may all keys be used that the far end has sent: those of its certificates,
 * and of those in its OCSP answers?
 * @session: that has received them.
 *
 * RSA may have KEYS_BITS, and an exponent of 64 bits; of curves there are none that are
 * expensive; no others may be used. There may be KEYS_CHAIN certificates, and as many in an
 * OCSP answer. Without a certificate, or short of memory, the answer is no.
 */
bool keys_bounded(struct gnutls_session_int *session);

#define KEYS_BITS  8200U
#define KEYS_CHAIN 8U

#endif
