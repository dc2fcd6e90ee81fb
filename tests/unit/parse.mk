# SPDX-License-Identifier: ISC
PARSE_LIBS = worker/libworker.a $(NETTLE_LIBS) $(IDN2_LIBS) $(JSONC_LIBS)

parse_tests = \
	tests/unit/test_accept \
	tests/unit/test_base64 \
	tests/unit/test_http \
	tests/unit/test_json \
	tests/unit/test_name \
	tests/unit/test_proxy \
	tests/unit/test_target \
	tests/unit/test_token \
	tests/unit/test_upgrade \
	tests/unit/test_utf8
parse_replays = \
	tests/fuzz/replay_base64 \
	tests/fuzz/replay_http \
	tests/fuzz/replay_json \
	tests/fuzz/replay_name \
	tests/fuzz/replay_proxy \
	tests/fuzz/replay_target
# Sanitizers take memory of their own, so that little of it says nothing.
if SERVES
parse_tests += tests/unit/test_json_memory
endif
check_PROGRAMS += $(parse_tests) $(parse_replays)
TESTS += $(parse_tests) $(parse_replays)
EXTRA_DIST += tests/fuzz/corpus

tests_unit_test_accept_SOURCES = tests/unit/test_accept.c
tests_unit_test_accept_LDADD = $(PARSE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_base64_SOURCES = tests/unit/test_base64.c
tests_unit_test_base64_LDADD = $(PARSE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_http_SOURCES = tests/unit/test_http.c
tests_unit_test_http_LDADD = $(PARSE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_json_SOURCES = tests/unit/test_json.c
tests_unit_test_json_LDADD = $(PARSE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_json_memory_SOURCES = tests/unit/test_json_memory.c
tests_unit_test_json_memory_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_json_memory_LDADD = $(PARSE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_name_SOURCES = tests/unit/test_name.c
tests_unit_test_name_LDADD = $(PARSE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_proxy_SOURCES = tests/unit/test_proxy.c
tests_unit_test_proxy_LDADD = $(PARSE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_target_SOURCES = tests/unit/test_target.c
tests_unit_test_target_LDADD = $(PARSE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_token_SOURCES = tests/unit/test_token.c
tests_unit_test_token_LDADD = $(PARSE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_upgrade_SOURCES = tests/unit/test_upgrade.c
tests_unit_test_upgrade_LDADD = $(PARSE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_utf8_SOURCES = tests/unit/test_utf8.c
tests_unit_test_utf8_LDADD = $(PARSE_LIBS) $(CMOCKA_LIBS)

tests_fuzz_replay_base64_SOURCES = tests/fuzz/fuzz_base64.c tests/fuzz/replay.c tests/fuzz/check.h
tests_fuzz_replay_base64_LDADD = $(PARSE_LIBS)
tests_fuzz_replay_http_SOURCES = tests/fuzz/fuzz_http.c tests/fuzz/replay.c tests/fuzz/check.h
tests_fuzz_replay_http_LDADD = $(PARSE_LIBS)
tests_fuzz_replay_json_SOURCES = tests/fuzz/fuzz_json.c tests/fuzz/replay.c tests/fuzz/check.h
tests_fuzz_replay_json_LDADD = $(PARSE_LIBS)
tests_fuzz_replay_name_SOURCES = tests/fuzz/fuzz_name.c tests/fuzz/replay.c tests/fuzz/check.h
tests_fuzz_replay_name_LDADD = $(PARSE_LIBS)
tests_fuzz_replay_proxy_SOURCES = tests/fuzz/fuzz_proxy.c tests/fuzz/replay.c tests/fuzz/check.h
tests_fuzz_replay_proxy_LDADD = $(PARSE_LIBS)
tests_fuzz_replay_target_SOURCES = tests/fuzz/fuzz_target.c tests/fuzz/replay.c tests/fuzz/check.h
tests_fuzz_replay_target_LDADD = $(PARSE_LIBS)

if FUZZERS
FUZZ_FLAGS = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
noinst_LIBRARIES += tests/fuzz/libparse.a
tests_fuzz_libparse_a_SOURCES = $(PARSE_SOURCES)
tests_fuzz_libparse_a_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(FUZZ_FLAGS)
noinst_PROGRAMS += \
	tests/fuzz/fuzz_base64 \
	tests/fuzz/fuzz_http \
	tests/fuzz/fuzz_json \
	tests/fuzz/fuzz_name \
	tests/fuzz/fuzz_proxy \
	tests/fuzz/fuzz_target
tests_fuzz_fuzz_base64_SOURCES = tests/fuzz/fuzz_base64.c tests/fuzz/check.h
tests_fuzz_fuzz_base64_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(FUZZ_FLAGS)
tests_fuzz_fuzz_base64_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
tests_fuzz_fuzz_base64_LDADD = tests/fuzz/libparse.a $(NETTLE_LIBS) $(IDN2_LIBS) $(JSONC_LIBS)
tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c tests/fuzz/check.h
tests_fuzz_fuzz_http_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(FUZZ_FLAGS)
tests_fuzz_fuzz_http_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
tests_fuzz_fuzz_http_LDADD = tests/fuzz/libparse.a $(NETTLE_LIBS) $(IDN2_LIBS) $(JSONC_LIBS)
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c tests/fuzz/check.h
tests_fuzz_fuzz_json_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(FUZZ_FLAGS)
tests_fuzz_fuzz_json_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
tests_fuzz_fuzz_json_LDADD = tests/fuzz/libparse.a $(NETTLE_LIBS) $(IDN2_LIBS) $(JSONC_LIBS)
tests_fuzz_fuzz_name_SOURCES = tests/fuzz/fuzz_name.c tests/fuzz/check.h
tests_fuzz_fuzz_name_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(FUZZ_FLAGS)
tests_fuzz_fuzz_name_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
tests_fuzz_fuzz_name_LDADD = tests/fuzz/libparse.a $(NETTLE_LIBS) $(IDN2_LIBS) $(JSONC_LIBS)
tests_fuzz_fuzz_proxy_SOURCES = tests/fuzz/fuzz_proxy.c tests/fuzz/check.h
tests_fuzz_fuzz_proxy_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(FUZZ_FLAGS)
tests_fuzz_fuzz_proxy_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
tests_fuzz_fuzz_proxy_LDADD = tests/fuzz/libparse.a $(NETTLE_LIBS) $(IDN2_LIBS) $(JSONC_LIBS)
tests_fuzz_fuzz_target_SOURCES = tests/fuzz/fuzz_target.c tests/fuzz/check.h
tests_fuzz_fuzz_target_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(FUZZ_FLAGS)
tests_fuzz_fuzz_target_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
tests_fuzz_fuzz_target_LDADD = tests/fuzz/libparse.a $(NETTLE_LIBS) $(IDN2_LIBS) $(JSONC_LIBS)
endif
