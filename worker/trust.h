/* SPDX-License-Identifier: ISC */
/*
 * Whom the far end of a TLS stream must be certified by: the host's trust store, a
 * file of PEM certificates, and GnuTLS itself, which is prepared with it.
 *
 * The file is mapped before the confinement, since no file can be opened after it.
 * All else of GnuTLS runs confined: it finds no configuration of the system, and
 * what the store holds is read by a process that can do nothing. A template reads it
 * once, and its sessions share the memory; a session of its own reads it at its first
 * TLS stream.
 */
#ifndef SOCKWARD_WORKER_TRUST_H
#define SOCKWARD_WORKER_TRUST_H

#include <stdbool.h>
#include <stddef.h>

#define TRUST_BYTES (16U << 20) /* of the largest store that is taken */

struct gnutls_certificate_credentials_st;
struct gnutls_priority_st;

/* Zeroed: there is no store, and every TLS stream is refused. */
struct trust {
	void *bytes; /* the mapped file; NULL: there is none, or it was read */
	size_t length;
	struct gnutls_certificate_credentials_st *credentials; /* NULL until it was read */
	struct gnutls_priority_st *priority;
	bool fresh; /* this process does not share the state of random numbers */
};

/**
 * trust_map() - map the store.
 * @path: a regular file of 1 to TRUST_BYTES bytes.
 *
 * Who changes the file puts another in its place (rename(2)): one that is cut short
 * while it is mapped costs the process that reads it. Returns 0, or -1 with errno, and
 * @t stays as it was.
 */
int trust_map(struct trust *t, const char *path);

/**
 * trust_read() - prepare GnuTLS, and read and unmap what was mapped.
 *
 * Once in a process. Returns 0, or -1 when there was no store, no certificate in it, or one
 * that cannot be read; no later call finds a store then.
 */
int trust_read(struct trust *t);

/**
 * trust_ready() - to be called in a session's own process before each use of GnuTLS.
 *
 * Reads the store where that was not done. A template's children are copies with the
 * same state of random numbers, and made by a system call that GnuTLS does not see: so
 * the first call of a process seeds them anew. Returns whether there is a store.
 */
bool trust_ready(struct trust *t);

/**
 * trust_free() - unmap and free whatever there is.
 */
void trust_free(struct trust *t);

#endif
