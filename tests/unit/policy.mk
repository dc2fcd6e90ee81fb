# SPDX-License-Identifier: ISC
policy_tests = \
	tests/unit/test_policy_check \
	tests/unit/test_policy_image \
	tests/unit/test_policy_json \
	tests/unit/test_policy_proxies \
	tests/unit/test_policy_read \
	tests/unit/test_policy_rules
policy_scripts = \
	tests/policy/blocks.py \
	tests/policy/cases.py \
	tests/policy/command.py \
	tests/policy/import.py \
	tests/policy/manifest.py \
	tests/policy/units.py
policy_replays = \
	tests/fuzz/replay_image \
	tests/fuzz/replay_policy
check_PROGRAMS += $(policy_tests) $(policy_replays) tests/unit/judge
TESTS += $(policy_tests) $(policy_replays) $(policy_scripts)
EXTRA_DIST += $(policy_scripts) tests/policy/judge.py \
	tests/policy/hosts.cases \
	tests/policy/names.cases \
	tests/policy/rules.cases \
	tests/policy/spellings.cases

tests_unit_judge_SOURCES = tests/unit/judge.c
tests_unit_judge_LDADD = helpers/authenticator/libauthenticator.a $(POLICY_LIBS)

tests_unit_test_policy_check_SOURCES = tests/unit/test_policy_check.c \
	tests/unit/policy_make.c tests/unit/policy_make.h
tests_unit_test_policy_check_LDADD = $(POLICY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_policy_image_SOURCES = tests/unit/test_policy_image.c \
	tests/unit/policy_make.c tests/unit/policy_make.h
tests_unit_test_policy_image_LDADD = $(POLICY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_policy_json_SOURCES = tests/unit/test_policy_json.c \
	tests/unit/policy_wrong.c tests/unit/policy_wrong.h
tests_unit_test_policy_json_LDADD = $(POLICY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_policy_proxies_SOURCES = tests/unit/test_policy_proxies.c \
	tests/unit/policy_wrong.c tests/unit/policy_wrong.h
tests_unit_test_policy_proxies_LDADD = $(POLICY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_policy_read_SOURCES = tests/unit/test_policy_read.c \
	tests/unit/policy_wrong.c tests/unit/policy_wrong.h
tests_unit_test_policy_read_LDADD = $(POLICY_LIBS) $(CMOCKA_LIBS)
tests_unit_test_policy_rules_SOURCES = tests/unit/test_policy_rules.c \
	tests/unit/policy_wrong.c tests/unit/policy_wrong.h
tests_unit_test_policy_rules_LDADD = $(POLICY_LIBS) $(CMOCKA_LIBS)

tests_fuzz_replay_image_SOURCES = tests/fuzz/fuzz_image.c tests/fuzz/replay.c tests/fuzz/check.h
tests_fuzz_replay_image_LDADD = $(POLICY_LIBS)
tests_fuzz_replay_policy_SOURCES = tests/fuzz/fuzz_policy.c tests/fuzz/replay.c tests/fuzz/check.h
tests_fuzz_replay_policy_LDADD = $(POLICY_LIBS)

if FUZZERS
POLICY_FUZZ_FLAGS = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
POLICY_FUZZ_LIBS = tests/fuzz/libpolicy.a ipc/libipc.a common/libcommon.a \
	$(NETTLE_LIBS) $(IDN2_LIBS)
noinst_LIBRARIES += tests/fuzz/libpolicy.a
tests_fuzz_libpolicy_a_SOURCES = $(POLICY_SOURCES) $(POLICY_CHECK_SOURCES) \
	policy/host.c policy/host.h
tests_fuzz_libpolicy_a_CFLAGS = $(AM_CFLAGS) $(NETTLE_CFLAGS) $(IDN2_CFLAGS) $(POLICY_FUZZ_FLAGS)
policy/tests_fuzz_libpolicy_a-check.$(OBJEXT): policy/special-table.h policy/ports-table.h
policy/tests_fuzz_libpolicy_a-units.$(OBJEXT): policy/special-table.h policy/wall-table.h
noinst_PROGRAMS += tests/fuzz/fuzz_image tests/fuzz/fuzz_policy
tests_fuzz_fuzz_image_SOURCES = tests/fuzz/fuzz_image.c tests/fuzz/check.h
tests_fuzz_fuzz_image_CFLAGS = $(AM_CFLAGS) $(POLICY_FUZZ_FLAGS)
tests_fuzz_fuzz_image_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
tests_fuzz_fuzz_image_LDADD = $(POLICY_FUZZ_LIBS)
tests_fuzz_fuzz_policy_SOURCES = tests/fuzz/fuzz_policy.c tests/fuzz/check.h
tests_fuzz_fuzz_policy_CFLAGS = $(AM_CFLAGS) $(POLICY_FUZZ_FLAGS)
tests_fuzz_fuzz_policy_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
tests_fuzz_fuzz_policy_LDADD = $(POLICY_FUZZ_LIBS)
endif
