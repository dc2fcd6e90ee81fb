/* SPDX-License-Identifier: ISC */
#include "policy/explain.h"

#include <arpa/inet.h>
#include <string.h>

#include "policy/special.h"
#include "policy/text.h"

static const struct protocol_word {
	const char *word;
	uint8_t bit;
} protocol_words[] = {
	{"tcp", PROTOCOL_TCP},       {"udp", PROTOCOL_UDP},         {"tls", PROTOCOL_TLS},
	{"listen", PROTOCOL_LISTEN}, {"inbound", PROTOCOL_INBOUND},
};

#define PROTOCOL_WORDS (sizeof(protocol_words) / sizeof(protocol_words[0]))

static const char *
protocol_word(uint8_t protocol)
{
	size_t i = 0;

	while (i < PROTOCOL_WORDS - 1 && protocol_words[i].bit != protocol)
		i++;
	return protocol_words[i].word;
}

static uint8_t
protocol_bit(const char *word)
{
	for (size_t i = 0; i < PROTOCOL_WORDS; i++) {
		if (strcmp(protocol_words[i].word, word) == 0)
			return protocol_words[i].bit;
	}
	return 0;
}

/* The host of "HOST:PORT", without its brackets. */
static const char *
split(const char *text, char host[IPC_HOST], const char **port)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	bool brackets = text[0] == '[';

	if (n == 0 || n >= IPC_HOST)
		return "write HOST:PORT, or HOST:PORT/PROTOCOL";
	if (brackets && (n < 3 || text[n - 1] != ']'))
		return "an IPv6 address stands in brackets, as [::1]:443";
	if (!brackets && memchr(text, ':', n))
		return "an IPv6 address stands in brackets, as [::1]:443";
	memset(host, 0, IPC_HOST);
	memcpy(host, text + brackets, n - 2 * brackets);
	*port = colon + 1;
	return NULL;
}

const char *
destination_read(const char *text, struct destination *out)
{
	struct destination found = {.protocol = PROTOCOL_TCP};
	char hint[HINT_SIZE];
	const char *port, *slash, *wrong;
	uint32_t number;
	int kind;

	wrong = split(text, found.text, &port);
	if (wrong)
		return wrong;
	slash = strchr(port, '/');
	if (slash)
		found.protocol = protocol_bit(slash + 1);
	if (found.protocol == 0)
		return "the protocol is tcp, udp, tls, listen or inbound";
	if (!text_number(port, slash ? (size_t)(slash - port) : strlen(port), UINT16_MAX, &number))
		return "the port is 0 to 65535";
	/* What is neither a name nor an address is judged as such. */
	if (text_host(found.text, &kind, found.name, &found.addr, hint))
		kind = HOST_INVALID;
	if (text[0] == '[' && (kind != HOST_ADDRESS || found.addr.family != 6))
		return "in brackets stands an IPv6 address";
	found.port = (uint16_t)number;
	if (kind == HOST_ADDRESS)
		found.addr.port = found.port;
	*out = found;
	return NULL;
}

const char *
destination_resolved(const char *text, struct destination *out)
{
	struct ipc_addr addr;
	char name[IPC_HOST];

	if (out->addr.family != 0)
		return "the destination is an address already";
	if (strlen(text) >= IPC_HOST || policy_host(text, name, &addr) != HOST_ADDRESS)
		return "this is no address";
	addr.port = out->port;
	out->addr = addr;
	return NULL;
}

void
explain_judge(const struct policy *policy, uint32_t grant, const struct destination *to,
	      struct policy_verdict *verdict)
{
	struct policy_question question = {
		.name = to->name[0] ? to->name : NULL,
		.addr = to->addr.family ? &to->addr : NULL,
		.port = to->port,
		.protocol = to->protocol,
	};

	policy_judge(policy, grant, &question, verdict);
}

static const struct special_block *
block_of(const struct destination *to)
{
	return special_find(to->addr.family, to->addr.ip, to->addr.family == 4 ? 32 : 128);
}

static void
print_special(const struct destination *to, FILE *out)
{
	static const char *const opens[] = {
		[BLOCK_PRIVATE] = "Only a rule for a range inside that block opens it, or a rule "
				  "for the name with \"private\": true.",
		[BLOCK_LOCAL] = "Only a rule for a range inside that block opens it, or a rule for "
				"one whole name with \"private\": true.",
		[BLOCK_SPECIAL] = "Only a rule for a range inside that block opens it.",
		[BLOCK_METADATA] = "Only a rule for this very address opens it.",
		[BLOCK_NEVER] = "Nothing opens that block.",
	};
	const struct special_block *block = block_of(to);

	if (block)
		fprintf(out, "The address lies in the special-purpose block `%s'. %s\n",
			block->name, opens[block->class]);
}

static void
print_no_rule(const struct destination *to, FILE *out)
{
	if (to->name[0] && special_name(to->name))
		fprintf(out,
			"No allow rule names it, and names of the inner network (`%s' is one) "
			"match no other rule.\n",
			to->name);
	else
		fprintf(out, "No allow rule has this host, port and protocol; what is not allowed "
			     "is denied.\n");
}

static void
print_allowed(const struct destination *to, const struct policy_verdict *verdict, FILE *out)
{
	const struct special_block *block = to->addr.family ? block_of(to) : NULL;

	if (to->addr.family == 0) {
		fprintf(out, "So far: its addresses are judged when they are known. Give one with "
			     "--resolved.\n");
		return;
	}
	if (block)
		fprintf(out, "The rule opens the special-purpose block `%s' for it.\n",
			block->name);
	if (!verdict->named)
		fprintf(out, "The broker will still refuse it if it is an address of the server "
			     "itself: only a rule for the very address opens those, or one for a "
			     "whole name with \"private\": true.\n");
}

static void
print_head(const struct policy *policy, uint32_t grant, const struct destination *to,
	   const struct policy_verdict *verdict, FILE *out)
{
	char ip[INET6_ADDRSTRLEN] = "";
	bool six = !to->name[0] && to->addr.family == 6;

	if (to->addr.family)
		(void)inet_ntop(to->addr.family == 4 ? AF_INET : AF_INET6, to->addr.ip, ip,
				sizeof(ip));
	fprintf(out, "%s: %s%s%s:%u/%s", verdict->reason == REASON_NONE ? "allowed" : "denied",
		six ? "[" : "",
		to->name[0] ? to->name
		: ip[0]     ? ip
			    : to->text,
		six ? "]" : "", to->port, protocol_word(to->protocol));
	if (to->name[0] && to->addr.family)
		fprintf(out, " at %s", ip);
	fprintf(out, " for the grant `%s'\n", policy->grants[grant].name);
}

void
explain_print(const struct policy *policy, uint32_t grant, const struct destination *to,
	      const struct policy_verdict *verdict, const char *file, FILE *out)
{
	print_head(policy, grant, to, verdict, out);
	fprintf(out, "reason: %s\n", reason_word(verdict->reason));
	if (verdict->rule != IMAGE_NONE) {
		const struct image_rule *rule = &policy->rules[verdict->rule];

		fprintf(out, "rule: %s:%u: %s\n", file, rule->line, rule->text);
	}
	if (verdict->reason == REASON_SPECIAL_ADDRESS)
		fprintf(out, "block: %s\n", verdict->text);
	switch (verdict->reason) {
	case REASON_NONE:
		print_allowed(to, verdict, out);
		break;
	case REASON_RULE_DENIES:
		fprintf(out, "This deny rule matches. Deny wins, always.\n");
		break;
	case REASON_NAME_INVALID:
		fprintf(out, "The host is neither a name nor an address. Addresses have no short, "
			     "octal or hexadecimal forms here.\n");
		break;
	case REASON_SPECIAL_ADDRESS:
		print_special(to, out);
		break;
	case REASON_PORT_CLOSED:
		fprintf(out, to->port == 0 ? "Nothing listens on port 0.\n"
					   : "This port is closed unless a rule names it alone; "
					     "a range of ports does not.\n");
		break;
	default:
		print_no_rule(to, out);
		break;
	}
}
