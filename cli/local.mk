# SPDX-License-Identifier: ISC
noinst_LIBRARIES += cli/libcli.a
cli_libcli_a_SOURCES = \
	cli/cli.h cli/help.c \
	cli/parse.c cli/parse.h \
	cli/suite.h cli/cmd_run.c cli/place.c cli/layers.c cli/program.c cli/supervise.c \
	cli/reload.c cli/finish.c \
	cli/policy_files.c cli/policy_files.h cli/stage.c \
	cli/control.c cli/control.h cli/which.c cli/which.h \
	cli/facts.c cli/facts_text.c cli/facts.h cli/http.c cli/http.h \
	cli/ask.h cli/cmd_control.c cli/cmd_status.c cli/cmd_metrics.c cli/cmd_sessions.c cli/cmd_reload.c \
	cli/cmd_connect.c cli/handshake.c cli/handshake.h cli/tunnel.c cli/tunnel.h \
	cli/cmd_policy.c cli/cmd_policy.h \
	cli/cmd_audit.c cli/cmd_audit.h \
	cli/cmd_token.c cli/cmd_token.h
cli_libcli_a_CPPFLAGS = $(AM_CPPFLAGS) -DPKGLIBEXECDIR='"$(pkglibexecdir)"' \
	-DSYSCONFDIR='"$(sysconfdir)"'
cli_libcli_a_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(NETTLE_CFLAGS)

bin_PROGRAMS += sockward
sockward_SOURCES = cli/main.c
sockward_LDADD = cli/libcli.a policy/libpolicy.a policy/libpolicyhost.a policy/libpolicycheck.a \
	helpers/auditor/libaudit.a helpers/authenticator/libauthenticator.a \
	ipc/libipc.a common/libcommon.a \
	$(WSLAY_LIBS) $(NETTLE_LIBS) $(IDN2_LIBS) $(JSONC_LIBS)

dist_man_MANS += man/sockward.1

dist_noinst_DATA += examples/policy.json \
	examples/haproxy.cfg examples/nginx.conf examples/Caddyfile \
	examples/page/index.html examples/page/page.js examples/page/hello.txt
dist_noinst_DATA += tests/setup.sh .ci/run
dist_noinst_DATA += tests/node/package.json tests/node/package-lock.json

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = cli/sockward.bash
