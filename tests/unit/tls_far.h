/* SPDX-License-Identifier: ISC */
/*
 * The far end of TLS, in this process: a server with a certificate of an authority that
 * a trust store made here names, or of another. Nothing waits: who is on one end of a
 * socket pair goes on when the other has said something.
 */
#ifndef SOCKWARD_TESTS_UNIT_TLS_FAR_H
#define SOCKWARD_TESTS_UNIT_TLS_FAR_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "worker/trust.h"

#define FAR_HOST "h.example"

/* What is wrong with the certificate. */
enum far_fault {
	FAR_GOOD, /* for FAR_HOST and 192.0.2.9 */
	FAR_EXPIRED,
	FAR_NOT_YET,
	FAR_OTHER_HOST,
	FAR_UNKNOWN,        /* of an authority that is in no store */
	FAR_CLIENT,         /* not meant for servers */
	FAR_NUMBER_AS_NAME, /* 192.0.2.9 is there, but as if it were a name */
	FAR_COMMON_NAME,    /* FAR_HOST is there, but not as an alternative name */
	FAR_LONG_NAME,      /* another name is there, too, of 40,000 bytes */
	/* Nothing, but for its key; of those that are too much it has no private half. */
	FAR_RSA,      /* of 2,048 bits */
	FAR_LARGE,    /* RSA of 12,000 bytes */
	FAR_EXPONENT, /* RSA of 8,192 bits, whose public exponent has as many */
};

struct far {
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	int fd;
	bool ready; /* the handshake is complete */
};

/**
 * far_trust() - map a store with the one authority. @t: zeroed.
 */
void far_trust(struct trust *t);

/**
 * far_begin() - a server on a non-blocking socket, which is taken over.
 * @priority: of GnuTLS; NULL: "NORMAL".
 */
void far_begin(struct far *far, int fd, enum far_fault fault, const char *priority);

/**
 * far_run() - go on with the handshake. Returns GnuTLS's result.
 */
int far_run(struct far *far);

/**
 * far_write() - send all of it; the socket must have room.
 */
void far_write(struct far *far, const void *bytes, size_t n);

/**
 * far_read() - as gnutls_record_recv().
 */
ssize_t far_read(struct far *far, void *bytes, size_t size);

/**
 * far_end() - close it, without a word.
 */
void far_end(struct far *far);

#endif
