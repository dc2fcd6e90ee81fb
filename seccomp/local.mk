# SPDX-License-Identifier: ISC
# A table (NAME.def), a generator on libseccomp that runs at build time, and for
# each program one library with its filter as plain BPF and the loader.
SECCOMP_TABLES = listener worker session broker resolver lookup authenticator auditor
SECCOMP_DEFS = \
	seccomp/listener.def seccomp/worker.def seccomp/session.def seccomp/broker.def \
	seccomp/resolver.def seccomp/lookup.def seccomp/authenticator.def seccomp/auditor.def
SECCOMP_FILTERS = \
	seccomp/filter_listener.c seccomp/filter_worker.c seccomp/filter_session.c \
	seccomp/filter_broker.c seccomp/filter_resolver.c seccomp/filter_lookup.c \
	seccomp/filter_authenticator.c seccomp/filter_auditor.c
SECCOMP_LISTINGS = \
	seccomp/listener.txt seccomp/worker.txt seccomp/session.txt seccomp/broker.txt \
	seccomp/resolver.txt seccomp/lookup.txt seccomp/authenticator.txt seccomp/auditor.txt
SECCOMP_GOLDEN = \
	seccomp/golden/listener.txt seccomp/golden/worker.txt seccomp/golden/session.txt \
	seccomp/golden/broker.txt seccomp/golden/resolver.txt \
	seccomp/golden/lookup.txt seccomp/golden/authenticator.txt seccomp/golden/auditor.txt

noinst_LIBRARIES += seccomp/libtable.a
seccomp_libtable_a_SOURCES = seccomp/table.c seccomp/table.h $(SECCOMP_DEFS)

noinst_PROGRAMS += seccomp/generate
seccomp_generate_SOURCES = seccomp/generate.c
seccomp_generate_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
seccomp_generate_LDADD = seccomp/libtable.a $(SECCOMP_LIBS)

# To a temporary name first: a table that is refused leaves nothing behind.
SECCOMP_SOURCE = $(AM_V_GEN)$(MKDIR_P) seccomp && ./seccomp/generate$(EXEEXT)
seccomp/filter_listener.c: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) listener source >$@.new && mv $@.new $@
seccomp/filter_worker.c: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) worker source >$@.new && mv $@.new $@
seccomp/filter_session.c: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) session source >$@.new && mv $@.new $@
seccomp/filter_broker.c: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) broker source >$@.new && mv $@.new $@
seccomp/filter_resolver.c: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) resolver source >$@.new && mv $@.new $@
seccomp/filter_lookup.c: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) lookup source >$@.new && mv $@.new $@
seccomp/filter_authenticator.c: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) authenticator source >$@.new && mv $@.new $@
seccomp/filter_auditor.c: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) auditor source >$@.new && mv $@.new $@

seccomp/listener.txt: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) listener golden >$@.new && mv $@.new $@
seccomp/worker.txt: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) worker golden >$@.new && mv $@.new $@
seccomp/session.txt: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) session golden >$@.new && mv $@.new $@
seccomp/broker.txt: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) broker golden >$@.new && mv $@.new $@
seccomp/resolver.txt: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) resolver golden >$@.new && mv $@.new $@
seccomp/lookup.txt: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) lookup golden >$@.new && mv $@.new $@
seccomp/authenticator.txt: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) authenticator golden >$@.new && mv $@.new $@
seccomp/auditor.txt: seccomp/generate$(EXEEXT)
	$(SECCOMP_SOURCE) auditor golden >$@.new && mv $@.new $@

noinst_LIBRARIES += \
	seccomp/libfilterlistener.a seccomp/libfilterworker.a seccomp/libfilterbroker.a \
	seccomp/libfilterresolver.a seccomp/libfilterauthenticator.a seccomp/libfilterauditor.a
SECCOMP_INSTALL = seccomp/install.h
seccomp_libfilterlistener_a_SOURCES = $(SECCOMP_INSTALL)
nodist_seccomp_libfilterlistener_a_SOURCES = seccomp/filter_listener.c
seccomp_libfilterworker_a_SOURCES = $(SECCOMP_INSTALL)
nodist_seccomp_libfilterworker_a_SOURCES = seccomp/filter_worker.c seccomp/filter_session.c
seccomp_libfilterbroker_a_SOURCES = $(SECCOMP_INSTALL)
nodist_seccomp_libfilterbroker_a_SOURCES = seccomp/filter_broker.c
seccomp_libfilterresolver_a_SOURCES = $(SECCOMP_INSTALL)
nodist_seccomp_libfilterresolver_a_SOURCES = \
	seccomp/filter_resolver.c seccomp/filter_lookup.c
seccomp_libfilterauthenticator_a_SOURCES = $(SECCOMP_INSTALL)
nodist_seccomp_libfilterauthenticator_a_SOURCES = seccomp/filter_authenticator.c
seccomp_libfilterauditor_a_SOURCES = $(SECCOMP_INSTALL)
nodist_seccomp_libfilterauditor_a_SOURCES = seccomp/filter_auditor.c

# The listings are made at build time too, so that `make surface` and a reader find them.
noinst_DATA = $(SECCOMP_LISTINGS)
EXTRA_DIST += $(SECCOMP_GOLDEN)
CLEANFILES += $(SECCOMP_FILTERS) $(SECCOMP_LISTINGS) $(SECCOMP_LISTINGS:.txt=.reviewed)

# After a table was changed on purpose: what the golden texts show is reviewed, then kept.
golden: $(SECCOMP_LISTINGS)
	$(MKDIR_P) $(srcdir)/seccomp/golden
	cp $(SECCOMP_LISTINGS) $(srcdir)/seccomp/golden/
.PHONY: golden

dist_check_SCRIPTS += seccomp/golden.sh
TESTS += seccomp/golden.sh

# The audit surface. A broker that is too large to be read does not build.
dist_noinst_SCRIPTS += seccomp/surface.sh
SURFACE = $(SHELL) $(srcdir)/seccomp/surface.sh --source '$(srcdir)' --build .
surface: all
	@$(SURFACE) --files
.PHONY: surface
noinst_DATA += broker/surface.ok
CLEANFILES += broker/surface.ok
broker/surface.ok: broker/sockward-broker$(EXEEXT) $(SECCOMP_LISTINGS) seccomp/surface.sh
	$(AM_V_GEN)$(SURFACE) --check && : >$@
