/* SPDX-License-Identifier: ISC */
#include "worker/dialect.h"

#include <string.h>

static const struct dialect_ops *const dialects[] = {
#define DIALECT(name) &dialect_##name,
#include "worker/dialects.def"
#undef DIALECT
};

const struct dialect_ops *
dialect_of(const char *word)
{
	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
		if (strcmp(dialects[i]->path, word) == 0)
			return dialects[i];
	}
	return NULL;
}
