/* SPDX-License-Identifier: ISC */
/*
 * Runs kept inputs as replay.c does, over and over: each time another allocation of the
 * session fails, and once more with all that follow it. It must come to its end all the
 * same. For fuzz_ws; malloc(3) and its like are this program's own, for libraries too.
 *
 * json-c is left out, which ends in a crash: json_read() makes sure before of what it needs.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "tests/fuzz/check.h"
#include "worker/json.h"

#define INPUT_MOST (1 << 20)
#define MOST       40 /* allocations that fail, one after the other */

struct session;

/* Of the session's thread alone. */
static _Thread_local bool counting;
static _Thread_local unsigned int made;
static unsigned int fails; /* the number of the one that does */
static bool all;           /* and those behind it */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *old, size_t n);
int __real_session_run(struct session *s, int channel);
int __wrap_session_run(struct session *s, int channel);
enum json_result __real_json_read(const char *text, size_t length, size_t most,
				  struct json_object **out);
enum json_result __wrap_json_read(const char *text, size_t length, size_t most,
				  struct json_object **out);

static bool
no_memory(void)
{
	if (!counting)
		return false;
	made++;
	if (made != fails && !(all && made > fails))
		return false;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t n)
{
	return no_memory() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t count, size_t n)
{
	return no_memory() ? NULL : __libc_calloc(count, n);
}

void *
realloc(void *old, size_t n)
{
	return no_memory() ? NULL : __libc_realloc(old, n);
}

int
__wrap_session_run(struct session *s, int channel)
{
	int status;

	made = 0;
	counting = true;
	status = __real_session_run(s, channel);
	counting = false;
	return status;
}

enum json_result
__wrap_json_read(const char *text, size_t length, size_t most, struct json_object **out)
{
	enum json_result result;

	if (no_memory())
		return JSON_NO_MEMORY;
	counting = false;
	result = __real_json_read(text, length, most, out);
	counting = true;
	return result;
}

/* Returns whether there was an allocation of that number. */
static bool
run(const uint8_t *data, size_t size)
{
	return LLVMFuzzerTestOneInput(data, size) == 0 && made >= fails;
}

static void
run_all(const uint8_t *data, size_t size)
{
	for (fails = 1; fails <= MOST; fails++) {
		all = false;
		if (!run(data, size))
			return;
		all = true;
		(void)run(data, size);
	}
}

/* Returns 0, or -1 when the file cannot be read. */
static int
run_file(const char *path)
{
	static uint8_t data[INPUT_MOST];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file)
		return -1;
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	run_all(data, size);
	return 0;
}

int
main(void)
{
	const char *source = getenv("SOCKWARD_SOURCE");
	char directory[PATH_MAX / 2];
	struct dirent *entry;
	unsigned int n = 0;
	int failed = 0;
	DIR *dir;

	snprintf(directory, sizeof(directory), "%s/tests/fuzz/corpus/ws", source ? source : ".");
	dir = opendir(directory);
	if (!dir) {
		fprintf(stderr, "%s: %s\n", directory, strerror(errno));
		return 1;
	}
	while ((entry = readdir(dir))) {
		char path[PATH_MAX];
		int bad;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		bad = run_file(path) != 0;
		failed += bad;
		printf("%sok %u - %s\n", bad ? "not " : "", ++n, entry->d_name);
		fflush(stdout);
	}
	closedir(dir);
	printf("1..%u\n", n);
	return failed || !n;
}
