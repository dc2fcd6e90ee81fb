# SPDX-License-Identifier: ISC
# End to end: the real programs, started by `sockward run`. A build with
# sanitizers or coverage cannot serve: its programs would need other filters.
E2E_TESTS = \
	tests/e2e/test_broker.py \
	tests/e2e/test_broker_handover.py \
	tests/e2e/test_broker_names.py \
	tests/e2e/test_broker_helpers.py \
	tests/e2e/test_broker_ends.py \
	tests/e2e/test_broker_listen.py \
	tests/e2e/test_worker.py \
	tests/e2e/test_worker_streams.py \
	tests/e2e/test_connect_client.py \
	tests/e2e/test_http.py \
	tests/e2e/test_proxy.py \
	tests/e2e/test_fronts.py \
	tests/e2e/test_frames.py \
	tests/e2e/test_raw.py \
	tests/e2e/test_forms.py \
	tests/e2e/test_udp.py \
	tests/e2e/test_udp_clients.py \
	tests/e2e/test_netproxy.py \
	tests/e2e/test_netproxy_client.py \
	tests/e2e/test_wisp.py \
	tests/e2e/test_wisp_browser.py \
	tests/e2e/test_v86.py \
	tests/e2e/test_wasmnet.py \
	tests/e2e/test_inbound.py \
	tests/e2e/test_tls.py \
	tests/e2e/test_tls_netproxy.py \
	tests/e2e/test_tls_stores.py \
	tests/e2e/test_mixed.py \
	tests/e2e/test_policy.py \
	tests/e2e/test_dns_hostile.py \
	tests/e2e/test_cases_messages.py \
	tests/e2e/test_cases_policy.py \
	tests/e2e/test_scan.py \
	tests/e2e/test_limits.py \
	tests/e2e/test_cases_limits.py \
	tests/e2e/test_cases_many.py \
	tests/e2e/test_faults.py \
	tests/e2e/test_audit.py \
	tests/e2e/test_connect.py \
	tests/e2e/test_clients.py \
	tests/e2e/test_processes.py \
	tests/e2e/test_control.py \
	tests/e2e/test_busy.py \
	tests/e2e/test_metrics.py \
	tests/e2e/test_metrics_asked.py
if SERVES
TESTS += $(E2E_TESTS)
endif
EXTRA_DIST += $(E2E_TESTS) \
	tests/e2e/netproxy_client.mjs \
	tests/e2e/udp_client.mjs \
	tests/e2e/v86_guest.mjs \
	tests/e2e/wisp_browser.html \
	tests/e2e/wisp_client.mjs \
	tests/wisp/cases.py \
	tests/wisp/cases_flow.py \
	tests/wisp/cases_handshake.py \
	tests/wisp/cases_streams.py \
	tests/wisp/cases_udp.py \
	tests/wisp/cases_wrong.py \
	tests/wisp/suite.py \
	tests/wisp/table.py \
	tests/wisp/wire.py \
	tests/lib/askers.py \
	tests/lib/auditorbox.py \
	tests/lib/authbox.py \
	tests/lib/brokerbox.py \
	tests/lib/brokercase.py \
	tests/lib/browser.py \
	tests/lib/certs.py \
	tests/lib/dialects.py \
	tests/lib/fronts.py \
	tests/lib/memory.py \
	tests/lib/netns.py \
	tests/lib/netproxy.py \
	tests/lib/nodejs.py \
	tests/lib/openmetrics.py \
	tests/lib/places.py \
	tests/lib/players.py \
	tests/lib/resolverbox.py \
	tests/lib/story.py \
	tests/lib/suite.py \
	tests/lib/tap.py \
	tests/lib/targets.py \
	tests/lib/tlstalk.py \
	tests/lib/workerbox.py \
	tests/lib/wsclient.py \
	docs/TESTS.md
