# SPDX-License-Identifier: ISC
# The broker's helpers: names, tokens, the audit trail. Each its own program.
noinst_LIBRARIES += helpers/libhelpers.a
helpers_libhelpers_a_SOURCES = helpers/serve.c helpers/serve.h

noinst_LIBRARIES += helpers/resolver/libresolver.a
helpers_resolver_libresolver_a_SOURCES = \
	helpers/resolver/cache.c helpers/resolver/cache.h \
	helpers/resolver/dns.c helpers/resolver/dns.h \
	helpers/resolver/lookup.c helpers/resolver/lookup.h \
	helpers/resolver/queue.c helpers/resolver/queue.h
helpers_resolver_libresolver_a_CFLAGS = $(AM_CFLAGS) $(CARES_CFLAGS)

noinst_LIBRARIES += helpers/authenticator/libauthenticator.a
helpers_authenticator_libauthenticator_a_SOURCES = \
	helpers/authenticator/credentials.c helpers/authenticator/credentials.h \
	helpers/authenticator/judge.c \
	helpers/authenticator/jwt.c helpers/authenticator/jwt.h \
	helpers/authenticator/key.c helpers/authenticator/key.h \
	worker/base64.c worker/base64.h
helpers_authenticator_libauthenticator_a_CFLAGS = $(AM_CFLAGS) $(NETTLE_CFLAGS)

# What reads and writes an audit file; the command links it too.
noinst_LIBRARIES += helpers/auditor/libaudit.a
helpers_auditor_libaudit_a_SOURCES = \
	helpers/auditor/writer.c helpers/auditor/writer.h \
	helpers/auditor/record.c helpers/auditor/record.h \
	helpers/auditor/chain.c helpers/auditor/chain.h \
	helpers/auditor/line.c helpers/auditor/line.h \
	helpers/auditor/verify.c helpers/auditor/verify.h
helpers_auditor_libaudit_a_CFLAGS = $(AM_CFLAGS) $(NETTLE_CFLAGS)

noinst_LIBRARIES += helpers/auditor/libauditor.a
helpers_auditor_libauditor_a_SOURCES = \
	helpers/auditor/trail.c helpers/auditor/trail.h \
	helpers/auditor/file.c helpers/auditor/file.h \
	helpers/auditor/sessions.c helpers/auditor/sessions.h \
	helpers/auditor/scan.c helpers/auditor/scan.h \
	helpers/auditor/counts.c helpers/auditor/counts.h \
	helpers/auditor/metrics.c helpers/auditor/metrics.h \
	helpers/auditor/journal.c helpers/auditor/journal.h \
	helpers/auditor/message_ids.h
helpers_auditor_libauditor_a_CFLAGS = $(AM_CFLAGS) $(NETTLE_CFLAGS)

pkglibexec_PROGRAMS += \
	helpers/resolver/sockward-resolver \
	helpers/authenticator/sockward-authenticator \
	helpers/auditor/sockward-auditor

helpers_resolver_sockward_resolver_SOURCES = helpers/resolver/main.c
helpers_resolver_sockward_resolver_LDADD = \
	helpers/resolver/libresolver.a helpers/libhelpers.a \
	policy/libpolicyhost.a ipc/libipc.a $(COMMON_LIBS) seccomp/libfilterresolver.a $(CARES_LIBS)

helpers_authenticator_sockward_authenticator_SOURCES = helpers/authenticator/main.c
helpers_authenticator_sockward_authenticator_LDADD = \
	helpers/authenticator/libauthenticator.a helpers/libhelpers.a \
	policy/libpolicy.a policy/libpolicyhost.a policy/libpolicycheck.a \
	ipc/libipc.a $(COMMON_LIBS) seccomp/libfilterauthenticator.a $(NETTLE_LIBS) $(IDN2_LIBS)

helpers_auditor_sockward_auditor_SOURCES = helpers/auditor/main.c
helpers_auditor_sockward_auditor_LDADD = \
	helpers/auditor/libauditor.a helpers/auditor/libaudit.a helpers/libhelpers.a \
	ipc/libipc.a $(COMMON_LIBS) seccomp/libfilterauditor.a $(NETTLE_LIBS)
