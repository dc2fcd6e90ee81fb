/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	const char *does;
	const char *usage;
} pages[] = {
	{"run", "serve: the whole suite in the foreground",
	 "sockward run --listen ADDR:PORT [--listen ADDR:PORT]... --policy FILE\n"
	 "             [--audit FILE] [--runtime-dir DIR] [--spawn=fork|exec]\n"
	 "             [--trust FILE]\n\n"
	 "  --listen ADDR:PORT  127.0.0.1:8086 or [::1]:8086; port 0 takes a free one\n"
	 "  --policy FILE       who may reach what; see `sockward help policy`\n"
	 "  --audit FILE        the audit trail is appended to FILE\n"
	 "  --runtime-dir DIR   the sockets between the programs are made there\n"
	 "  --spawn=fork|exec   a session is forked from a template, or executed anew\n"
	 "  --trust FILE        PEM certificates that vouch for destinations over TLS\n\n"
	 "When all programs are ready it prints `ready ws://ADDR:PORT/` for each address.\n"
	 "SIGHUP reads the policy again. SIGTERM or Ctrl-C drains and ends; a second one\n"
	 "ends at once.\n"},
	{"connect", "standard input and output through a session",
	 "sockward connect ws://HOST:PORT/raw/TARGET/PORT [--token T] [--origin O]\n\n"
	 "  --token T   the token; $SOCKWARD_TOKEN where this is not given\n"
	 "  --origin O  send an Origin header, as a page of that origin would\n\n"
	 "  printf 'GET / HTTP/1.0\\r\\n\\r\\n' |\n"
	 "      sockward connect ws://127.0.0.1:8086/raw/127.0.0.1/8087\n"},
	{"status", "how the suite is",
	 "sockward status [--tenant NAME | --runtime-dir DIR] [--json]\n\n"
	 "Where several suites are running and none is named, a line for each.\n"
	 "Exit status: 0 all well, 3 degraded, draining or without a policy, 1 no answer.\n"},
	{"metrics", "numbers for a monitoring system",
	 "sockward metrics [--tenant NAME | --runtime-dir DIR] [--http]\n\n"
	 "OpenMetrics text of what the listener and the auditor count. Exit status: 0 when\n"
	 "one of them answered, 1 when neither did.\n\n"
	 "  --http  standard input is a connection, or a listening socket: serve it to\n"
	 "          GET /metrics; needs one of the two, or its variable\n"},
	{"sessions", "the sessions that are open",
	 "sockward sessions [--tenant NAME | --runtime-dir DIR] [--json]\n"},
	{"kill", "end a session",
	 "sockward kill [--tenant NAME | --runtime-dir DIR] SESSION\n\n"
	 "SESSION is a number that `sockward sessions` shows.\n"},
	{"drain", "take no new sessions, let the open ones end, then end",
	 "sockward drain [--tenant NAME | --runtime-dir DIR] [--deadline 10s]\n\n"
	 "What is still open at the deadline is ended. `sockward run` ends then, too.\n"},
	{"reload", "read the policy file again",
	 "sockward reload [--tenant NAME | --runtime-dir DIR]\n\n"
	 "Asks `sockward run` to, as SIGHUP does. A bad policy changes nothing, and is an\n"
	 "error here and there.\n"
	 "With systemd it is `systemctl reload sockward@TENANT.service`.\n"},
	/* These tell their usage themselves. */
	{"audit", "read and verify an audit trail", NULL},
	{"policy", "check, explain or compile a policy", NULL},
	{"token", "make a token, and its hash for the policy", NULL},
};

#define PAGES (sizeof(pages) / sizeof(pages[0]))

static void
say(const char *command, const char *format, va_list args)
{
	fprintf(stderr, "sockward%s%s: ", command ? " " : "", command ? command : "");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

int
usage_error(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(command, format, args);
	va_end(args);
	fprintf(stderr, "Try `sockward help%s%s`.\n", command ? " " : "", command ? command : "");
	return STATUS_USAGE;
}

int
usage_option(char **argv, int c)
{
	const char *option = argv[optind - 1];

	if (c == ':')
		return usage_error(argv[0], "%s needs a value", option);
	return usage_error(argv[0], "%s is no option, or takes no value", option);
}

int
failed(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(command, format, args);
	va_end(args);
	return STATUS_FAILED;
}

int
help_print(const char *command)
{
	if (!command) {
		puts("sockward gives programs in a browser policed network connections.\n\n"
		     "usage: sockward COMMAND [...]\n");
		for (size_t i = 0; i < PAGES; i++)
			printf("  %-10s %s\n", pages[i].name, pages[i].does);
		puts("\n`sockward help COMMAND` shows more; sockward(1) shows all.");
		return STATUS_OK;
	}
	for (size_t i = 0; i < PAGES; i++) {
		if (strcmp(command, pages[i].name) != 0 || !pages[i].usage)
			continue;
		printf("%s\n", pages[i].does);
		printf("\nusage: %s", pages[i].usage);
		return STATUS_OK;
	}
	return usage_error(NULL, "there is no command '%s'", command);
}

void
printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}
