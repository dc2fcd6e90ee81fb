/* SPDX-License-Identifier: ISC */
#include "worker/dialect.h"

static const struct dialect_ops *const dialects[] = {
	&dialect_raw,
	&dialect_netproxy,
};

const struct dialect_ops *
dialect_of(enum target_route route)
{
	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
		if (dialects[i]->route == route)
			return dialects[i];
	}
	return NULL;
}
