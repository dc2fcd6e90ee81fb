# SPDX-License-Identifier: ISC
tls_tests = \
	tests/unit/test_tls \
	tests/unit/test_tls_hostile \
	tests/unit/test_session_tls \
	tests/unit/test_session_tls_end
check_PROGRAMS += $(tls_tests)
TESTS += $(tls_tests)

FAR = tests/unit/tls_far.c tests/unit/tls_far.h
TLS_PAIR = tests/unit/tls_pair.c tests/unit/tls_pair.h $(FAR) $(PLAY)
TLS_SCENE = tests/unit/tls_scene.c tests/unit/tls_scene.h $(FAR) $(INSIDE)
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c $(TLS_PAIR)
tests_unit_test_tls_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_tls_hostile_SOURCES = tests/unit/test_tls_hostile.c $(TLS_PAIR)
tests_unit_test_tls_hostile_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_tls_SOURCES = tests/unit/test_session_tls.c $(TLS_SCENE)
tests_unit_test_session_tls_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_tls_end_SOURCES = tests/unit/test_session_tls_end.c $(TLS_SCENE)
tests_unit_test_session_tls_end_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
