/* SPDX-License-Identifier: ISC */
#include "cli/cmd_audit.h"
#include "cli/which.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helpers/auditor/verify.h"

enum exit_status {
	EXIT_GOOD = 0,
	EXIT_BAD = 1,
	EXIT_USAGE = 2,
};

static const char usage[] =
	"usage: sockward audit show [FILE] [--session ID] [--event EVENT] [--json]\n"
	"       sockward audit verify [FILE] [--last SEQ:HASH]\n"
	"\n"
	"  show      print the records, one a line\n"
	"  verify    prove the chain of hashes; name the first bad record\n"
	"\n"
	"  --tenant NAME     the file of that tenant, /var/log/sockward/NAME/audit.jsonl;\n"
	"                    $SOCKWARD_TENANT where no file is named either\n"
	"  --session ID      only records of that session (16 hex digits)\n"
	"  --event EVENT     only records of that kind, such as refused or scan\n"
	"  --json            the lines as they stand in the file\n"
	"  --last SEQ:HASH   that record must be there with that hash: a record that was\n"
	"                    kept elsewhere, as the journal does (SOCKWARD_SEQ and\n"
	"                    SOCKWARD_HASH), proves that nothing up to it was cut off\n"
	"                    or written anew\n"
	"\n"
	"Exit status: 0 the file is whole, 1 it is not. The format is described in\n"
	"sockward-audit(5).\n";

struct options {
	const char *file;
	const char *tenant;
	char trail[WHICH_PATH];
	const char *session;
	const char *event;
	bool json;
	uint64_t last_seq; /* 0: not given */
	const char *last_hash;
};

/* What the walk over the file gathers. */
struct walk {
	const struct options *options;
	char first_time[40];
	char last_time[40];
	bool last_seen;
	bool last_right;
};

static int
wrong(const char *text, const char *what)
{
	fprintf(stderr, "sockward audit: %s%s\nTry `sockward audit --help`.\n", text, what);
	return EXIT_USAGE;
}

static int
read_last(struct options *options, const char *text)
{
	char *colon;

	errno = 0;
	options->last_seq = strtoull(text, &colon, 10);
	if (errno || *text < '1' || *text > '9' || *colon != ':' ||
	    strspn(colon + 1, "0123456789abcdef") != CHAIN_HEX || colon[1 + CHAIN_HEX])
		return -1;
	options->last_hash = colon + 1;
	return 0;
}

/* Which file: likewise. */
static int
read_file(int n, char **files, struct options *options)
{
	int found;

	if (n > (options->tenant ? 0 : 1))
		return wrong("too much: ", files[n - 1]);
	options->file = n ? files[0] : options->trail;
	if (n)
		return -1;
	found = which_trail(options->tenant, options->trail);
	if (found == 0)
		return wrong("which file? or --tenant NAME", "");
	return found < 0 ? EXIT_USAGE : -1;
}

/* Returns an exit status, or -1 to go on. */
static int
read_options(int argc, char **argv, bool show, struct options *options)
{
	static const struct option all[] = {
		{"session", required_argument, NULL, 's'},
		{"event", required_argument, NULL, 'e'},
		{"json", no_argument, NULL, 'j'},
		{"last", required_argument, NULL, 'l'},
		{"tenant", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, ":", all, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return EXIT_GOOD;
		}
		if (c == 't')
			options->tenant = optarg;
		else if (c == 's' && show)
			options->session = optarg;
		else if (c == 'e' && show)
			options->event = optarg;
		else if (c == 'j' && show)
			options->json = true;
		else if (c == 'l' && !show && read_last(options, optarg) == 0)
			continue;
		else
			return wrong("wrong option or value: ", argv[optind - 1]);
	}
	return read_file(argc - optind, argv + optind, options);
}

static bool
internal(const struct line_member *member)
{
	static const char *const names[] = {"seq", "boot",  "mono", "time",
					    "n",   "event", "prev", "hash"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) == member->name_length &&
		    memcmp(names[i], member->name, member->name_length) == 0)
			return true;
	}
	return false;
}

static void
print_member(const struct line_member *member)
{
	bool plain = member->value_length &&
		     memchr(member->value, ' ', member->value_length) == NULL &&
		     memchr(member->value, '=', member->value_length) == NULL;
	const char *quote = !member->is_text || plain ? "" : "\"";

	printf(" %.*s=%s%.*s%s", (int)member->name_length, member->name, quote,
	       (int)member->value_length, member->value, quote);
}

/* All text in a record is printable ASCII: the parser took nothing else. */
static void
show_line(void *context, const struct line *line, const char *text, size_t length, bool proven)
{
	const struct walk *walk = context;
	const struct options *options = walk->options;
	char time[40];
	char event[32];

	if ((options->session && !line_is(line, "session", options->session)) ||
	    (options->event && !line_is(line, "event", options->event)))
		return;
	if (options->json) {
		printf("%.*s\n", (int)length, text);
		return;
	}
	line_copy(line, "time", time, sizeof(time));
	line_copy(line, "event", event, sizeof(event));
	printf("%" PRIu64 "%s %s %s", line_number(line, "seq"), proven ? "" : "?", time, event);
	for (size_t i = 0; i < line->n; i++) {
		if (!internal(&line->members[i]))
			print_member(&line->members[i]);
	}
	putchar('\n');
}

static void
verify_line(void *context, const struct line *line, const char *text, size_t length, bool proven)
{
	struct walk *walk = context;

	(void)text;
	(void)length;
	if (!proven)
		return;
	line_copy(line, "time", walk->last_time, sizeof(walk->last_time));
	if (!walk->first_time[0])
		memcpy(walk->first_time, walk->last_time, sizeof(walk->first_time));
	if (walk->options->last_seq && line_number(line, "seq") == walk->options->last_seq) {
		walk->last_seen = true;
		walk->last_right = line_is(line, "hash", walk->options->last_hash);
	}
}

static int
print_fault(const char *file, const struct verify_result *result)
{
	fprintf(stderr, "%s: line %" PRIu64 ", record %" PRIu64 ": %s", file, result->line,
		result->seq, verify_sentence(result->fault));
	if (result->found && result->found != result->seq)
		fprintf(stderr, " (record %" PRIu64 " stands there)", result->found);
	fprintf(stderr, "\n%s: %" PRIu64 " records before it are proven\n", file, result->records);
	return EXIT_BAD;
}

static int
print_proof(const struct walk *walk, const struct verify_result *result)
{
	const struct options *options = walk->options;

	if (options->last_seq && !walk->last_right) {
		fprintf(stderr, "%s: record %" PRIu64 ": %s\n", options->file, options->last_seq,
			walk->last_seen ? "its hash is another: the file was written anew"
					: "is not there: the file was truncated");
		return EXIT_BAD;
	}
	printf("%s: %s: %" PRIu64 " records", options->file, verify_sentence(result->fault),
	       result->records);
	if (result->records)
		printf("\n  first  %s\n  last   %s\n  record %" PRIu64 ":%s", walk->first_time,
		       walk->last_time, result->proven.seq, result->proven.hash);
	putchar('\n');
	return EXIT_GOOD;
}

int
cmd_audit(int argc, char **argv)
{
	bool show = argc > 1 && strcmp(argv[1], "show") == 0;
	struct options options = {0};
	struct walk walk = {.options = &options};
	struct verify_result result;
	int status;
	int fd;

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return EXIT_GOOD;
	}
	if (argc < 2 || (!show && strcmp(argv[1], "verify") != 0))
		return wrong("show or verify?", "");
	status = read_options(argc - 1, argv + 1, show, &options);
	if (status >= 0)
		return status;
	fd = open(options.file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || verify_file(fd, show ? show_line : verify_line, &walk, &result) < 0) {
		fprintf(stderr, "sockward audit: %s: %s\n", options.file, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return EXIT_BAD;
	}
	(void)close(fd);
	if (result.fault != VERIFY_FINE)
		status = print_fault(options.file, &result);
	else
		status = show ? EXIT_GOOD : print_proof(&walk, &result);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "sockward audit: standard output: %s\n", strerror(errno));
		return EXIT_BAD;
	}
	return status;
}
