/* SPDX-License-Identifier: ISC */
/* What comes to the metrics page, by one connection. */
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "cli/http.h"
#include "tests/fuzz/check.h"

/* What it takes to be answered with the page, said a second time. */
static void
check_page(const char *head, size_t n, bool body)
{
	const char *line = body ? "GET /metrics HTTP/1." : "HEAD /metrics HTTP/1.";

	CHECK(n > strlen(line) + 3 && memcmp(head, line, strlen(line)) == 0);
	CHECK(head[strlen(line)] == '0' || head[strlen(line)] == '1');
	CHECK(memcmp(head + strlen(line) + 1, "\r\n", 2) == 0);
	CHECK(!memchr(head, '\0', n));
	for (size_t i = 0; i < n; i++) {
		CHECK((head[i] == '\r') == (i + 1 < n && head[i + 1] == '\n'));
		/* No line begins with a blank. */
		CHECK(i < 2 || head[i - 2] != '\r' || (head[i] != ' ' && head[i] != '\t'));
		CHECK(n - i < 19 || strncasecmp(head + i, "\nTransfer-Encoding:", 19) != 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	ssize_t n = http_head(bytes, size);
	bool body = true;
	int status;

	CHECK(n <= (ssize_t)size);
	/* Byte by byte it comes to the same. */
	for (size_t i = 0; i < size && i < HTTP_HEAD; i++) {
		ssize_t part = http_head(bytes, i);

		CHECK(part == 0 || part == n);
	}
	if (n <= 0)
		return 0;
	CHECK(n >= 4 && memcmp(bytes + n - 4, "\r\n\r\n", 4) == 0);
	status = http_judge(bytes, (size_t)n, size & 1, &body);
	CHECK(status == 200 || status == 400 || status == 404 || status == 405 || status == 421 ||
	      status == 505);
	if (status == 200)
		check_page(bytes, (size_t)n, body);
	return 0;
}
