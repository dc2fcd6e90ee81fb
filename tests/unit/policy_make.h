/* SPDX-License-Identifier: ISC */
/* For tests: an opened image from a policy's text. */
#ifndef SOCKWARD_TESTS_POLICY_MAKE_H
#define SOCKWARD_TESTS_POLICY_MAKE_H

#include "policy/image.h"

/**
 * policy_make() - read, compile and open; fails the test when one of them does.
 * @text: the policy. @size: receives the image's size; or NULL.
 *
 * Returns the image, to be freed by free(3).
 */
void *policy_make(const char *text, struct policy *policy, size_t *size);

#endif
