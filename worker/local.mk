# SPDX-License-Identifier: ISC
# All of a session but its confinement; the fuzzers build it for themselves.
SESSION_SOURCES = \
	worker/session.c worker/session.h \
	worker/handshake.c worker/handshake.h \
	worker/ask.c worker/ask.h \
	worker/answer.c worker/answer.h \
	worker/closing.c worker/closing.h \
	worker/guard.c worker/guard.h \
	worker/ws.c worker/ws_io.c worker/ws.h \
	worker/buffer.c worker/buffer.h \
	worker/gather.c worker/gather.h \
	worker/names.c worker/names.h \
	worker/stream.c worker/stream_tls.c worker/stream_udp.c worker/stream.h \
	worker/tls.c worker/tls.h worker/trust.c worker/trust.h worker/keys.c worker/keys.h \
	worker/streams.c worker/streams.h worker/request.c \
	worker/dialect.h worker/dialects.c worker/dialects.def \
	worker/dialect/single.c worker/dialect/single.h \
	worker/dialect/raw.c \
	worker/dialect/wsproxy.c \
	worker/dialect/udp_relay.c \
	worker/dialect/netproxy.c worker/dialect/netproxy_say.c worker/dialect/netproxy.h \
	worker/dialect/wasmnet.c worker/dialect/wasmnet_ask.c worker/dialect/wasmnet_read.c \
	worker/dialect/wasmnet_say.c worker/dialect/wasmnet.h \
	worker/dialect/wisp.c worker/dialect/wisp_serve.c worker/dialect/wisp_say.c \
	worker/dialect/wisp.h

noinst_LIBRARIES += worker/libworker.a
worker_libworker_a_SOURCES = worker/template.c worker/template.h $(SESSION_SOURCES)
worker_libworker_a_CFLAGS = $(AM_CFLAGS) $(NETTLE_CFLAGS) $(IDN2_CFLAGS) $(JSONC_CFLAGS) \
	$(GNUTLS_CFLAGS)
include worker/parse.mk

WORKER_LIBS = $(WSLAY_LIBS) $(GNUTLS_LIBS) $(NETTLE_LIBS) $(IDN2_LIBS) $(JSONC_LIBS)

pkglibexec_PROGRAMS += worker/sockward-worker
worker_sockward_worker_SOURCES = worker/main.c
worker_sockward_worker_LDADD = worker/libworker.a ipc/libipc.a $(COMMON_LIBS) \
	seccomp/libfilterworker.a $(WORKER_LIBS)
