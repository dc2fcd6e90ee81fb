/* SPDX-License-Identifier: ISC */
/*
 * https://prometheus.io/docs/specs/om/open_metrics_spec/, version 1.0. What each
 * family means is in docs/METRICS.md, and a test compares the two.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/facts.h"
#include "ipc/words.h"

/* @name: without the _total of a counter. @unit: the name's last word, or NULL. */
static void
family(FILE *out, const char *name, const char *type, const char *unit, const char *help)
{
	fprintf(out, "# TYPE sockward_%s %s\n", name, type);
	if (unit)
		fprintf(out, "# UNIT sockward_%s %s\n", name, unit);
	fprintf(out, "# HELP sockward_%s %s\n", name, help);
}

static void
gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
	family(out, name, "gauge", NULL, help);
	fprintf(out, "sockward_%s %" PRIu64 "\n", name, value);
}

static void
counter(FILE *out, const char *name, const char *help, uint64_t value)
{
	family(out, name, "counter", NULL, help);
	fprintf(out, "sockward_%s_total %" PRIu64 "\n", name, value);
}

/* A sample of a counter, or of a gauge, that has one label. */
static void
labelled(FILE *out, const char *name, const char *label, const char *word, uint64_t value)
{
	fprintf(out, "sockward_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, word, value);
}

static void
labelled_ms(FILE *out, const char *name, const char *label, const char *word, uint64_t ms)
{
	fprintf(out, "sockward_%s{%s=\"%s\"} %" PRIu64 ".%03" PRIu64 "\n", name, label, word,
		ms / 1000, ms % 1000);
}

/* Every reason of the list, so that one that comes up later does not begin at 1. */
static void
by_reason(FILE *out, const char *name, const uint64_t counts[IPC_REASONS])
{
	uint64_t unknown = 0;

	for (unsigned int i = 0; i < IPC_REASONS; i++) {
		if (i < REASON_COUNT)
			labelled(out, name, "reason", reason_word(i), counts[i]);
		else
			unknown += counts[i];
	}
	labelled(out, name, "reason", "unknown", unknown);
}

static void
both_parts(FILE *out, const struct facts *facts)
{
	family(out, "up", "gauge", NULL, "Whether the listener, or the auditor, answered.");
	labelled(out, "up", "part", "listener", facts->listener);
	labelled(out, "up", "part", "auditor", facts->auditor);
	if (!facts->listener && !facts->auditor)
		return;
	family(out, "start_time_seconds", "gauge", "seconds",
	       "When it was started, by the clock of the day: its counters began at 0 then.");
	if (facts->listener)
		labelled_ms(out, "start_time_seconds", "part", "listener",
			    facts->status.started_ns / 1000000);
	if (facts->auditor)
		labelled_ms(out, "start_time_seconds", "part", "auditor",
			    facts->metrics.started_ns / 1000000);
}

static void
programs(FILE *out, const struct ipc_ctl_status *status)
{
	const struct {
		const char *name;
		uint8_t up;
		uint64_t for_ms;
	} all[] = {
		{"broker", status->broker_up, status->broker_for_ms},
		{"resolver", status->resolver_up, status->resolver_for_ms},
		{"authenticator", status->authenticator_up, status->authenticator_for_ms},
		{"auditor", status->auditor_up, status->auditor_for_ms},
	};

	family(out, "program_up", "gauge", NULL,
	       "Whether the program is connected, as the listener sees it; 0 also where the "
	       "broker, which knows, is not.");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		labelled(out, "program_up", "program", all[i].name, all[i].up);
	family(out, "program_state_seconds", "gauge", "seconds", "For how long that has been so.");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		labelled_ms(out, "program_state_seconds", "program", all[i].name, all[i].for_ms);
}

/* 0.001, 0.25, 1.0: as short as it gets, with one decimal at least. */
static void
bound_text(uint32_t ms, char out[16])
{
	size_t n = (size_t)snprintf(out, 16, "%" PRIu32 ".%03" PRIu32, ms / 1000, ms % 1000);

	while (out[n - 1] == '0' && out[n - 2] != '.')
		out[--n] = '\0';
}

static void
handshakes(FILE *out, const struct ipc_ctl_status *status)
{
	static const uint32_t bounds[] = {IPC_HANDSHAKE_MS};
	uint64_t count = 0;
	char bound[16];

	family(out, "handshake_seconds", "histogram", "seconds",
	       "From the accept of a connection to the grant of its session.");
	for (size_t i = 0; i < IPC_BUCKETS; i++) {
		if (i < IPC_BUCKETS - 1)
			bound_text(bounds[i], bound);
		else
			strcpy(bound, "+Inf");
		count += status->handshakes[i];
		labelled(out, "handshake_seconds_bucket", "le", bound, count);
	}
	fprintf(out, "sockward_handshake_seconds_count %" PRIu64 "\n", count);
	fprintf(out, "sockward_handshake_seconds_sum %" PRIu64 ".%06" PRIu64 "\n",
		status->handshakes_us / 1000000, status->handshakes_us % 1000000);
}

static void
of_listener(FILE *out, const struct ipc_ctl_status *status)
{
	programs(out, status);
	gauge(out, "draining", "Whether the suite takes no new sessions.", status->draining);
	gauge(out, "policy_generation",
	      "Policies put into force since the broker's start; 0: none.", status->generation);
	family(out, "policy", "info", NULL, "Which policy is in force.");
	fprintf(out, "sockward_policy_info{fingerprint=\"%016" PRIx64 "\"} 1\n", status->policy);
	gauge(out, "sessions_open", "Sessions that are open.", status->sessions);
	gauge(out, "sessions_limit", "Most sessions at once, by the policy.",
	      status->sessions_most);
	counter(out, "sessions_accepted", "Connections that were taken as sessions.",
		status->sessions_total);
	counter(out, "connections_shed", "Connections that were closed at once, for a limit.",
		status->shed_total);
	counter(out, "workers_crashed", "Workers that a signal of their own fault ended.",
		status->workers_crashed);
	handshakes(out, status);
}

static void
streams(FILE *out, const struct ipc_metrics *metrics)
{
	static const char *const kinds[IPC_KINDS] = {
		[IPC_KIND_TCP] = "tcp",         [IPC_KIND_UDP] = "udp",
		[IPC_KIND_TLS] = "tls",         [IPC_KIND_LISTEN] = "listen",
		[IPC_KIND_INBOUND] = "inbound",
	};

	family(out, "streams", "counter", NULL, "Streams that were asked for.");
	for (size_t i = 0; i < IPC_KINDS; i++) {
		fprintf(out,
			"sockward_streams_total{kind=\"%s\",verdict=\"granted\"} %" PRIu64 "\n"
			"sockward_streams_total{kind=\"%s\",verdict=\"refused\"} %" PRIu64 "\n",
			kinds[i], metrics->streams_granted[i], kinds[i],
			metrics->streams_refused[i]);
	}
	family(out, "streams_ended", "counter", NULL, "Streams that ended, by why.");
	by_reason(out, "streams_ended_total", metrics->streams_ended);
	family(out, "lookups", "counter", NULL, "Names whose addresses were asked for alone.");
	labelled(out, "lookups_total", "verdict", "granted", metrics->lookups_answered);
	labelled(out, "lookups_total", "verdict", "refused", metrics->lookups_refused);
	family(out, "requests_refused", "counter", NULL,
	       "Streams and lookups that were refused, by why.");
	by_reason(out, "requests_refused_total", metrics->requests_refused);
	family(out, "stream_bytes", "counter", "bytes",
	       "Bytes of streams that ended, by the kernel's count: to the far end, and from it.");
	labelled(out, "stream_bytes_total", "direction", "up", metrics->bytes_up);
	labelled(out, "stream_bytes_total", "direction", "down", metrics->bytes_down);
	family(out, "claimed_udp_bytes", "counter", "bytes",
	       "Bytes of datagrams, by the workers' word alone.");
	labelled(out, "claimed_udp_bytes_total", "direction", "up", metrics->claimed_udp_up);
	labelled(out, "claimed_udp_bytes_total", "direction", "down", metrics->claimed_udp_down);
}

static void
of_auditor(FILE *out, const struct ipc_metrics *metrics)
{
	counter(out, "sessions_opened", "Sessions that the broker opened.",
		metrics->sessions_opened);
	counter(out, "sessions_authenticated", "Sessions that got their grant.",
		metrics->sessions_authenticated);
	family(out, "sessions_refused", "counter", NULL, "Sessions that got none, by why.");
	by_reason(out, "sessions_refused_total", metrics->sessions_refused);
	family(out, "sessions_ended", "counter", NULL, "Sessions that ended, by why.");
	by_reason(out, "sessions_ended_total", metrics->sessions_ended);
	streams(out, metrics);
	counter(out, "audit_records", "Lines that were written to the audit file.",
		metrics->records);
	counter(out, "audit_scans", "Records that tell of a scan.", metrics->scans);
	counter(out, "audit_journal_lost", "Records that the journal did not take.",
		metrics->journal_lost);
	gauge(out, "audit_writable", "Whether the audit file could be written, when it last was.",
	      !metrics->failing_ms);
}

void
facts_text(FILE *out, const struct facts *facts)
{
	both_parts(out, facts);
	if (facts->listener)
		of_listener(out, &facts->status);
	if (facts->auditor)
		of_auditor(out, &facts->metrics);
	fputs("# EOF\n", out);
}
