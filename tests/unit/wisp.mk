# SPDX-License-Identifier: ISC
wisp_tests = \
	tests/unit/test_session_wisp \
	tests/unit/test_session_wisp_flow
check_PROGRAMS += $(wisp_tests)
TESTS += $(wisp_tests)

WISP_PLAY = tests/unit/wisp_play.c tests/unit/wisp_play.h $(PLAY)
tests_unit_test_session_wisp_SOURCES = tests/unit/test_session_wisp.c $(WISP_PLAY)
tests_unit_test_session_wisp_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_wisp_flow_SOURCES = tests/unit/test_session_wisp_flow.c $(WISP_PLAY)
tests_unit_test_session_wisp_flow_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
