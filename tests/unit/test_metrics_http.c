/* SPDX-License-Identifier: ISC */
/* The one HTTP request that `sockward metrics --http` answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/http.h"

#define REST " HTTP/1.1\r\nHost: x\r\n\r\n"

static const struct {
	const char *head;
	int status;
} requests[] = {
	{"GET /metrics" REST, 200},
	{"HEAD /metrics" REST, 200},
	{"GET /metrics HTTP/1.0\r\n\r\n", 200},
	{"GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n", 200},
	{"GET /metrics HTTP/1.1\r\nHOST:\r\n\r\n", 200},
	{"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length:\t0 \r\n\r\n", 200},
	{"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 00\r\n\r\n", 400},
	{"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n", 400},
	{"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n", 400},
	{"GET /metrics HTTP/1.1\r\nHost: x\r\ntransfer-encoding: identity\r\n\r\n", 400},
	{"GET /metrics HTTP/1.1\r\n\r\n", 400},
	{"GET /metrics HTTP/1.0\r\nHost: x\r\nhost: x\r\n\r\n", 400},
	{"GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n", 400},
	{"GET /metrics HTTP/1.1\r\n Host: x\r\n\r\n", 400},
	{"GET /metrics HTTP/1.1\r\nHost: x\r\nA\r\n\r\n", 400},
	{"GET /metrics HTTP/1.1\r\nHost: x\x7f\r\n\r\n", 400},
	{"GET\t/metrics" REST, 400},
	{"G(T /metrics" REST, 400},
	{" /metrics" REST, 400},
	{"GET " REST, 400},
	{"GET /metrics HTTP/1.1 \r\nHost: x\r\n\r\n", 400},
	{"GET /metrics HTTP/11\r\nHost: x\r\n\r\n", 400},
	{"GET /metrics HTTP/1.2\r\nHost: x\r\n\r\n", 505},
	{"GET /metrics HTTP/9.9\r\nHost: x\r\n\r\n", 505},
	{"GET /metric" REST, 404},
	{"GET /metricsx" REST, 404},
	{"GET /Metrics" REST, 404},
	{"HEAD /" REST, 404},
	{"PUT /metrics" REST, 405},
	{"GETT /metrics" REST, 405},
};

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const char *head = requests[i].head;
		bool body = false;

		assert_int_equal(http_head(head, strlen(head)), strlen(head));
		assert_int_equal(http_judge(head, strlen(head), false, &body), requests[i].status);
		if (requests[i].status == 200 || requests[i].status == 404)
			assert_int_equal(body, head[0] != 'H');
	}
}

/* A page's own name that leads to loopback. */
static void
hosts_on_loopback(void **state)
{
	static const struct {
		const char *host;
		int status;
	} hosts[] = {
		{"127.0.0.1", 200},
		{"127.0.0.1:9086", 200},
		{"[::1]:9086", 200},
		{"[::1]", 200},
		{"LocalHost:9086", 200},
		{"localhost", 200},
		{"", 200},
		{"evil.example", 421},
		{"evil.example:9086", 421},
		{"127.0.0.1.evil", 421},
		{"localhost.evil:9086", 421},
		{"1.evil:1", 421},
		{"local", 421},
		{"localhosts", 421},
		{"evil:[::1]", 421},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		char head[128];
		int n = snprintf(head, sizeof(head), "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n",
				 hosts[i].host);
		bool body;

		assert_int_equal(http_judge(head, (size_t)n, true, &body), hosts[i].status);
		assert_int_equal(http_judge(head, (size_t)n, false, &body), 200);
	}
	assert_int_equal(http_judge("GET /metrics HTTP/1.0\r\n\r\n", 25, true, &(bool){false}),
			 200);
}

static void
ends_of_heads(void **state)
{
	(void)state;
	assert_int_equal(http_head("", 0), 0);
	assert_int_equal(http_head("a\r\n\r", 4), 0);
	assert_int_equal(http_head("a\r\n\r\nmore", 9), 5);
	assert_int_equal(http_head("\r\n\r\n", 4), 4);
	assert_int_equal(http_head("\r\n", 2), 0);
	assert_int_equal(http_head("\n", 1), -1);
	assert_int_equal(http_head("a\r\n\n", 4), -1);
	assert_int_equal(http_head("a\n\r\n", 4), -1);
}

static char *
page(void *context, size_t *length)
{
	if (!context)
		return NULL;
	*length = strlen(context);
	return strdup(context);
}

/* What is answered to these bytes, after which nothing more comes. */
static int
serve(const char *bytes, void *context, char *answer, size_t size)
{
	int pair[2];
	ssize_t n;
	int status;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[1], bytes, strlen(bytes)), strlen(bytes));
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	status = http_serve(pair[0], pair[0], page, context, "text/x-test");
	close(pair[0]);
	n = recv(pair[1], answer, size - 1, MSG_WAITALL);
	assert_true(n >= 0);
	answer[n] = '\0';
	close(pair[1]);
	return status;
}

static void
answers(void **state)
{
	char text[] = "the page\n";
	char answer[4096];

	(void)state;
	assert_int_equal(serve("GET /metrics" REST, text, answer, sizeof(answer)), 200);
	assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
	assert_non_null(strstr(answer, "\r\nContent-Type: text/x-test\r\n"));
	assert_non_null(strstr(answer, "\r\nContent-Length: 9\r\n"));
	assert_string_equal(strstr(answer, "\r\n\r\n") + 4, "the page\n");
	assert_int_equal(serve("HEAD /metrics" REST, text, answer, sizeof(answer)), 200);
	assert_non_null(strstr(answer, "\r\nContent-Length: 9\r\n"));
	assert_string_equal(strstr(answer, "\r\n\r\n") + 4, "");
	assert_int_equal(serve("GET /" REST, text, answer, sizeof(answer)), 404);
	assert_null(strstr(answer, "the page"));
	assert_int_equal(serve("GET /metrics" REST, NULL, answer, sizeof(answer)), 500);
	assert_int_equal(serve("GET /metr", text, answer, sizeof(answer)), 400);
	assert_int_equal(serve("", text, answer, sizeof(answer)), 0);
	assert_string_equal(answer, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(hosts_on_loopback),
		cmocka_unit_test(ends_of_heads),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
