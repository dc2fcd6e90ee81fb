/* SPDX-License-Identifier: ISC */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int
log_put(const char *priority, int error, const char *format, ...)
{
	char text[1000], line[1280];
	int n, saved = errno;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	n = snprintf(line, sizeof(line), "%s%.64s: %s%s%.128s\n",
		     getenv("JOURNAL_STREAM") ? priority : "", program_invocation_short_name, text,
		     error ? ": " : "", error ? strerror(error) : "");
	/* The journal's stream is a socket, and may hang: do not wait for it. */
	if (send(STDERR_FILENO, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno == ENOTSOCK)
		(void)!write(STDERR_FILENO, line, (size_t)n);
	errno = saved;
	return -1;
}
