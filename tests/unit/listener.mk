# SPDX-License-Identifier: ISC
check_PROGRAMS += tests/unit/test_listener_sessions
TESTS += tests/unit/test_listener_sessions
tests_unit_test_listener_sessions_SOURCES = \
	tests/unit/test_listener_sessions.c \
	tests/unit/listener_scene.c tests/unit/listener_scene.h
tests_unit_test_listener_sessions_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_listener_sessions_LDADD = \
	listener/liblistener.a ipc/libipc.a common/libcommon.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_listener_busy
TESTS += tests/unit/test_listener_busy
tests_unit_test_listener_busy_SOURCES = \
	tests/unit/test_listener_busy.c \
	tests/unit/listener_scene.c tests/unit/listener_scene.h
tests_unit_test_listener_busy_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_listener_busy_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime \
	-Wl,--wrap=sched_setscheduler -Wl,--wrap=sched_getaffinity
tests_unit_test_listener_busy_LDADD = \
	listener/liblistener.a ipc/libipc.a common/libcommon.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_listener_proxies
TESTS += tests/unit/test_listener_proxies
tests_unit_test_listener_proxies_SOURCES = \
	tests/unit/test_listener_proxies.c \
	tests/unit/listener_scene.c tests/unit/listener_scene.h
tests_unit_test_listener_proxies_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_listener_proxies_LDADD = \
	listener/liblistener.a ipc/libipc.a common/libcommon.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_listener_health
TESTS += tests/unit/test_listener_health
tests_unit_test_listener_health_SOURCES = tests/unit/test_listener_health.c listener/health.c
tests_unit_test_listener_health_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_listener_health_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime
tests_unit_test_listener_health_LDADD = $(CMOCKA_LIBS)
