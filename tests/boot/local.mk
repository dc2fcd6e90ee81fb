# SPDX-License-Identifier: ISC
# On a systemd of their own, in a container: what units and service manager are part of.
BOOT_TESTS = \
	tests/boot/test_exposure.py \
	tests/boot/test_tenants.py \
	tests/boot/test_commands.py \
	tests/boot/test_operation.py \
	tests/boot/test_losses.py \
	tests/boot/test_readme.py \
	tests/boot/test_inetd.py
if SERVES
TESTS += $(BOOT_TESTS)
endif
EXTRA_DIST += $(BOOT_TESTS) tests/lib/booted.py tests/lib/used.py
