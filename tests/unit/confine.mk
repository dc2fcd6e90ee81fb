# SPDX-License-Identifier: ISC
check_PROGRAMS += tests/unit/test_confine tests/unit/test_seccomp_table
TESTS += tests/unit/test_confine tests/unit/test_seccomp_table

tests_unit_test_confine_SOURCES = tests/unit/test_confine.c tests/unit/faults.c tests/unit/faults.h
tests_unit_test_confine_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(CAPNG_CFLAGS)
tests_unit_test_confine_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=sigaction -Wl,--wrap=getrlimit -Wl,--wrap=setrlimit -Wl,--wrap=prctl \
	-Wl,--wrap=capng_get_caps_process -Wl,--wrap=capng_apply -Wl,--wrap=open \
	-Wl,--wrap=syscall
tests_unit_test_confine_LDADD = $(COMMON_LIBS) seccomp/libfilterworker.a $(CAPNG_LIBS) $(CMOCKA_LIBS)

tests_unit_test_seccomp_table_SOURCES = tests/unit/test_seccomp_table.c
tests_unit_test_seccomp_table_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_seccomp_table_LDADD = seccomp/libtable.a $(CMOCKA_LIBS)
