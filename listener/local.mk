# SPDX-License-Identifier: ISC
noinst_LIBRARIES += listener/liblistener.a
listener_liblistener_a_SOURCES = \
	listener/listener.h \
	listener/doors.c \
	listener/alone.c \
	listener/session.c \
	listener/spawn.c \
	listener/busy.c \
	listener/broker.c \
	listener/control.c \
	listener/health.c listener/health.h

pkglibexec_PROGRAMS += listener/sockward-listener
listener_sockward_listener_SOURCES = listener/main.c
listener_sockward_listener_LDADD = listener/liblistener.a ipc/libipc.a $(COMMON_LIBS) \
	seccomp/libfilterlistener.a
