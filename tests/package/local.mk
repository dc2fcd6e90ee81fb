# SPDX-License-Identifier: ISC
# The Debian package: built, put into a booted systemd, upgraded, removed and purged.
PACKAGE_TESTS = tests/package/test_package.py
if SERVES
TESTS += $(PACKAGE_TESTS)
endif
EXTRA_DIST += $(PACKAGE_TESTS) tests/lib/debs.py \
	debian/README.Debian \
	debian/changelog \
	debian/control \
	debian/copyright \
	debian/docs \
	debian/examples \
	debian/rules \
	debian/sockward.lintian-overrides \
	debian/sockward.postinst \
	debian/sockward.postrm \
	debian/sockward.prerm \
	debian/source/format \
	debian/source/options
