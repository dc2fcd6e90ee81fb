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
#include "helpers/auditor/counts.h"
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

/* As the kernel writes it, in any case: %b of a unit has no hyphens. */
static void
set_boot_id(const char *text)
{
	static const uint8_t groups[] = {8, 4, 4, 4, 12};
	char *out = process.trail.boot;
	char digits[32 + 1];
	size_t n = 0;

	for (; *text && n < sizeof(digits); text++) {
		if (strchr("0123456789abcdef", *text))
			digits[n++] = *text;
		else if (*text != '-')
			n = sizeof(digits);
	}
	errno = 0;
	if (n != 32)
		fail_start("a boot id has 32 hexadecimal digits");
	n = 0;
	for (size_t i = 0; i < sizeof(groups); i++) {
		memcpy(out, digits + n, groups[i]);
		n += groups[i];
		out += groups[i];
		*out++ = '-';
	}
	out[-1] = '\0';
}

static void
read_boot_id(void)
{
	char text[64] = "";
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		fail_start("cannot read %s", BOOT_ID);
	text[strcspn(text, "\n")] = '\0';
	set_boot_id(text);
	close(fd);
}

static noreturn void
usage(int status)
{
	(void)fprintf(status ? stderr : stdout,
		      "usage: sockward-auditor [--file PATH] [--sync] [--journal PATH|none]\n"
		      "                        [--boot ID]\n");
	exit(status);
}

static void
start(int argc, char **argv)
{
	static const struct option options[] = {
		{"file", required_argument, NULL, 'f'},    {"sync", no_argument, NULL, 's'},
		{"journal", required_argument, NULL, 'j'}, {"boot", required_argument, NULL, 'b'},
		{"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
	};
	const char *journal = JOURNAL_SOCKET;
	const char *path = NULL;
	struct serve_passed passed[] = {{"audit", -1}, {"metrics", -1}};
	int listening;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'f')
			path = optarg;
		else if (c == 's')
			process.sync = true;
		else if (c == 'j')
			journal = optarg;
		else if (c == 'b')
			set_boot_id(optarg);
		else
			usage(c == 'h' ? 0 : 2);
	}
	if (optind != argc)
		usage(2);
	listening = serve_socket("auditor", passed, 2);
	errno = 0;
	if (!path == (passed[0].fd < 0))
		fail_start("one of --file and a descriptor named 'audit' is needed");
	if (!process.trail.boot[0])
		read_boot_id();
	file_open(&process.file, path, passed[0].fd);
	file_scan(&process.file, &process.trail, &process.number, &process.sessions);
	file_sync(&process.file);
	process.stored = process.number;
	journal_open(&process.journal, journal);
	scan_open(&process.scans);
	counts_start(&process.counts);
	serve_open(&process.serve, listening);
	metrics_open(&process, passed[1].fd);
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
