# SPDX-License-Identifier: ISC
resolver_tests = tests/unit/test_resolver_queue tests/unit/test_resolver_answers \
	tests/unit/test_resolver_cache tests/unit/test_resolver_lookup
check_PROGRAMS += $(resolver_tests)
TESTS += $(resolver_tests)
RESOLVER_SCENE = tests/unit/resolver_scene.c tests/unit/resolver_scene.h
RESOLVER_SCENE_LIBS = \
	helpers/resolver/libresolver.a policy/libpolicyhost.a ipc/libipc.a \
	common/libcommon.a $(IDN2_LIBS) $(CMOCKA_LIBS)
tests_unit_test_resolver_queue_SOURCES = tests/unit/test_resolver_queue.c $(RESOLVER_SCENE)
tests_unit_test_resolver_queue_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_resolver_queue_LDADD = $(RESOLVER_SCENE_LIBS)

tests_unit_test_resolver_answers_SOURCES = tests/unit/test_resolver_answers.c $(RESOLVER_SCENE)
tests_unit_test_resolver_answers_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_resolver_answers_LDADD = $(RESOLVER_SCENE_LIBS)

tests_unit_test_resolver_cache_SOURCES = tests/unit/test_resolver_cache.c
tests_unit_test_resolver_cache_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_resolver_cache_LDADD = helpers/resolver/libresolver.a $(CMOCKA_LIBS)

tests_unit_test_resolver_lookup_SOURCES = tests/unit/test_resolver_lookup.c
tests_unit_test_resolver_lookup_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_resolver_lookup_LDADD = \
	helpers/resolver/libresolver.a ipc/libipc.a $(COMMON_LIBS) seccomp/libfilterresolver.a \
	$(CARES_LIBS) $(CMOCKA_LIBS)
