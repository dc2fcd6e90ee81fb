/* SPDX-License-Identifier: ISC */
/*
 * For the fuzzers. libFuzzer links LLVMFuzzerTestOneInput(); a build without it
 * links replay.c, which runs the inputs that are kept in tests/fuzz/corpus.
 */
#ifndef SOCKWARD_TESTS_FUZZ_CHECK_H
#define SOCKWARD_TESTS_FUZZ_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Whatever the input was, this must hold. */
#define CHECK(what)                                                                               \
	do {                                                                                      \
		if (!(what)) {                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                                  \
		}                                                                                 \
	} while (0)

/**
 * LLVMFuzzerTestOneInput() - try one input; ends by abort() when something does not hold.
 *
 * Returns 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
