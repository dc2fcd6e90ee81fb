# SPDX-License-Identifier: ISC
EXTRA_DIST += docs/ARCHITECTURE.md docs/METRICS.md docs/dialects/raw.md docs/dialects/netproxy.md \
	docs/dialects/wasmnet.md docs/dialects/udp-relay.md \
	docs/dialects/wisp.md docs/dialects/wsproxy.md docs/wisp-conformance.md
