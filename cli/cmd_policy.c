/* SPDX-License-Identifier: ISC */
#include "cli/cmd_policy.h"
#include "cli/policy_files.h"
#include "cli/which.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/compile.h"
#include "policy/explain.h"
#include "policy/import.h"
#include "policy/json.h"
#include "policy/read.h"
#include "policy/units.h"

enum exit_status {
	EXIT_GOOD = 0,
	EXIT_BAD = 1,
	EXIT_USAGE = 2,
};

static const char usage[] =
	"usage: sockward policy check FILE\n"
	"       sockward policy compile FILE -o IMAGE\n"
	"       sockward policy explain --grant GRANT --to HOST:PORT[/PROTOCOL]\n"
	"                               [--resolved ADDRESS] FILE\n"
	"       sockward policy import --from wasmnet|webnetstack FILE\n"
	"       sockward policy stage FILE -o DIRECTORY\n"
	"       sockward policy units TENANT|FILE\n"
	"\n"
	"  check     tell what is wrong with a policy, with file, line and column\n"
	"  compile   make the image that the broker loads\n"
	"  explain   tell which rule decides about a destination, and why;\n"
	"            exit status 0: allowed, 1: denied, 2: neither\n"
	"  import    write a policy made of another program's, and tell what differs\n"
	"  stage     write what a service manager hands to the programs: the image, the\n"
	"            policy's text and its keys; nothing changes unless it is sound\n"
	"  units     write the drop-in for the broker's unit: which addresses the kernel lets\n"
	"            it reach, behind the policy; TENANT is /etc/sockward/TENANT.json\n"
	"\n"
	"  --grant GRANT         the grant that asks; not needed where there is only one\n"
	"  --to HOST:PORT        a name, 192.0.2.1 or [2001:db8::1]; /tcp, /udp or /tls\n"
	"  --resolved ADDRESS    judge a name as if the DNS gave this address for it\n"
	"  --from wasmnet        what FILE is: the TOML of wasmnet-server\n"
	"  -o, --output IMAGE    a regular file, replaced only by a sound policy's; or -;\n"
	"                        of stage: a directory\n"
	"\n"
	"FILE may be - for standard input. The format is described in sockward-policy(5).\n";

struct options {
	const char *grant;
	const char *to;
	const char *resolved;
	const char *output;
	const char *from;
	const char *file;
};

static int
usage_wrong(const char *text, const char *what)
{
	fprintf(stderr, "sockward policy: %s%s\nTry `sockward policy --help`.\n", text, what);
	return EXIT_USAGE;
}

/* Errors and notes go to standard error. */
static struct policy_source *
load(const char *file)
{
	bool standard = strcmp(file, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	struct report report = {0};
	struct policy_source *source;

	if (fd < 0) {
		fprintf(stderr, "%s: error: it cannot be opened: %s\n", file, strerror(errno));
		return NULL;
	}
	source = policy_read_fd(fd, &report);
	report_print(&report, standard ? "standard input" : file, stderr);
	if (!standard)
		(void)close(fd);
	return source;
}

/* Read, compiled and opened as the broker does it; the image is to be freed. */
static void *
load_image(const char *file, struct policy *policy, size_t *size)
{
	struct policy_source *source = load(file);
	const char *wrong;
	void *image = NULL;

	if (!source)
		return NULL;
	if (policy_compile(source, &image, size) < 0) {
		fprintf(stderr, "%s: error: the compiled policy is too large: %s\n", file,
			strerror(errno));
		goto out;
	}
	wrong = image_open(policy, image, *size);
	if (wrong) {
		fprintf(stderr, "%s: error: %s\n", file, wrong);
		free(image);
		image = NULL;
	}
out:
	policy_free(source);
	return image;
}

static int
check(const struct options *options)
{
	struct policy policy;
	size_t size;
	void *image = load_image(options->file, &policy, &size);

	if (!image)
		return EXIT_BAD;
	printf("%s: sound: %u grants, %u rules, %zu bytes compiled, fingerprint %016llx\n",
	       options->file, policy.header->grants, policy.header->rules, size,
	       (unsigned long long)policy.header->limits.fingerprint);
	free(image);
	return EXIT_GOOD;
}

static int
write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

/* Into a new file that then takes the old one's place: never a part of an image. */
static int
write_file(const char *path, const void *bytes, size_t n)
{
	char temporary[4096];
	struct stat old;
	int fd, saved;

	if (strcmp(path, "-") == 0)
		return write_all(STDOUT_FILENO, bytes, n);
	/* Never in the place of a device or a pipe. */
	if (stat(path, &old) == 0 && !S_ISREG(old.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int)sizeof(temporary)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (write_all(fd, bytes, n) < 0 || fchmod(fd, 0644) < 0 || fsync(fd) < 0 ||
	    rename(temporary, path) < 0) {
		saved = errno;
		(void)close(fd);
		(void)unlink(temporary);
		errno = saved;
		return -1;
	}
	(void)close(fd);
	return 0;
}

static int
compile(const struct options *options)
{
	struct policy policy;
	size_t size;
	void *image;
	int status = EXIT_GOOD;

	if (!options->output)
		return usage_wrong("compile needs -o IMAGE", "");
	image = load_image(options->file, &policy, &size);
	if (!image)
		return EXIT_BAD;
	if (write_file(options->output, image, size) < 0) {
		fprintf(stderr, "sockward policy: %s cannot be written: %s\n", options->output,
			strerror(errno));
		status = EXIT_BAD;
	}
	free(image);
	return status;
}

/* The grant that is asked for, or the only one. */
static uint32_t
find_grant(const struct policy *policy, const char *name)
{
	uint32_t grant = name ? policy_grant(policy, name) : IMAGE_NONE;

	if (!name && policy->header->grants == 1)
		return 0;
	if (grant == IMAGE_NONE) {
		fprintf(stderr, "sockward policy: %s%s%s; there are:",
			name ? "there is no grant `" : "--grant is missing", name ? name : "",
			name ? "'" : "");
		for (uint32_t i = 0; i < policy->header->grants; i++)
			fprintf(stderr, " %s", policy->grants[i].name);
		fputc('\n', stderr);
	}
	return grant;
}

static int
explain(const struct options *options)
{
	struct policy policy;
	struct policy_verdict verdict;
	struct destination to;
	const char *wrong;
	uint32_t grant;
	size_t size;
	void *image;

	if (!options->to)
		return usage_wrong("explain needs --to HOST:PORT", "");
	wrong = destination_read(options->to, &to);
	if (wrong)
		return usage_wrong("--to: ", wrong);
	wrong = options->resolved ? destination_resolved(options->resolved, &to) : NULL;
	if (wrong)
		return usage_wrong("--resolved: ", wrong);
	image = load_image(options->file, &policy, &size);
	if (!image)
		return EXIT_USAGE;
	grant = find_grant(&policy, options->grant);
	if (grant != IMAGE_NONE) {
		explain_judge(&policy, grant, &to, &verdict);
		explain_print(&policy, grant, &to, &verdict, options->file, stdout);
	}
	free(image);
	if (grant == IMAGE_NONE)
		return EXIT_USAGE;
	return verdict.reason == REASON_NONE ? EXIT_GOOD : EXIT_BAD;
}

/* One byte more than may be read, so that a longer file shows. */
static char *
read_file(const char *file, size_t *size)
{
	FILE *in = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	char *text = in ? malloc(JSON_SIZE + 1) : NULL;

	*size = text ? fread(text, 1, JSON_SIZE + 1, in) : 0;
	if (!text || ferror(in)) {
		fprintf(stderr, "%s: error: it cannot be read: %s\n", file, strerror(errno));
		free(text);
		text = NULL;
	}
	if (in && in != stdin)
		(void)fclose(in);
	return text;
}

static int
import(const struct options *options)
{
	int status;
	size_t size;
	char *text;
	const char *file;
	bool manifest = options->from && strcmp(options->from, "webnetstack") == 0;

	if (!manifest && (!options->from || strcmp(options->from, "wasmnet") != 0))
		return usage_wrong("import needs --from wasmnet, or --from webnetstack", "");
	text = read_file(options->file, &size);
	if (!text)
		return EXIT_BAD;
	file = strcmp(options->file, "-") ? options->file : "standard input";
	status = manifest ? import_webnetstack(text, size, file, stdout, stderr)
			  : import_wasmnet(text, size, file, stdout, stderr);
	free(text);
	return status < 0 ? EXIT_BAD : EXIT_GOOD;
}

static int
stage(const struct options *options)
{
	if (!options->output)
		return usage_wrong("stage needs -o DIRECTORY", "");
	return policy_files_stage(options->file, options->output) < 0 ? EXIT_BAD : EXIT_GOOD;
}

static void
print_place(const char *tenant)
{
	printf("# Made by `sockward policy units': make it anew when the policy changes.\n"
	       "# Its place: /etc/systemd/system/sockward-broker@%s.service.d/addresses.conf\n"
	       "# Then: systemctl daemon-reload. It holds from then on, for open connections, "
	       "too;\n"
	       "# nothing is restarted.\n",
	       tenant);
}

static int
units(const struct options *options)
{
	char path[WHICH_PATH];
	char tenant[TENANT_SIZE];
	struct policy policy;
	size_t size;
	void *image;

	if (which_policy(options->file, path, tenant) < 0)
		return EXIT_USAGE;
	image = load_image(path, &policy, &size);
	if (!image)
		return EXIT_BAD;
	print_place(tenant[0] ? tenant : "TENANT");
	policy_units(&policy, path, stdout);
	free(image);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_GOOD;
	fprintf(stderr, "sockward policy: standard output: %s\n", strerror(errno));
	return EXIT_BAD;
}

static const struct {
	const char *name;
	int (*run)(const struct options *options);
	const char *letters; /* of the options it takes */
} commands[] = {
	{"check", check, ""},    {"compile", compile, "o"}, {"explain", explain, "gtr"},
	{"import", import, "f"}, {"stage", stage, "o"},     {"units", units, ""},
};

static int
read_options(int argc, char **argv, const char *letters, struct options *options)
{
	static const struct option known[] = {{"grant", required_argument, NULL, 'g'},
					      {"to", required_argument, NULL, 't'},
					      {"resolved", required_argument, NULL, 'r'},
					      {"output", required_argument, NULL, 'o'},
					      {"from", required_argument, NULL, 'f'},
					      {0}};
	int c;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "o:", known, NULL)) != -1) {
		const char **out = c == 'g'   ? &options->grant
				   : c == 't' ? &options->to
				   : c == 'r' ? &options->resolved
				   : c == 'f' ? &options->from
					      : &options->output;

		if (c == '?')
			return usage_wrong("there is no such option, or it lacks its value: ",
					   argv[optind - 1]);
		if (!strchr(letters, c))
			return usage_wrong(argv[0], " does not take this option");
		*out = optarg;
	}
	if (argc - optind != 1)
		return usage_wrong("name one policy file", "");
	options->file = argv[optind];
	return EXIT_GOOD;
}

int
cmd_policy(int argc, char **argv)
{
	struct options options = {0};

	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return EXIT_GOOD;
	}
	for (size_t i = 0; argc >= 2 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		int status;

		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		status = read_options(argc - 1, argv + 1, commands[i].letters, &options);
		return status == EXIT_GOOD ? commands[i].run(&options) : status;
	}
	return usage_wrong(argc < 2 ? "a command is missing" : "there is no command ",
			   argc < 2 ? "" : argv[1]);
}
