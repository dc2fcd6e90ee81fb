# SPDX-License-Identifier: ISC
include tests/unit/local.mk
include tests/hostile/local.mk
include tests/e2e/local.mk
include tests/boot/local.mk
include tests/package/local.mk
