/* SPDX-License-Identifier: ISC */
#include "common/fds.h"

#include <unistd.h>

#include "common/log.h"

void
fds_close_all_but(const int *keep, size_t n)
{
	unsigned int from = FDS_FIRST;

	for (size_t i = 0; i <= n; i++) {
		unsigned int to = i < n ? (unsigned int)keep[i] : ~0U;

		if (i < n && keep[i] < FDS_FIRST)
			continue;
		if (i < n && to == from) {
			from++;
			continue;
		}
		if (close_range(from, i < n ? to - 1 : to, 0) < 0)
			fail_start("cannot close the descriptors from %u", from);
		from = to + 1;
	}
}
