/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

#include <linux/tcp.h>
#include <netinet/in.h>

#define CHECK_MS   1000 /* of the bytes of a minute */
#define LINGER_MS  100  /* between two looks at what is not acknowledged */
#define LINGER_END 5000

/* States of the kernel's tcp_states.h in which the peer's FIN was taken. */
#define FIN_TAKEN (1U << 6 | 1U << 8 | 1U << 9 | 1U << 11)
#define CLOSED    7

/*
 * tcpi_bytes_acked counts our SYN, if we connected, and our FIN as one byte each,
 * tcpi_bytes_received the peer's FIN. What was sent less what was sent again is
 * payload alone, so that the smaller of both is what was acknowledged. A socket
 * that is closed has taken the peer's FIN when its own was acknowledged.
 */
static struct tcp_info
look(struct stream *stream)
{
	struct account *account = stream->session->account;
	struct ipc_record *record = &stream->record;
	uint64_t seen = record->bytes_up + record->bytes_down, acked, sent;
	struct tcp_info info = {0};
	bool syn = record->protocol != PROTOCOL_INBOUND, taken;

	(void)getsockopt(stream->fd, IPPROTO_TCP, TCP_INFO, &info, &(socklen_t){sizeof(info)});
	if (!info.tcpi_bytes_acked && !info.tcpi_bytes_received)
		return info; /* a reset cleared them: what was read before holds */
	acked = info.tcpi_bytes_acked - (syn && info.tcpi_bytes_acked);
	sent = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
	taken = FIN_TAKEN & 1U << info.tcpi_state || (info.tcpi_state == CLOSED && acked > sent);
	record->bytes_up = acked < sent ? acked : sent;
	record->bytes_down = info.tcpi_bytes_received - (taken && info.tcpi_bytes_received ? 1 : 0);
	account_now(account);
	if (record->bytes_up + record->bytes_down > seen)
		account->bytes += record->bytes_up + record->bytes_down - seen;
	record->rtt_us = info.tcpi_rtt;
	record->retransmits = info.tcpi_total_retrans;
	return info;
}

/*
 * A stream that is broken is reset, with no end before it, which also clears the counts.
 * A datagram socket would hear everybody then: it is left to hear itself alone.
 */
static void
reset(struct stream *stream)
{
	struct sockaddr_storage to = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof(to);

	(void)look(stream);
	if (stream->record.protocol == PROTOCOL_UDP)
		(void)getsockname(stream->fd, (struct sockaddr *)&to, &size);
	(void)connect(stream->fd, (struct sockaddr *)&to, size);
}

void
stream_watch(struct stream *stream)
{
	const struct image_grant *grant = stream->session->grant;
	const struct ipc_record *now = &stream->record;
	/* Of datagrams the kernel counts nothing: their worker ends what is idle. */
	uint64_t idle = now->protocol == PROTOCOL_UDP ? 0 : broker.now - stream->since_ms;
	struct epoll_event event = {EPOLLIN | EPOLLONESHOT, {&stream->attempts[0].peer}};
	struct tcp_info info = look(stream);

	if (stream->fd < 0)
		(void)epoll_ctl(broker.epoll, EPOLL_CTL_MOD, stream->attempts[0].peer.fd, &event);
	if (stream->fd < 0 || !grant)
		return; /* what listens is heard again; a session without a grant is ending */
	if (now->bytes_up && info.tcpi_last_data_sent < idle)
		idle = info.tcpi_last_data_sent;
	if (now->bytes_down && info.tcpi_last_data_recv < idle)
		idle = info.tcpi_last_data_recv;
	if (grant->terms.bytes_per_minute &&
	    stream->session->account->bytes > grant->terms.bytes_per_minute)
		stream_cut(stream, REASON_BYTES_LIMIT, true);
	else if (grant->terms.idle_timeout_ms && idle >= grant->terms.idle_timeout_ms)
		stream_cut(stream, REASON_IDLE, false);
	else if (grant->terms.bytes_per_minute)
		stream->due = broker.now + CHECK_MS;
	else if (grant->terms.idle_timeout_ms)
		stream->due = broker.now + grant->terms.idle_timeout_ms - idle;
}

/* It is free when all is acknowledged, or soon. */
static void
shut(struct stream *stream, enum reason reason, bool abort)
{
	if (abort)
		reset(stream);
	(void)shutdown(stream->fd, SHUT_RDWR);
	stream->state = STREAM_ENDING;
	stream->reason = reason;
	stream->since_ms = stream->due = broker.now;
}

void
stream_cut(struct stream *stream, enum reason reason, bool abort)
{
	struct ipc_cut cut = {{MSG_CUT}, stream->record.stream, reason};

	if (stream->state == STREAM_LIVE)
		stream->due = broker.now;
	if (stream->state != STREAM_LIVE || ++stream->session->peer.messages > SHARE)
		return;
	(void)session_tell(stream->session, &cut, sizeof(cut), -1);
	shut(stream, reason, abort);
}

void
stream_linger(struct stream *stream)
{
	struct tcp_info info = look(stream);
	/* All of the payload is acknowledged; our FIN, which counts nothing, need not be. */
	bool all = info.tcpi_state == CLOSED ||
		   (!info.tcpi_notsent_bytes &&
		    stream->record.bytes_up == info.tcpi_bytes_sent - info.tcpi_bytes_retrans);

	if (all || broker.now >= stream->since_ms + LINGER_END)
		stream_end(stream, stream->reason, !all);
	else
		stream->due = broker.now + LINGER_MS;
}

void
stream_done(struct peer *peer, const union ipc_any *any)
{
	const struct ipc_end *end = &any->END_body;
	struct session *session = container_of(peer, struct session, peer);
	struct stream *stream = stream_find(session, end->stream, STREAM_LIVE);
	bool far;

	if (!stream)
		return; /* it was cut while END was on its way */
	stream->record.claims = *end;
	far = (FIN_TAKEN | 1U << CLOSED) & 1U << look(stream).tcpi_state;
	/* CONNECT_FAILED: it broke on the client's side. */
	shut(stream, far ? REASON_PEER_CLOSED : REASON_CLIENT_CLOSED,
	     end->claimed_reason == REASON_CONNECT_FAILED);
	stream_linger(stream);
}

void
stream_end(struct stream *stream, enum reason reason, bool abort)
{
	struct session *session = stream->session;

	dial_stop(stream);
	if (stream->state >= STREAM_RECORDED) {
		/* First dead for every copy of it, then counted, then free. */
		shut(stream, reason, abort || stream->record.protocol == PROTOCOL_UDP);
		(void)look(stream);
		record_new(EVENT_STREAM_END, reason, &stream->record);
		session->record.bytes_up += stream->record.bytes_up;
		session->record.bytes_down += stream->record.bytes_down;
		close(stream->fd);
	} else if (stream->state != STREAM_REFUSED) { /* a request: its record is a refusal */
		record_new(EVENT_REFUSED, reason, &stream->record);
	}
	session->busy--;
	session->listening -= stream->record.protocol == PROTOCOL_LISTEN;
	LIST_REMOVE(stream, next);
	memset(stream, 0, sizeof(*stream));
	LIST_INSERT_HEAD(&broker.spare, stream, next);
}
