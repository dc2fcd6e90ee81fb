# SPDX-License-Identifier: ISC
# What the broker links: the judgement and the image, on libc alone.
POLICY_CHECK_SOURCES = \
	policy/check.c policy/check.h \
	policy/image.c policy/image.h \
	policy/special.h
noinst_LIBRARIES += policy/libpolicycheck.a
policy_libpolicycheck_a_SOURCES = $(POLICY_CHECK_SOURCES)
nodist_policy_libpolicycheck_a_SOURCES = policy/special-table.h policy/ports-table.h

# A destination as text. The broker never links it.
noinst_LIBRARIES += policy/libpolicyhost.a
policy_libpolicyhost_a_SOURCES = policy/host.c policy/host.h

# What reads, compiles and explains a policy. The broker never links it.
POLICY_SOURCES = \
	policy/report.c policy/report.h \
	policy/arena.c policy/arena.h \
	policy/json.c policy/json.h policy/json-parser.h \
	policy/json-string.c policy/json-utf8.c \
	policy/text.c policy/text.h \
	policy/read.c policy/read.h policy/reading.h \
	policy/read-hosts.c policy/read-limits.c policy/read-proxies.c \
	policy/read-grant.c policy/read-auth.c policy/read-rules.c policy/read-listen.c \
	policy/lint.c \
	policy/compile.c policy/compile.h \
	policy/explain.c policy/explain.h \
	policy/units.c policy/units.h \
	policy/import.c policy/import.h policy/import-parts.h \
	policy/import-rules.c policy/import-write.c policy/import-manifest.c \
	policy/import-toml.c policy/import-toml.h
noinst_LIBRARIES += policy/libpolicy.a
policy_libpolicy_a_SOURCES = $(POLICY_SOURCES)
policy_libpolicy_a_CFLAGS = $(AM_CFLAGS) $(NETTLE_CFLAGS) $(IDN2_CFLAGS)
POLICY_LIBS = policy/libpolicy.a policy/libpolicyhost.a policy/libpolicycheck.a ipc/libipc.a common/libcommon.a \
	$(NETTLE_LIBS) $(IDN2_LIBS)

# Tables are data files; a build makes C of them.
policy/special-table.h: policy/special.awk policy/special.data policy/names.data
	$(AM_V_GEN)$(MKDIR_P) policy && \
	$(AWK) -f $(srcdir)/policy/special.awk $(srcdir)/policy/special.data \
		$(srcdir)/policy/names.data > $@.tmp && mv $@.tmp $@
policy/ports-table.h: policy/ports.awk policy/ports.data
	$(AM_V_GEN)$(MKDIR_P) policy && \
	$(AWK) -f $(srcdir)/policy/ports.awk $(srcdir)/policy/ports.data > $@.tmp && mv $@.tmp $@
# The list of the broker's unit, as strings.
policy/wall-table.h: units/broker-addresses.conf
	$(AM_V_GEN)$(MKDIR_P) policy && \
	$(AWK) -F= '/^IPAddressAllow=/ { n = split($$2, word, " "); \
		for (i = 1; i <= n; i++) printf "\t\"%s\",\n", word[i] }' \
		$(srcdir)/units/broker-addresses.conf > $@.tmp && mv $@.tmp $@
policy/check.$(OBJEXT): policy/special-table.h policy/ports-table.h
policy/policy_libpolicy_a-units.$(OBJEXT): policy/special-table.h policy/wall-table.h
BUILT_SOURCES += policy/special-table.h policy/ports-table.h policy/wall-table.h
CLEANFILES += policy/special-table.h policy/ports-table.h policy/wall-table.h \
	policy/special-table.h.tmp policy/ports-table.h.tmp policy/wall-table.h.tmp
EXTRA_DIST += policy/special.awk policy/special.data policy/names.data \
	policy/ports.awk policy/ports.data \
	policy/policy.schema.json

pkgdata_DATA += policy/policy.schema.json examples/policy.json
dist_man_MANS += man/sockward-policy.5
