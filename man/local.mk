# SPDX-License-Identifier: ISC
dist_man_MANS += \
	man/sockward.7 \
	man/sockward-audit.5 \
	man/sockward-listener.8 \
	man/sockward-worker.8 \
	man/sockward-broker.8 \
	man/sockward-resolver.8 \
	man/sockward-authenticator.8 \
	man/sockward-auditor.8
