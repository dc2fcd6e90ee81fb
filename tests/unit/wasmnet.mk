# SPDX-License-Identifier: ISC
wasmnet_tests = \
	tests/unit/test_session_wasmnet \
	tests/unit/test_session_wasmnet_udp \
	tests/unit/test_session_wasmnet_more \
	tests/unit/test_wasmnet_ids
check_PROGRAMS += $(wasmnet_tests)
TESTS += $(wasmnet_tests)

WASMNET_PLAY = tests/unit/wasmnet_play.c tests/unit/wasmnet_play.h $(PLAY)
tests_unit_test_session_wasmnet_SOURCES = tests/unit/test_session_wasmnet.c $(WASMNET_PLAY)
tests_unit_test_session_wasmnet_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_wasmnet_more_SOURCES = tests/unit/test_session_wasmnet_more.c $(WASMNET_PLAY)
tests_unit_test_session_wasmnet_more_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_wasmnet_udp_SOURCES = tests/unit/test_session_wasmnet_udp.c $(WASMNET_PLAY)
tests_unit_test_session_wasmnet_udp_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_wasmnet_ids_SOURCES = tests/unit/test_wasmnet_ids.c $(INSIDE)
tests_unit_test_wasmnet_ids_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
