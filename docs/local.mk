# SPDX-License-Identifier: ISC
EXTRA_DIST += docs/ARCHITECTURE.md docs/dialects/raw.md docs/dialects/netproxy.md docs/dialects/udp-relay.md
