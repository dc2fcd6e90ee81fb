# SPDX-License-Identifier: ISC
# All that the broker links besides libc and libcap-ng. `make surface` counts it.
noinst_LIBRARIES += broker/libbroker.a
broker_libbroker_a_SOURCES = \
	broker/broker.h \
	broker/loop.c \
	broker/link.c \
	broker/session.c \
	broker/grant.c \
	broker/open.c \
	broker/dial.c \
	broker/stream.c \
	broker/record.c \
	broker/policy.c

pkglibexec_PROGRAMS += broker/sockward-broker
broker_sockward_broker_SOURCES = broker/main.c
broker_sockward_broker_LDADD = broker/libbroker.a policy/libpolicycheck.a ipc/libipc.a \
	$(COMMON_LIBS) seccomp/libfilterbroker.a
