/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/control.h"
#include "cli/facts.h"
#include "cli/http.h"
#include "cli/which.h"
#include "common/fds.h"

#define ANSWER_MS    2000  /* for each of the two that are asked */
#define IDLE_MS      60000 /* without a connection it ends: the socket unit starts it again */
#define AT_ONCE_MOST 8     /* connections that are served at once */

#define MEDIA_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

static char *
make_page(void *context, size_t *length)
{
	struct facts facts;
	char *text = NULL;
	FILE *out = open_memstream(&text, length);
	bool whole;

	if (!out)
		return NULL;
	facts_ask(context, &facts, ANSWER_MS);
	facts_text(out, &facts);
	whole = !ferror(out);
	if (fclose(out) == 0 && whole)
		return text;
	free(text);
	return NULL;
}

/* A process for each: one that is slow holds up no other. */
static int
serve_each(char *dir)
{
	struct pollfd door = {STDIN_FILENO, POLLIN, 0};
	unsigned int running = 0;

	while (poll(&door, 1, IDLE_MS) > 0 || errno == EINTR) {
		int fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_CLOEXEC);
		pid_t pid;

		while (running && waitpid(-1, NULL, running < AT_ONCE_MOST ? WNOHANG : 0) > 0)
			running--;
		if (fd < 0)
			continue;
		pid = fork();
		if (pid == 0) {
			(void)http_serve(fd, fd, make_page, dir, MEDIA_TYPE);
			_exit(0);
		}
		running += pid > 0;
		close(fd);
		errno = 0;
	}
	return STATUS_OK;
}

static int
serve(char *dir)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (fds_is_socket(STDIN_FILENO, 0, SOCK_STREAM, true))
		return serve_each(dir);
	/* What a client does wrong is no failure of ours. */
	(void)http_serve(STDIN_FILENO, STDOUT_FILENO, make_page, dir, MEDIA_TYPE);
	return STATUS_OK;
}

static int
print(const char *dir)
{
	struct facts facts;

	facts_ask(dir, &facts, ANSWER_MS);
	facts_text(stdout, &facts);
	if (fflush(stdout) != 0 || ferror(stdout))
		return failed("metrics", "cannot write: %s", strerror(errno));
	return facts.listener || facts.auditor ? STATUS_OK : STATUS_FAILED;
}

int
cmd_metrics(int argc, char **argv)
{
	static const struct option options[] = {
		{"runtime-dir", required_argument, NULL, 'r'},
		{"tenant", required_argument, NULL, 't'},
		{"http", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct which which = {0};
	char dir[CONTROL_DIR];
	bool http = false;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (c == ':' || c == '?')
			return usage_option(argv, c);
		if (c == 'r')
			which.dir = optarg;
		else if (c == 't')
			which.tenant = optarg;
		else
			http = true;
	}
	if (optind != argc)
		return usage_error("metrics", "'%s' is too much", argv[argc - 1]);
	if (which.dir && which.tenant)
		return usage_error("metrics", "--runtime-dir or --tenant, not both");
	/* What it serves must not depend on which suites happen to run. */
	if (http && !which_named(&which))
		return usage_error("metrics", "--http needs --runtime-dir or --tenant");
	if (which_suite(&which, dir) < 0)
		return STATUS_FAILED;
	return http ? serve(dir) : print(dir);
}
