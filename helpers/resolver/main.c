/* SPDX-License-Identifier: ISC */
/* sockward-resolver: names to addresses, and nothing else. See sockward-resolver(8). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <sys/mman.h>

#include "common/confine.h"
#include "common/fds.h"
#include "common/log.h"
#include "helpers/resolver/queue.h"

static struct resolver *process;

static int
on_message(struct serve_client *client, const union ipc_any *any)
{
	return queue_message(process, client, any);
}

static void
on_gone(struct serve_client *client)
{
	queue_gone(process, client);
}

static void
on_turn(void)
{
	queue_turn(process);
}

static int
wait_ms(void)
{
	return queue_wait_ms(process);
}

/* A lookup's process does not get what others asked and were answered: it is not in it. */
static void
take_memory(void)
{
	void *memory = mmap(NULL, sizeof(*process), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || madvise(memory, sizeof(*process), MADV_DONTFORK) < 0)
		fail_start("cannot take memory");
	process = memory;
}

static noreturn void
usage(int status)
{
	(void)fprintf(status ? stderr : stdout, "usage: sockward-resolver\n");
	exit(status);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const struct confinement wanted = {
		.descriptors = LOOKUPS_MOST + 64,
		.address_space = 64 << 20, /* of each lookup's process, too */
		.file_bytes = 1 << 30,     /* standard error may be a file */
		.files = confine_read,
		.tcp = true,
		.filter = &filter_resolver,
	};
	int listening;
	int c;

	take_memory();
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
		usage(c == 'h' ? 0 : 2);
	if (optind != argc)
		usage(2);
	listening = serve_socket("resolver", NULL, 0);
	process->serve.channel = IPC_RESOLVER;
	process->serve.greeting = IPC_OPEN;
	process->serve.message = on_message;
	process->serve.gone = on_gone;
	process->serve.turn = on_turn;
	process->serve.wait_ms = wait_ms;
	queue_start(process);
	lookup_prepare();
	serve_open(&process->serve, listening);
	fds_notify("READY=1");
	confine(&wanted);
	serve_run(&process->serve);
	return 0;
}
