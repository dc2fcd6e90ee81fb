/* SPDX-License-Identifier: ISC */
/*
 * From a policy's structs to the flat image that the broker loads.
 */
#ifndef SOCKWARD_POLICY_COMPILE_H
#define SOCKWARD_POLICY_COMPILE_H

#include <stddef.h>

#include "policy/read.h"

/**
 * policy_compile() - make the image of a policy.
 * @source: as policy_read() returned it.
 * @image: set to the image, to be freed by free(3). @size: set to its size in bytes.
 *
 * Deterministic: the same text gives the same bytes. Returns 0; or -1 with errno:
 * ENOMEM, or EFBIG when the image would be larger than IMAGE_MOST.
 */
int policy_compile(const struct policy_source *source, void **image, size_t *size);

#endif
