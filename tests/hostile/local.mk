# SPDX-License-Identifier: ISC
# Programs that try the confinement from the inside. Not with sanitizers: what
# those need on their own is what the filters refuse.
if SERVES
check_PROGRAMS += \
	tests/hostile/probe \
	tests/hostile/sockward-hostile \
	tests/hostile/sockward-hostile-no-filter \
	tests/hostile/sockward-hostile-no-confine
TESTS += tests/hostile/probe $(HOSTILE_TESTS)
endif
HOSTILE_TESTS = tests/e2e/test_hostile_alone.py tests/e2e/test_hostile.py
EXTRA_DIST += $(HOSTILE_TESTS) tests/lib/double.py

tests_hostile_probe_SOURCES = tests/hostile/probe.c tests/hostile/calls.c tests/hostile/probe.h
tests_hostile_probe_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
tests_hostile_probe_LDADD = seccomp/libtable.a common/libcommon.a \
	seccomp/libfilterlistener.a seccomp/libfilterworker.a seccomp/libfilterbroker.a \
	seccomp/libfilterresolver.a seccomp/libfilterauthenticator.a seccomp/libfilterauditor.a \
	$(CAPNG_LIBS) $(SECCOMP_LIBS)

# The worker's own main, template and confinement; session.c is left out by the
# linker, since tests/hostile/session.c has its function.
HOSTILE_SOURCES = worker/main.c \
	tests/hostile/session.c tests/hostile/sockets.c tests/hostile/system.c \
	tests/hostile/messages.c tests/hostile/hostile.h
HOSTILE_LIBS = worker/libworker.a ipc/libipc.a $(COMMON_LIBS) seccomp/libfilterworker.a \
	$(WORKER_LIBS)
tests_hostile_sockward_hostile_SOURCES = $(HOSTILE_SOURCES)
tests_hostile_sockward_hostile_LDADD = $(HOSTILE_LIBS)
tests_hostile_sockward_hostile_no_filter_SOURCES = $(HOSTILE_SOURCES) tests/hostile/no_filter.c
tests_hostile_sockward_hostile_no_filter_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=syscall
tests_hostile_sockward_hostile_no_filter_LDADD = $(HOSTILE_LIBS)
tests_hostile_sockward_hostile_no_confine_SOURCES = $(HOSTILE_SOURCES) tests/hostile/no_confine.c
tests_hostile_sockward_hostile_no_confine_LDADD = $(HOSTILE_LIBS)

dist_check_SCRIPTS += tests/surface.sh
TESTS += tests/surface.sh
