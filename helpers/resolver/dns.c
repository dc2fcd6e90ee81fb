/* SPDX-License-Identifier: ISC */
#include "helpers/resolver/dns.h"

#define CARES_NO_DEPRECATED /* what version 1.18 has, later ones have too */
#include <ares.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/select.h>

#include "ipc/words.h"

/* A server is asked three times, after 1.5, 3 and 6 s: the deadline comes before its end. */
#define TRY_MS 1500
#define TRIES  3

struct question {
	const char *name;
	struct lookup_result *result;
	bool asked; /* a server, not files alone */
};

static void
add(struct lookup_result *result, const struct ares_addrinfo_node *node)
{
	const struct sockaddr *from = node->ai_addr;
	uint32_t ttl = node->ai_ttl > 0 ? (uint32_t)node->ai_ttl : 0;
	struct ipc_addr addr = {0};

	if (node->ai_family == AF_INET) {
		addr.family = 4;
		memcpy(addr.ip, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	} else if (node->ai_family == AF_INET6) {
		addr.family = 6;
		memcpy(addr.ip, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
	} else {
		return;
	}
	for (uint32_t i = 0; i < result->count; i++) {
		if (memcmp(&result->addrs[i], &addr, sizeof(addr)) == 0)
			return;
	}
	if (result->count == IPC_ADDRESSES)
		return;
	result->addrs[result->count++] = addr;
	if (ttl < result->ttl_s)
		result->ttl_s = ttl;
}

/*
 * c-ares takes any CNAME for the next hop. One list holds the hops of A and then those
 * of AAAA, or the reverse: two chains at most, each of which begins with the name.
 */
static bool
follow(const struct question *question, const struct ares_addrinfo_cname *hop)
{
	const char *last = NULL;
	unsigned int chains = 0, hops = 0;

	for (; hop; hop = hop->next) {
		bool begins = strcasecmp(hop->alias, question->name) == 0;

		if (begins) {
			chains++;
			hops = 0;
		} else if (!last || strcasecmp(hop->alias, last) != 0) {
			return false;
		}
		if (chains > 2 || ++hops > DNS_HOPS_MOST)
			return false;
		last = hop->name;
		if (hop->ttl <= 0)
			question->result->ttl_s = 0;
		else if ((uint32_t)hop->ttl < question->result->ttl_s)
			question->result->ttl_s = (uint32_t)hop->ttl;
	}
	return true;
}

static void
found(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *question = arg;
	struct lookup_result *result = question->result;

	(void)timeouts;
	/* Where no server is to be asked, c-ares ends with the code that it began with. */
	if (status == ARES_ENOTFOUND || status == ARES_ENODATA ||
	    (status == ARES_ECONNREFUSED && !question->asked))
		result->reason = REASON_NAME_UNKNOWN;
	if (status != ARES_SUCCESS)
		return;
	result->ttl_s = UINT32_MAX;
	for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
		add(result, node);
	if (result->count && follow(question, info->cnames))
		result->reason = REASON_NONE;
	if (!question->asked)
		result->ttl_s = DNS_FILE_TTL_S;
	ares_freeaddrinfo(info);
}

static int
asks(ares_socket_t socket, int type, void *arg)
{
	struct question *question = arg;

	(void)socket;
	(void)type;
	question->asked = true;
	return 0;
}

static void
wait_for(ares_channel channel)
{
	struct timeval room;
	fd_set in, out;
	int n;

	for (;;) {
		FD_ZERO(&in);
		FD_ZERO(&out);
		n = ares_fds(channel, &in, &out);
		if (n == 0)
			return;
		/* Interrupted, the sets mean nothing; but no socket of c-ares blocks. */
		(void)select(n, &in, &out, NULL, ares_timeout(channel, NULL, &room));
		ares_process(channel, &in, &out);
	}
}

static bool
below_localhost(const char *name)
{
	static const char tail[] = ".localhost";
	size_t n = strlen(name);

	return n >= sizeof(tail) && strcmp(name + n - (sizeof(tail) - 1), tail) == 0;
}

void
dns_look_up(const char *name, struct lookup_result *result)
{
	const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
						  .ai_socktype = SOCK_STREAM};
	struct question question = {name, result, false};
	char files[] = "f";
	/* No domain to search: ARES_FLAG_NOSEARCH alone does not say so to ares_getaddrinfo(). */
	struct ares_options options = {.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
				       .timeout = TRY_MS,
				       .tries = TRIES,
				       .lookups = files};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
		   ARES_OPT_DOMAINS | ARES_OPT_NOROTATE;
	ares_channel channel;

	*result = (struct lookup_result){.reason = REASON_NAME_FAILED};
	if (below_localhost(name))
		mask |= ARES_OPT_LOOKUPS;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return;
	if (ares_init_options(&channel, &options, mask) == ARES_SUCCESS) {
		ares_set_socket_configure_callback(channel, asks, &question);
		ares_getaddrinfo(channel, name, NULL, &hints, found, &question);
		wait_for(channel);
		ares_destroy(channel);
	}
	ares_library_cleanup();
}
