/* SPDX-License-Identifier: ISC */
#include "helpers/resolver/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <signal.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/fds.h"
#include "common/log.h"
#include "ipc/words.h"

static void
add(struct lookup_result *result, const struct sockaddr *from)
{
	struct ipc_addr addr = {0};

	if (from->sa_family == AF_INET) {
		addr.family = 4;
		memcpy(addr.ip, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		addr.family = 6;
		memcpy(addr.ip, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
	} else {
		return;
	}
	for (uint32_t i = 0; i < result->count; i++) {
		if (memcmp(&result->addrs[i], &addr, sizeof(addr)) == 0)
			return;
	}
	if (result->count < IPC_ADDRESSES)
		result->addrs[result->count++] = addr;
}

void
lookup_name(const char *name, struct lookup_result *result)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int error;

	*result = (struct lookup_result){.reason = REASON_NAME_FAILED};
	/*
	 * No search domains. A dot at the name's end would do it too, but the
	 * hosts file knows no such names; and a reload must not bring them back.
	 */
	if (res_init() < 0)
		return;
	_res.options &= ~(unsigned long)(RES_DEFNAMES | RES_DNSRCH);
	_res.options |= RES_NORELOAD;
	error = getaddrinfo(name, NULL, &hints, &list);
	for (const struct addrinfo *one = list; !error && one; one = one->ai_next)
		add(result, one->ai_addr);
	if (!error && result->count)
		result->reason = REASON_NONE;
	else if (!error || error == EAI_NONAME || error == EAI_NODATA || error == EAI_ADDRFAMILY)
		result->reason = REASON_NAME_UNKNOWN;
	if (!error)
		freeaddrinfo(list);
}

void
lookup_prepare(void)
{
	static const char *const variables[] = {"LOCALDOMAIN",
						"RES_OPTIONS",
						"HOSTALIASES",
						"RESOLV_HOST_CONF",
						"RESOLV_MULTI",
						"RESOLV_REORDER",
						"RESOLV_ADD_TRIM_DOMAINS",
						"RESOLV_OVERRIDE_TRIM_DOMAINS"};
	const struct sigaction unwaited = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		(void)unsetenv(variables[i]);
	if (sigaction(SIGCHLD, &unwaited, NULL) < 0)
		fail_start("cannot have children reaped");
}

static noreturn void
look_up(const char *name, unsigned int deadline_ms, int pipe)
{
	const struct itimerval deadline = {
		.it_value = {deadline_ms / 1000, (deadline_ms % 1000) * 1000}};
	const int keep[] = {pipe};
	struct lookup_result result;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setitimer(ITIMER_REAL, &deadline, NULL) < 0)
		_exit(1);
	fds_close_all_but(keep, 1);
	lookup_name(name, &result);
	_exit(write(pipe, &result, sizeof(result)) == (ssize_t)sizeof(result) ? 0 : 1);
}

int
lookup_start(const char *name, unsigned int deadline_ms)
{
	int ends[2];
	pid_t pid;
	int saved;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		look_up(name, deadline_ms, ends[1]);
	saved = errno;
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		errno = saved;
		return -1;
	}
	return ends[0];
}
