/* SPDX-License-Identifier: ISC */
#include "helpers/auditor/record.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "helpers/auditor/writer.h"
#include "ipc/words.h"

/* A jump of one clock against the other by more than this is on record. */
#define STEP_NS 1000000000

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void
record_now(struct ipc_record *record)
{
	record->mono_ns = clock_ns(CLOCK_MONOTONIC);
	record->wall_ns = clock_ns(CLOCK_REALTIME);
}

static void
put_text(struct writer *writer, const char *name, const char *field, size_t size)
{
	size_t length = strnlen(field, size);

	if (length)
		writer_text(writer, name, field, length);
}

static void
put_some(struct writer *writer, const char *name, uint64_t value)
{
	if (value)
		writer_number(writer, name, value);
}

static void
put_ip(struct writer *writer, const char *name, const struct ipc_addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	if (addr->family &&
	    inet_ntop(addr->family == 4 ? AF_INET : AF_INET6, addr->ip, text, sizeof(text)))
		writer_word(writer, name, text);
}

static void
put_address(struct writer *writer, const char *name, const struct ipc_addr *addr)
{
	char port[24];

	(void)snprintf(port, sizeof(port), "%s_port", name);
	put_ip(writer, name, addr);
	if (addr->family || addr->port)
		writer_number(writer, port, addr->port);
}

/* Both clocks run alike but when one is set, or when the machine slept. */
static void
put_clock(struct writer *writer, struct trail *trail, const struct ipc_record *record)
{
	int64_t now = (int64_t)(record->wall_ns - record->mono_ns);
	int64_t step = now - trail->clock_ns;

	if (trail->timed && (step > STEP_NS || step < -STEP_NS))
		writer_signed(writer, "clock_step_ms", step / 1000000);
	trail->clock_ns = now;
	trail->timed = true;
}

static void
put_start(struct writer *writer, struct trail *trail, const struct ipc_record *record,
	  const char *event)
{
	writer_number(writer, "seq", trail->chain.seq + 1);
	writer_word(writer, "boot", trail->boot);
	writer_number(writer, "mono", record->mono_ns);
	writer_time(writer, "time", record->wall_ns);
	put_clock(writer, trail, record);
	if (trail->run)
		writer_hex(writer, "run", trail->run);
	put_some(writer, "n", record->number);
	if (record->session)
		writer_hex(writer, "session", record->session);
	writer_word(writer, "event", event);
}

static size_t
seal(struct writer *writer, struct trail *trail)
{
	writer_word(writer, "prev", trail->chain.hash);
	trail->chain.seq++;
	return chain_seal(writer->text, writer->length, writer->size, trail->chain.hash);
}

static const char *
protocol_word(unsigned int protocol)
{
	switch (protocol) {
	case PROTOCOL_TCP:
		return "tcp";
	case PROTOCOL_UDP:
		return "udp";
	case PROTOCOL_TLS:
		return "tls";
	case PROTOCOL_LISTEN:
		return "listen";
	case PROTOCOL_INBOUND:
		return "inbound";
	default:
		return "unknown";
	}
}

static void
put_asked(struct writer *writer, const struct ipc_record *record)
{
	/* Only requests have a number, or a protocol; else host is the client's header. */
	bool stream = record->stream != 0 || record->protocol != 0;

	if (record->dialect)
		writer_word(writer, "dialect", dialect_word(record->dialect));
	put_some(writer, "stream", record->stream);
	if (record->protocol)
		writer_word(writer, "protocol", protocol_word(record->protocol));
	if (stream && !record->host[0] && record->protocol <= PROTOCOLS)
		put_ip(writer, "host", &record->peer); /* a number was asked for */
	put_text(writer, stream ? "host" : "claimed_host", record->host, sizeof(record->host));
	if (record->has_origin)
		writer_text(writer, "claimed_origin", record->origin,
			    strnlen(record->origin, sizeof(record->origin)));
	if (record->protocol <= PROTOCOLS)
		put_some(writer, "addresses", record->addresses);
	/* What listens has one end, which the broker judged as it judges far ends. */
	if (record->protocol == PROTOCOL_LISTEN)
		put_address(writer, "local", &record->peer);
	else
		put_address(writer, "peer", &record->peer);
	if (record->protocol != PROTOCOL_LISTEN)
		put_address(writer, "local", &record->local);
	put_text(writer, "rule", record->rule, sizeof(record->rule));
}

static void
put_stream_end(struct writer *writer, const struct ipc_record *record)
{
	writer_number(writer, "duration_ms", record->duration_ms);
	/* Of datagrams the kernel keeps no counts, and what listens has none. */
	if (record->protocol != PROTOCOL_UDP && record->protocol != PROTOCOL_LISTEN) {
		writer_number(writer, "bytes_up", record->bytes_up);
		writer_number(writer, "bytes_down", record->bytes_down);
	}
	if (record->claims.claimed_reason)
		writer_word(writer, "claimed_reason", reason_word(record->claims.claimed_reason));
	writer_number(writer, "claimed_up", record->claims.claimed_up);
	writer_number(writer, "claimed_down", record->claims.claimed_down);
	if (record->protocol == PROTOCOL_UDP) {
		writer_number(writer, "claimed_datagrams_up", record->claims.claimed_datagrams_up);
		writer_number(writer, "claimed_datagrams_down",
			      record->claims.claimed_datagrams_down);
		writer_number(writer, "claimed_dropped", record->claims.claimed_dropped);
	}
	put_some(writer, "rtt_us", record->rtt_us);
	put_some(writer, "retransmits", record->retransmits);
}

static void
put_session_end(struct writer *writer, const struct ipc_record *record)
{
	writer_number(writer, "duration_ms", record->duration_ms);
	writer_number(writer, "streams", record->streams);
	writer_number(writer, "bytes_up", record->bytes_up);
	writer_number(writer, "bytes_down", record->bytes_down);
	writer_number(writer, "claimed_up", record->counts.claimed_bytes_in);
	writer_number(writer, "claimed_down", record->counts.claimed_bytes_out);
	writer_number(writer, "claimed_messages_in", record->counts.claimed_messages_in);
	writer_number(writer, "claimed_messages_out", record->counts.claimed_messages_out);
	put_some(writer, "claimed_close", record->counts.claimed_close);
	put_some(writer, "claimed_http", record->counts.claimed_http);
	if (record->end.signal)
		writer_signed(writer, "signal", record->end.signal);
	else if (record->end.exit_code >= 0)
		writer_word(writer, "claimed_exit", worker_exit_word(record->end.exit_code));
	put_some(writer, "cpu_us", record->end.cpu_us);
	put_some(writer, "max_rss_kib", record->end.max_rss_kib);
}

/*
 * Behind a listed proxy: who the client is, as that proxy told the worker, and the worker
 * us. What else a worker says there is ignored.
 */
static void
put_told(struct writer *writer, const struct ipc_record *record)
{
	if (record->client.proxy)
		put_address(writer, "claimed_client",
			    record->told.family ? &record->told : &record->counts.told);
}

/* In which session, by which policy, and who. */
static void
put_whose(struct writer *writer, const struct ipc_record *record)
{
	put_some(writer, "generation", record->generation);
	if (record->policy)
		writer_hex(writer, "policy", record->policy);
	put_address(writer, "client", &record->client);
	put_told(writer, record);
	put_text(writer, "grant", record->grant, sizeof(record->grant));
	put_text(writer, "subject", record->subject, sizeof(record->subject));
}

size_t
record_line(struct trail *trail, const struct ipc_record *record, char out[LINE_MOST])
{
	/* No counts were known to the auditor for a session that it closes itself. */
	bool counted = record->number != 0;
	struct writer writer;

	writer_start(&writer, out, LINE_MOST);
	put_start(&writer, trail, record, event_word(record->event));
	if (record->reason)
		writer_word(&writer, "reason", reason_word(record->reason));
	put_whose(&writer, record);
	put_asked(&writer, record);
	if (record->event == EVENT_STREAM_END)
		put_stream_end(&writer, record);
	if (record->event == EVENT_SESSION_END && counted)
		put_session_end(&writer, record);
	return seal(&writer, trail);
}

size_t
record_scan(struct trail *trail, const struct ipc_record *record, const struct scan_found *found,
	    char out[LINE_MOST])
{
	struct ipc_record ours = *record;
	struct writer writer;

	ours.number = 0;
	writer_start(&writer, out, LINE_MOST);
	put_start(&writer, trail, &ours, "scan");
	put_whose(&writer, &ours);
	if (ours.dialect)
		writer_word(&writer, "dialect", dialect_word(ours.dialect));
	writer_number(&writer, "targets", found->targets);
	writer_number(&writer, "refused", found->refused);
	writer_number(&writer, "window_ms", found->window_ms);
	return seal(&writer, trail);
}

size_t
record_repair(struct trail *trail, const struct repair *repair, char out[LINE_MOST])
{
	struct ipc_record record = {0};
	struct writer writer;
	size_t kept = repair->cut_bytes < RECORD_CUT_MOST ? repair->cut_bytes : RECORD_CUT_MOST;

	record_now(&record);
	writer_start(&writer, out, LINE_MOST);
	put_start(&writer, trail, &record, "repair");
	writer_word(&writer, "reason", repair->reason);
	writer_number(&writer, "line", repair->line);
	if (repair->cut) {
		writer_number(&writer, "cut_bytes", repair->cut_bytes);
		writer_text(&writer, "cut", repair->cut, kept);
	}
	return seal(&writer, trail);
}
