/* SPDX-License-Identifier: ISC */
/* sockward-auditor: writes the audit trail, and nothing else. See sockward-auditor(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/fds.h"
#include "common/log.h"
#include "helpers/auditor/trail.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static struct auditor process;

static int
on_message(struct serve_client *client, const union ipc_any *any)
{
	return trail_message(&process, client, any);
}

static void
on_gone(struct serve_client *client)
{
	trail_gone(&process, client);
}

static void
on_turn(void)
{
	trail_turn(&process);
}

static int
wait_ms(void)
{
	return trail_wait_ms(&process);
}

static void
read_boot_id(void)
{
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, process.trail.boot, sizeof(process.trail.boot) - 1);

	if (n <= 0)
		fail_start("cannot read %s", BOOT_ID);
	process.trail.boot[strcspn(process.trail.boot, "\n")] = '\0';
	close(fd);
}

static noreturn void
usage(int status)
{
	(void)fprintf(status ? stderr : stdout,
		      "usage: sockward-auditor [--file PATH] [--sync] [--journal PATH|none]\n"
		      "                        [--broker-uid UID]\n");
	exit(status);
}

static void
start(int argc, char **argv)
{
	static const struct option options[] = {
		{"file", required_argument, NULL, 'f'},
		{"sync", no_argument, NULL, 's'},
		{"journal", required_argument, NULL, 'j'},
		{"broker-uid", required_argument, NULL, 'u'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *journal = JOURNAL_SOCKET;
	const char *path = NULL;
	int passed;
	int listening;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'f')
			path = optarg;
		else if (c == 's')
			process.sync = true;
		else if (c == 'j')
			journal = optarg;
		else if (c == 'u')
			process.serve.broker_uid = serve_uid(optarg);
		else
			usage(c == 'h' ? 0 : 2);
	}
	if (optind != argc)
		usage(2);
	listening = serve_socket("auditor", &passed);
	errno = 0;
	if (!path == (passed < 0))
		fail_start("one of --file and a descriptor named 'audit' is needed");
	read_boot_id();
	file_open(&process.file, path, passed);
	file_scan(&process.file, &process.trail, &process.number, &process.sessions);
	file_sync(&process.file);
	process.stored = process.number;
	journal_open(&process.journal, journal);
	scan_open(&process.scans);
	serve_open(&process.serve, listening);
}

int
main(int argc, char **argv)
{
	const struct confinement wanted = {
		.descriptors = 64,
		.address_space = 256 << 20,
		.file_bytes = RLIM_INFINITY,
		.filter = &filter_auditor,
	};

	process.serve.channel = IPC_AUDITOR;
	process.serve.greeting = IPC_NEW;
	process.serve.message = on_message;
	process.serve.gone = on_gone;
	process.serve.turn = on_turn;
	process.serve.wait_ms = wait_ms;
	start(argc, argv);
	fds_notify("READY=1");
	confine(&wanted);
	serve_run(&process.serve);
	trail_end(&process);
	return 0;
}
