# SPDX-License-Identifier: ISC
# Template units, a set for each tenant. What the services have in common is put in by
# the build, so that each stands whole where it is installed.
UNITS_MADE = \
	units/sockward@.service \
	units/sockward-broker@.service \
	units/sockward-resolver@.service \
	units/sockward-authenticator@.service \
	units/sockward-auditor@.service \
	units/sockward-check@.service \
	units/sockward-metrics@.service \
	units/sockward-inetd@.service \
	units/sockward-drain@.service
UNITS_PLAIN = \
	units/sockward@.socket \
	units/sockward@.target \
	units/sockward@inetd.target \
	units/sockward-setup@.service \
	units/sockward-control@.socket \
	units/sockward-status@.socket \
	units/sockward-counts@.socket \
	units/sockward-metrics@.socket \
	units/sockward-inetd.socket \
	units/sockward-broker@.socket \
	units/sockward-resolver@.socket \
	units/sockward-authenticator@.socket \
	units/sockward-auditor@.socket

systemdsystemunit_DATA = $(UNITS_MADE)
dist_pkglibexec_SCRIPTS = units/sockward-leftover
dist_systemdsystemunit_DATA = $(UNITS_PLAIN)
slicedropindir = $(systemdsystemunitdir)/sockward-.slice.d
dist_slicedropin_DATA = units/10-sockward.conf

EXTRA_DIST += $(UNITS_MADE:=.in) units/hardening.conf units/common.conf units/broker-addresses.conf \
	units/sockward.sysusers units/sockward.tmpfiles
CLEANFILES += $(UNITS_MADE)

$(UNITS_MADE): units/hardening.conf units/common.conf units/broker-addresses.conf $(top_srcdir)/units/local.mk
	$(AM_V_GEN)$(MKDIR_P) units && sed \
		-e '/^@HARDENING@$$/{' -e 'r $(srcdir)/units/hardening.conf' -e 'd' -e '}' \
		-e '/^@COMMON@$$/{' -e 'r $(srcdir)/units/common.conf' -e 'd' -e '}' \
		-e '/^@ADDRESSES@$$/{' -e 'r $(srcdir)/units/broker-addresses.conf' -e 'd' -e '}' \
		-e 's|@bindir[@]|$(bindir)|g' -e 's|@pkglibexecdir[@]|$(pkglibexecdir)|g' \
		-e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		$(srcdir)/$@.in >$@.new && mv $@.new $@
units/sockward@.service: units/sockward@.service.in
units/sockward-broker@.service: units/sockward-broker@.service.in
units/sockward-resolver@.service: units/sockward-resolver@.service.in
units/sockward-authenticator@.service: units/sockward-authenticator@.service.in
units/sockward-auditor@.service: units/sockward-auditor@.service.in
units/sockward-check@.service: units/sockward-check@.service.in
units/sockward-drain@.service: units/sockward-drain@.service.in
units/sockward-metrics@.service: units/sockward-metrics@.service.in
units/sockward-inetd@.service: units/sockward-inetd@.service.in

# Under the names that systemd wants; the sources say what they are.
install-data-local:
	$(MKDIR_P) $(DESTDIR)$(sysusersdir) $(DESTDIR)$(tmpfilesdir)
	$(INSTALL_DATA) $(srcdir)/units/sockward.sysusers $(DESTDIR)$(sysusersdir)/sockward.conf
	sed 's|/etc/sockward|$(sysconfdir)/sockward|' $(srcdir)/units/sockward.tmpfiles \
		>$(DESTDIR)$(tmpfilesdir)/sockward.conf
	chmod 644 $(DESTDIR)$(tmpfilesdir)/sockward.conf

uninstall-local:
	rm -f $(DESTDIR)$(sysusersdir)/sockward.conf $(DESTDIR)$(tmpfilesdir)/sockward.conf
