/* SPDX-License-Identifier: ISC */
/*
 * Runs kept inputs through a fuzzer's function, without libFuzzer: those in the
 * directory that is named, or of the corpus that has this program's name
 * (replay_http: tests/fuzz/corpus/http). One TAP line an input.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "tests/fuzz/check.h"

#define INPUT_MOST (1 << 20)

static int
run(const char *directory, const char *name)
{
	/* Of its exact size, so that sanitizers see a read behind the end. */
	uint8_t *data = NULL;
	char path[4096];
	FILE *file;
	long size;
	int result = -1;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	if (!file)
		return -1;
	if (fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || size > INPUT_MOST)
		goto out;
	rewind(file);
	data = malloc((size_t)size + !size);
	if (data && fread(data, 1, (size_t)size, file) == (size_t)size)
		result = LLVMFuzzerTestOneInput(data, (size_t)size);
out:
	free(data);
	fclose(file);
	return result;
}

static void
default_directory(const char *program, char *out, size_t size)
{
	const char *source = getenv("SOCKWARD_SOURCE");
	const char *name = strrchr(program, '_');

	snprintf(out, size, "%s/tests/fuzz/corpus/%s", source ? source : ".",
		 name ? name + 1 : program);
}

int
main(int argc, char **argv)
{
	char directory[2048];
	struct dirent *entry;
	unsigned int n = 0;
	int failed = 0;
	DIR *dir;

	default_directory(argv[0], directory, sizeof(directory));
	if (argc > 1)
		snprintf(directory, sizeof(directory), "%s", argv[1]);
	dir = opendir(directory);
	if (!dir) {
		fprintf(stderr, "%s: %s\n", directory, strerror(errno));
		return 1;
	}
	while ((entry = readdir(dir))) {
		int bad;

		if (entry->d_name[0] == '.')
			continue;
		bad = run(directory, entry->d_name) != 0;
		failed += bad;
		printf("%sok %u - %s\n", bad ? "not " : "", ++n, entry->d_name);
		fflush(stdout);
	}
	closedir(dir);
	printf("1..%u\n", n);
	return failed || !n;
}
