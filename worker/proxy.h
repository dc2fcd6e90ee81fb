/* SPDX-License-Identifier: ISC */
/*
 * The PROXY protocol's header (haproxy.org, proxy-protocol.txt, versions 1 and 2): who
 * a proxy's client is, in front of what that client sends. No input or output, no
 * allocation. What is not understood is refused, and nothing is read behind it.
 *
 * Stricter than the specification where it allows to be: a header has at most
 * PROXY_MOST bytes; of version 2, a connection is one of TCP, and TLVs fill exactly
 * what is left. TLVs are skipped, but for a CRC32c, which must be right.
 */
#ifndef SOCKWARD_WORKER_PROXY_H
#define SOCKWARD_WORKER_PROXY_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/messages.h"

#define PROXY_LINE_MOST 107 /* bytes of version 1, with its CR LF */
#define PROXY_MOST      536 /* bytes of a header: what fits any TCP segment, as the text says */

enum proxy_result {
	PROXY_MORE, /* right so far, and not complete */
	PROXY_DONE,
	PROXY_REFUSE, /* close the connection */
};

struct proxy_header {
	uint32_t length;      /* of the header; what follows is the client's */
	struct ipc_addr told; /* the client; family 0: not told (LOCAL, UNKNOWN, UNSPEC) */
};

/**
 * proxy_parse() - read a header.
 * @bytes: all that the connection brought so far. @n: how many; also more than the header.
 * @header: set when it is done, untouched otherwise.
 *
 * Looks at no byte behind the header. However the bytes are cut the outcome is the
 * same. A wrong beginning, or length, is refused at once, the rest when the header is
 * there: MORE is never the answer to PROXY_MOST bytes. An IPv4 address in IPv6's form
 * (::ffff:0:0/96) is told as IPv4.
 */
enum proxy_result proxy_parse(const void *bytes, size_t n, struct proxy_header *header);

#endif
