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

const struct ipc_row *
ipc_row(uint32_t type)
{
	return type > IPC_TYPE_NONE && type < IPC_TYPE_COUNT ? &ipc_rows[type] : NULL;
}
