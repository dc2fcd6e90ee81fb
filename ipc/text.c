/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "ipc/channel.h"

int
ipc_text_set(char *text, size_t size, const char *from)
{
	size_t n = strlen(from);

	if (n >= size)
		return -1;
	memcpy(text, from, n);
	memset(text + n, 0, size - n);
	return 0;
}
