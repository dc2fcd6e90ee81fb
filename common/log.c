/* SPDX-License-Identifier: ISC */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PUT(priority, error)                        \
	do {                                        \
		va_list args;                       \
		va_start(args, format);             \
		put(priority, error, format, args); \
		va_end(args);                       \
	} while (0)

/* @priority: as sd-daemon(3), for the journal. @error: of errno(3), or 0. */
static void
put(const char *priority, int error, const char *format, va_list args)
{
	char text[1000], line[1280];
	int n, saved = errno;

	(void)vsnprintf(text, sizeof(text), format, args);
	n = snprintf(line, sizeof(line), "%s%.64s: %s%s%.128s\n",
		     getenv("JOURNAL_STREAM") ? priority : "", program_invocation_short_name, text,
		     error ? ": " : "", error ? strerror(error) : "");
	/* The journal's stream is a socket, and may hang: do not wait for it. */
	if (send(STDERR_FILENO, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno == ENOTSOCK)
		(void)!write(STDERR_FILENO, line, (size_t)n);
	errno = saved;
}

void
log_note(const char *format, ...)
{
	PUT("<6>", 0);
}

int
fail(const char *format, ...)
{
	PUT("<3>", errno);
	return -1;
}

noreturn void
fail_start(const char *format, ...)
{
	PUT("<3>", errno);
	exit(1);
}

noreturn void
bug(const char *format, ...)
{
	PUT("<2>", 0);
	abort();
}
