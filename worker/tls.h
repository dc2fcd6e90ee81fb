/* SPDX-License-Identifier: ISC */
/*
 * TLS to one far end, as its client (RFC 8446, RFC 5246), over a connected, non-blocking
 * socket. Only read(2) and writev(2) are used. Who the far end is, is verified (RFC 5280,
 * RFC 6125) before anything of ours is sent but the handshake.
 *
 * There is no resumption, no ALPN, no renegotiation and no certificate of ours. GnuTLS
 * keeps at most a record that comes, and messages of the handshake; what the socket does not
 * take of a record that goes is kept here. GnuTLS takes messages of the handshake of up to
 * 16 MiB, and any number of them, so that there is a limit here: TLS_SILENCE bytes from the
 * far end without a byte of data, and the connection is broken off. That is also the most
 * that one call takes from the socket.
 */
#ifndef SOCKWARD_WORKER_TLS_H
#define SOCKWARD_WORKER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TLS_RECORD  16384U         /* most payload of a record */
#define TLS_SILENCE (128U * 1024U) /* most that comes before the first data, or the next */

struct ipc_addr;
struct tls;
struct trust;

/**
 * tls_new() - prepare TLS to a host.
 * @host: its name, as an A-label: sent as SNI (RFC 6066), and to be in the certificate.
 *        Or empty.
 * @addr: where @host is empty, the address that is to be in the certificate; there is
 *        no SNI then.
 * @fd: the socket; stays the caller's.
 * @reason: receives why there is none: REASON_TLS_NO_TRUST or REASON_RESOURCES.
 *
 * Returns NULL on failure.
 */
struct tls *tls_new(struct trust *trust, const char *host, const struct ipc_addr *addr, int fd,
		    uint32_t *reason);

/**
 * tls_free() - free it, without a word to the far end. @t: may be NULL.
 */
void tls_free(struct tls *t);

/**
 * tls_handshake() - go on with the handshake; not once it is complete.
 *
 * Returns 0 when it is complete and the far end verified; or -1 with errno: EAGAIN, or
 * EPROTO when it failed: then tls_reason() tells why, the far end was told by an alert,
 * and no other call but tls_free() may follow.
 */
int tls_handshake(struct tls *t);

/**
 * tls_writing() - after EAGAIN of tls_handshake(): does it wait for room to write?
 */
bool tls_writing(const struct tls *t);

/**
 * tls_read() - read what came. @size: TLS_RECORD at least, so that no record is kept in part.
 *
 * Returns how many bytes; 0 when the far end ended what it sends in order (close_notify);
 * or -1 with errno: EAGAIN, or EPROTO when the connection broke or ended without
 * that word: then tls_reason() tells why.
 */
ssize_t tls_read(struct tls *t, void *bytes, size_t size);

/**
 * tls_pending() - is there something to read that is no longer in the socket?
 */
bool tls_pending(const struct tls *t);

/**
 * tls_write() - write some.
 *
 * After EAGAIN the same bytes must be offered again, with more behind them or not:
 * a record of them is on its way. Returns how many are written, at most TLS_RECORD; or -1
 * with errno: EAGAIN, or EPROTO when nothing can be written any more.
 */
ssize_t tls_write(struct tls *t, const void *bytes, size_t n);

/**
 * tls_bye() - say close_notify, after which nothing may be written.
 *
 * Returns 0, or -1 with errno as tls_write().
 */
int tls_bye(struct tls *t);

/**
 * tls_reason() - of enum reason, why something failed with EPROTO.
 */
uint32_t tls_reason(const struct tls *t);

/**
 * tls_sent(), tls_received() - bytes that the socket took and gave, as the kernel counts.
 */
uint64_t tls_sent(const struct tls *t);
uint64_t tls_received(const struct tls *t);

#endif
