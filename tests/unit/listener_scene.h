/* SPDX-License-Identifier: ISC */
/*
 * The listener without its main.c: the test is its broker, its worker template,
 * and what waits for descriptors.
 */
#ifndef SOCKWARD_TESTS_LISTENER_SCENE_H
#define SOCKWARD_TESTS_LISTENER_SCENE_H

#include <stdbool.h>
#include <sys/types.h>

#include "listener/listener.h"

extern struct listener_scene {
	int broker;   /* the far ends */
	int template; /* of the first template's channel */
	bool no_room; /* descriptors cannot be waited for */
} test;

/**
 * start() - a listener with a broker and a template; for the set-up of a test.
 */
int start(void **state);

/**
 * end() - end every child and close all; for the tear-down.
 */
int end(void **state);

/**
 * child() - a process that waits to be killed. @pidfd: set. Returns its pid.
 */
pid_t child(int *pidfd);

/**
 * is_reaped() - was that child killed and waited for?
 */
bool is_reaped(pid_t pid);

/**
 * ask() - a client comes, which is a descriptor only.
 */
void ask(void);

/**
 * begin() - ask(), and the template was asked. Returns the session.
 */
struct session *begin(void);

/**
 * tell() - answer as the template. @pidfd: closed; or -1 for an answer without.
 */
void tell(int pidfd);

/**
 * turn() - the listener takes one answer of the template.
 */
void turn(void);

#endif
