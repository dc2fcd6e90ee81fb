# SPDX-License-Identifier: ISC
cli_tests = tests/unit/test_cli tests/unit/test_which tests/unit/test_metrics_http tests/fuzz/replay_metrics
check_PROGRAMS += $(cli_tests)
TESTS += $(cli_tests)
tests_unit_test_cli_SOURCES = tests/unit/test_cli.c
tests_unit_test_cli_LDADD = cli/libcli.a $(NETTLE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_which_SOURCES = tests/unit/test_which.c
tests_unit_test_which_CPPFLAGS = $(cli_libcli_a_CPPFLAGS)
tests_unit_test_which_LDADD = cli/libcli.a ipc/libipc.a common/libcommon.a $(CMOCKA_LIBS)
tests_unit_test_metrics_http_SOURCES = tests/unit/test_metrics_http.c
tests_unit_test_metrics_http_LDADD = cli/libcli.a $(CMOCKA_LIBS)

tests_fuzz_replay_metrics_SOURCES = tests/fuzz/fuzz_metrics.c tests/fuzz/replay.c tests/fuzz/check.h
tests_fuzz_replay_metrics_LDADD = cli/libcli.a

if FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_metrics
tests_fuzz_fuzz_metrics_SOURCES = tests/fuzz/fuzz_metrics.c cli/http.c cli/http.h tests/fuzz/check.h
tests_fuzz_fuzz_metrics_CFLAGS = $(AM_CFLAGS) $(FUZZ_FLAGS)
tests_fuzz_fuzz_metrics_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
endif
