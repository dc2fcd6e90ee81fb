# SPDX-License-Identifier: ISC
include tests/unit/ipc.mk
include tests/unit/policy.mk
include tests/unit/parse.mk
include tests/unit/worker.mk
include tests/unit/wasmnet.mk
include tests/unit/tls.mk
include tests/unit/wisp.mk
include tests/unit/confine.mk
include tests/unit/helpers.mk
include tests/unit/cli.mk
include tests/unit/listener.mk
include tests/unit/resolver.mk
