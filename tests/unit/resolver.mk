# SPDX-License-Identifier: ISC
check_PROGRAMS += tests/unit/test_resolver_queue
TESTS += tests/unit/test_resolver_queue
tests_unit_test_resolver_queue_SOURCES = tests/unit/test_resolver_queue.c
tests_unit_test_resolver_queue_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_resolver_queue_LDADD = \
	helpers/resolver/libresolver.a policy/libpolicyhost.a ipc/libipc.a \
	common/libcommon.a $(IDN2_LIBS) $(CMOCKA_LIBS)
