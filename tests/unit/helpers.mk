# SPDX-License-Identifier: ISC
helpers_tests = \
	tests/unit/test_jwt \
	tests/unit/test_credentials \
	tests/unit/test_audit_line \
	tests/unit/test_audit_scan \
	tests/unit/test_audit_scan_line \
	tests/unit/test_audit_counts \
	tests/unit/test_audit_file
check_PROGRAMS += $(helpers_tests) tests/e2e/wiresizes
TESTS += $(helpers_tests)

HELPERS_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(NETTLE_CFLAGS)
AUTHENTICATOR_LIBS = helpers/authenticator/libauthenticator.a \
	policy/libpolicy.a policy/libpolicyhost.a policy/libpolicycheck.a ipc/libipc.a common/libcommon.a \
	$(NETTLE_LIBS) $(IDN2_LIBS) $(CMOCKA_LIBS)
AUDITOR_LIBS = helpers/auditor/libauditor.a helpers/auditor/libaudit.a \
	helpers/libhelpers.a ipc/libipc.a common/libcommon.a $(NETTLE_LIBS) $(CMOCKA_LIBS)

tests_unit_test_jwt_SOURCES = tests/unit/test_jwt.c
tests_unit_test_jwt_CFLAGS = $(HELPERS_CFLAGS)
tests_unit_test_jwt_LDADD = $(AUTHENTICATOR_LIBS)

tests_unit_test_credentials_SOURCES = tests/unit/test_credentials.c
tests_unit_test_credentials_CFLAGS = $(HELPERS_CFLAGS)
tests_unit_test_credentials_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=nettle_memeql_sec
tests_unit_test_credentials_LDADD = $(AUTHENTICATOR_LIBS)

tests_unit_test_audit_line_SOURCES = tests/unit/test_audit_line.c
tests_unit_test_audit_line_CFLAGS = $(HELPERS_CFLAGS)
tests_unit_test_audit_line_LDADD = $(AUDITOR_LIBS)

tests_unit_test_audit_scan_SOURCES = tests/unit/test_audit_scan.c
tests_unit_test_audit_scan_CFLAGS = $(HELPERS_CFLAGS)
tests_unit_test_audit_scan_LDADD = $(AUDITOR_LIBS)

tests_unit_test_audit_scan_line_SOURCES = tests/unit/test_audit_scan_line.c
tests_unit_test_audit_scan_line_CFLAGS = $(HELPERS_CFLAGS)
tests_unit_test_audit_scan_line_LDADD = $(AUDITOR_LIBS)

tests_unit_test_audit_counts_SOURCES = tests/unit/test_audit_counts.c
tests_unit_test_audit_counts_CFLAGS = $(HELPERS_CFLAGS)
tests_unit_test_audit_counts_LDADD = $(AUDITOR_LIBS)

tests_unit_test_audit_file_SOURCES = tests/unit/test_audit_file.c
tests_unit_test_audit_file_CFLAGS = $(HELPERS_CFLAGS)
tests_unit_test_audit_file_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=write -Wl,--wrap=ftruncate \
	-Wl,--wrap=fdatasync -Wl,--wrap=serve_now_ms
tests_unit_test_audit_file_LDADD = $(AUDITOR_LIBS)

tests_e2e_wiresizes_SOURCES = tests/e2e/wiresizes.c
tests_e2e_wiresizes_LDADD = ipc/libipc.a

# What the Python tests of the helpers share.
EXTRA_DIST += tests/e2e/ipcwire.py tests/e2e/dnsbox.py tests/e2e/dnslies.py
HELPERS_E2E = \
	tests/e2e/test_resolver.py \
	tests/e2e/test_resolver_bounds.py \
	tests/e2e/test_resolver_life.py \
	tests/e2e/test_authenticator.py \
	tests/e2e/test_authenticator_jwt.py \
	tests/e2e/test_authenticator_keys.py \
	tests/e2e/test_auditor.py \
	tests/e2e/test_auditor_channel.py \
	tests/e2e/test_auditor_survival.py \
	tests/e2e/test_auditor_tampering.py
dist_check_SCRIPTS += $(HELPERS_E2E)
if SERVES
TESTS += $(HELPERS_E2E)
endif
