/* SPDX-License-Identifier: ISC */
/*
 * Loading a filter that the build generated. The tables are seccomp/NAME.def,
 * the generator runs at build time on libseccomp, and the programs carry plain
 * BPF arrays: no program links libseccomp.
 */
#ifndef SOCKWARD_SECCOMP_INSTALL_H
#define SOCKWARD_SECCOMP_INSTALL_H

#include <linux/filter.h>

struct filter {
	const char *name;
	const struct sock_filter *program;
	unsigned short length; /* instructions */
	unsigned int flags;    /* SECCOMP_FILTER_FLAG_LOG where denials get an errno */
};

/* Generated, one a table. */
extern const struct filter filter_listener;
extern const struct filter filter_worker;  /* the template, and what sessions inherit */
extern const struct filter filter_session; /* the few more that a session loses */
extern const struct filter filter_broker;
extern const struct filter filter_resolver;
extern const struct filter filter_lookup; /* the few more that a lookup's process loses */
extern const struct filter filter_authenticator;
extern const struct filter filter_auditor;

/**
 * filter_install() - load a filter for this process, for good.
 * @filter: one of the above. no_new_privs must be set.
 *
 * Returns 0, or -1 with errno.
 */
int filter_install(const struct filter *filter);

#endif
