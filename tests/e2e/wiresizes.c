/* SPDX-License-Identifier: ISC */
/*
 * The message table as the programs are built with it: name, number and size of
 * each message, for the tests that write the structs by hand (ipcwire.py).
 */
#include <stddef.h>
#include <stdio.h>

#include "ipc/messages.h"
#include "ipc/words.h"

#define AT(field) AT_IN(, field)
#define AT_IN(inner, field) \
	printf("record.%s %zu 0\n", #field, offsetof(struct ipc_record, inner field))

int
main(void)
{
#define ROW(type, body, channel, way, fds, states) \
	printf("%s %d %zu\n", #type, (int)MSG_##type, sizeof(body));
	IPC_TABLE(ROW)
#undef ROW
	for (unsigned int i = 0; i < REASON_COUNT; i++)
		printf("reason:%s %u 0\n", reason_word(i), i);
	AT(number);
	AT(event);
	AT(client);
	AT(duration_ms);
	AT(bytes_up);
	AT_IN(counts., claimed_close);
	AT_IN(end., cpu_us);
	AT(grant);
	AT(rule);
	return 0;
}
