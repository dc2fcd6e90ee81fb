/* SPDX-License-Identifier: ISC */
/*
 * What GnuTLS leaves open about a far end's certificates: what they may cost, and where the
 * name stands.
 *
 * To check one signature by an RSA key of 12,000 bytes with an
 * exponent as long takes minutes, in which the session does nothing else. GnuTLS has no limit:
 * that of gnutls_certificate_set_verify_limits() is on the length of a chain alone, and comes
 * after the first signature.
 */
#ifndef SOCKWARD_WORKER_KEYS_H
#define SOCKWARD_WORKER_KEYS_H

#include <stdbool.h>

#define KEYS_BITS  8200U
#define KEYS_CHAIN 8U
#define KEYS_DER   32768U

struct gnutls_session_int;

/**
 * keys_bounded() - may all keys be used that the far end has sent: those of its certificates,
 * and of those in its OCSP answers?
 * @session: that has received them.
 *
 * RSA may have KEYS_BITS, and an exponent of 64 bits; of curves there are none that are
 * expensive; no others may be used. There may be KEYS_CHAIN certificates, and as many in an
 * OCSP answer; each of both has KEYS_DER bytes at most, since to read many names takes the
 * square of their number. Without a certificate, or short of memory, the answer is no.
 */
bool keys_bounded(struct gnutls_session_int *session);

/**
 * keys_named() - has its certificate a DNS name among its alternative names (RFC 9525)?
 * @session: as above.
 *
 * Where it has none, GnuTLS takes the common name for one: a text that an authority need
 * not check, nor a constraint on names stop.
 */
bool keys_named(struct gnutls_session_int *session);

#endif
