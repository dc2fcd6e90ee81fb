# SPDX-License-Identifier: ISC
SESSION_LIBS = worker/libworker.a ipc/libipc.a seccomp/libfilterworker.a $(WORKER_LIBS)

worker_tests = \
	tests/unit/test_guard \
	tests/unit/test_ws \
	tests/unit/test_ws_end \
	tests/unit/test_stream \
	tests/unit/test_stream_end \
	tests/unit/test_names \
	tests/unit/test_gather \
	tests/unit/test_session_parts \
	tests/unit/test_session_broken \
	tests/unit/test_session_proxied \
	tests/unit/test_tunnel \
	tests/unit/test_session_raw \
	tests/unit/test_session_forms \
	tests/unit/test_session_forms_life \
	tests/unit/test_session_flow \
	tests/unit/test_session_netproxy \
	tests/unit/test_netproxy_requests \
	tests/unit/test_session_udp \
	tests/unit/test_session_udp_end \
	tests/unit/test_session_listen \
	tests/unit/test_session_resolve \
	tests/unit/test_session_order \
	tests/unit/test_session_relay \
	tests/unit/test_session_faults
worker_replays = \
	tests/fuzz/replay_guard \
	tests/fuzz/replay_ws
check_PROGRAMS += $(worker_tests) $(worker_replays)
TESTS += $(worker_tests) $(worker_replays)

PLAY = tests/unit/play.c tests/unit/play_parts.c tests/unit/play.h
INSIDE = $(PLAY) tests/unit/play_inside.c tests/unit/play_inside.h
WIRE = tests/unit/wire.c tests/unit/wire.h
SCENE = tests/unit/scene.c tests/unit/scene.h
tests_unit_test_guard_SOURCES = tests/unit/test_guard.c tests/unit/frames.c tests/unit/frames.h
tests_unit_test_guard_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_ws_SOURCES = tests/unit/test_ws.c $(SCENE)
tests_unit_test_ws_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_ws_end_SOURCES = tests/unit/test_ws_end.c $(SCENE)
tests_unit_test_ws_end_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c $(WIRE)
tests_unit_test_stream_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_stream_end_SOURCES = tests/unit/test_stream_end.c $(WIRE)
tests_unit_test_stream_end_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_gather_SOURCES = tests/unit/test_gather.c
tests_unit_test_gather_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_names_SOURCES = tests/unit/test_names.c
tests_unit_test_names_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_udp_SOURCES = tests/unit/test_session_udp.c $(INSIDE)
tests_unit_test_session_udp_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_listen_SOURCES = tests/unit/test_session_listen.c $(INSIDE)
tests_unit_test_session_listen_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_udp_end_SOURCES = tests/unit/test_session_udp_end.c $(INSIDE)
tests_unit_test_session_udp_end_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_resolve_SOURCES = tests/unit/test_session_resolve.c $(INSIDE)
tests_unit_test_session_resolve_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_order_SOURCES = tests/unit/test_session_order.c $(INSIDE)
tests_unit_test_session_order_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_relay_SOURCES = tests/unit/test_session_relay.c $(PLAY)
tests_unit_test_session_relay_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_parts_SOURCES = tests/unit/test_session_parts.c $(PLAY)
tests_unit_test_session_parts_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS) -lpthread
tests_unit_test_session_broken_SOURCES = tests/unit/test_session_broken.c $(PLAY)
tests_unit_test_session_broken_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_proxied_SOURCES = tests/unit/test_session_proxied.c $(PLAY)
tests_unit_test_session_proxied_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_tunnel_SOURCES = tests/unit/test_tunnel.c
tests_unit_test_tunnel_LDADD = cli/libcli.a $(WSLAY_LIBS) $(NETTLE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_raw_SOURCES = tests/unit/test_session_raw.c $(PLAY)
tests_unit_test_session_raw_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_forms_SOURCES = tests/unit/test_session_forms.c $(PLAY)
tests_unit_test_session_forms_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_forms_life_SOURCES = tests/unit/test_session_forms_life.c $(PLAY)
tests_unit_test_session_forms_life_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_flow_SOURCES = tests/unit/test_session_flow.c $(PLAY)
tests_unit_test_session_flow_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_netproxy_SOURCES = tests/unit/test_session_netproxy.c $(PLAY)
tests_unit_test_session_netproxy_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_netproxy_requests_SOURCES = tests/unit/test_netproxy_requests.c $(PLAY)
tests_unit_test_netproxy_requests_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_faults_SOURCES = tests/unit/test_session_faults.c $(PLAY)
tests_unit_test_session_faults_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)

tests_fuzz_replay_guard_SOURCES = tests/fuzz/fuzz_guard.c tests/fuzz/replay.c tests/fuzz/check.h
tests_fuzz_replay_guard_LDADD = $(SESSION_LIBS)
tests_fuzz_replay_ws_SOURCES = tests/fuzz/fuzz_ws.c tests/fuzz/replay.c tests/fuzz/check.h
tests_fuzz_replay_ws_LDADD = $(SESSION_LIBS) -lpthread

# A sanitizer has a malloc(3) of its own.
if SERVES
check_PROGRAMS += tests/fuzz/memory_ws
TESTS += tests/fuzz/memory_ws
tests_fuzz_memory_ws_SOURCES = tests/fuzz/fuzz_ws.c tests/fuzz/memory.c tests/fuzz/check.h
tests_fuzz_memory_ws_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=session_run -Wl,--wrap=json_read
tests_fuzz_memory_ws_LDADD = $(SESSION_LIBS) -lpthread
endif

if FUZZERS
noinst_LIBRARIES += tests/fuzz/libsession.a
tests_fuzz_libsession_a_SOURCES = $(SESSION_SOURCES) \
	ipc/channel.c ipc/text.c ipc/words.c
tests_fuzz_libsession_a_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(GNUTLS_CFLAGS) $(FUZZ_FLAGS)
noinst_PROGRAMS += \
	tests/fuzz/fuzz_guard \
	tests/fuzz/fuzz_ws
tests_fuzz_fuzz_guard_SOURCES = tests/fuzz/fuzz_guard.c tests/fuzz/check.h
tests_fuzz_fuzz_guard_CFLAGS = $(AM_CFLAGS) $(FUZZ_FLAGS)
tests_fuzz_fuzz_guard_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
tests_fuzz_fuzz_guard_LDADD = tests/fuzz/libsession.a tests/fuzz/libparse.a $(WORKER_LIBS)
tests_fuzz_fuzz_ws_SOURCES = tests/fuzz/fuzz_ws.c tests/fuzz/check.h
tests_fuzz_fuzz_ws_CFLAGS = $(AM_CFLAGS) $(FUZZ_FLAGS)
tests_fuzz_fuzz_ws_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
tests_fuzz_fuzz_ws_LDADD = tests/fuzz/libsession.a tests/fuzz/libparse.a $(WORKER_LIBS) -lpthread
endif
