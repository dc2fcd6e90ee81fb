/* SPDX-License-Identifier: ISC */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/tunnel.h"

/* What goes into a header must not end it. */
static bool
fits_header(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static int
options(int argc, char **argv, struct ws_request *request)
{
	static const struct option all[] = {
		{"token", required_argument, NULL, 't'},
		{"origin", required_argument, NULL, 'o'},
		{NULL, 0, NULL, 0},
	};
	const char *wrong;
	int c;

	*request = (struct ws_request){.token = getenv("SOCKWARD_TOKEN")};
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", all, NULL)) != -1) {
		if (c == 't')
			request->token = optarg;
		else if (c == 'o')
			request->origin = optarg;
		else
			return usage_option(argv, c);
	}
	if (argc - optind != 1)
		return usage_error("connect", "one URL is needed, such as "
					      "ws://127.0.0.1:8086/raw/example.com/80");
	if (request->origin && !fits_header(request->origin))
		return usage_error("connect", "--origin holds a character that no origin has");
	wrong = parse_ws_url(argv[optind], &request->url);
	if (wrong)
		return usage_error("connect", "%s", wrong);
	return STATUS_OK;
}

int
cmd_connect(int argc, char **argv)
{
	struct ws_request request;
	struct ws_start *start;
	char why[256];
	int result = options(argc, argv, &request);

	if (result != STATUS_OK)
		return result;
	start = calloc(1, sizeof(*start));
	if (!start)
		return failed("connect", "not enough memory");
	signal(SIGPIPE, SIG_IGN);
	if (handshake(&request, start, why, sizeof(why)) < 0) {
		result = failed("connect", "%s", why);
		goto out;
	}
	if (tunnel_run(start, why, sizeof(why)) < 0)
		result = failed("connect", "%s", why);
	close(start->fd);
out:
	free(start);
	return result;
}
