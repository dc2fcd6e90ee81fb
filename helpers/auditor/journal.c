/* SPDX-License-Identifier: ISC */
#include "helpers/auditor/journal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "helpers/auditor/line.h"
#include "helpers/auditor/message_ids.h"
#include "helpers/serve.h"

#define NOTE_MS   60000
#define PREFIX    "SOCKWARD_"
#define DATAGRAM  (3 * LINE_MOST)
#define WORD_MOST 64
#define SENTENCE  512

struct packet {
	char *bytes;
	size_t size;
	size_t length;
	int full;
};

void
journal_open(struct journal *journal, const char *path)
{
	*journal = (struct journal){.fd = -1, .name = {.sun_family = AF_UNIX}};
	if (strcmp(path, "none") == 0)
		return;
	if (strlen(path) >= sizeof(journal->name.sun_path)) {
		errno = ENAMETOOLONG;
		fail_start("--journal %s", path);
	}
	memcpy(journal->name.sun_path, path, strlen(path));
	journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (journal->fd < 0)
		fail_start("cannot make a socket for the journal");
}

static void
put(struct packet *packet, const void *bytes, size_t n)
{
	if (packet->full || n > packet->size - packet->length) {
		packet->full = 1;
		return;
	}
	memcpy(packet->bytes + packet->length, bytes, n);
	packet->length += n;
}

/* A name, a newline, the length in 64 bits little-endian, the value, a newline. */
static void
field(struct packet *packet, const char *name, const char *value, size_t length)
{
	uint8_t size[8];

	for (int i = 0; i < 8; i++)
		size[i] = (uint8_t)((uint64_t)length >> (8 * i));
	put(packet, name, strlen(name));
	put(packet, "\n", 1);
	put(packet, size, sizeof(size));
	put(packet, value, length);
	put(packet, "\n", 1);
}

static void
member_field(struct packet *packet, const struct line_member *member)
{
	char name[WORD_MOST] = PREFIX;
	size_t n = strlen(PREFIX);

	if (member->name_length >= sizeof(name) - n)
		return;
	for (size_t i = 0; i < member->name_length; i++)
		name[n + i] = (char)toupper((unsigned char)member->name[i]);
	field(packet, name, member->value, member->value_length);
}

struct kind {
	const char *event;
	const char *id;
	const char *priority;
};

static const struct kind *
kind_of(const char *event)
{
	static const struct kind kinds[] = {
#define ROW(word, id, priority) {word, id, priority},
		MESSAGE_IDS(ROW)
#undef ROW
	};
	size_t i = 0;

	while (i < sizeof(kinds) / sizeof(kinds[0]) - 1 && strcmp(kinds[i].event, event) != 0)
		i++;
	return &kinds[i];
}

/*
 * "refused: no-rule, session 01ab..., to db.example port 5432",
 * "scan: 32 targets, session 01ab...": escaped text only.
 */
static void
sentence(const struct line *line, const char *event, char out[SENTENCE])
{
	char reason[WORD_MOST];
	char session[WORD_MOST];
	char host[SENTENCE / 2];
	const struct line_member *port = line_find(line, "peer_port");
	const struct line_member *targets = line_find(line, "targets");
	int n;

	line_copy(line, "reason", reason, sizeof(reason));
	if (targets)
		(void)snprintf(reason, sizeof(reason), "%.*s targets", (int)targets->value_length,
			       targets->value);
	line_copy(line, "session", session, sizeof(session));
	line_copy(line, "host", host, sizeof(host));
	n = snprintf(out, SENTENCE, "%s%s%s%s%s%s%s", event, *reason ? ": " : "", reason,
		     *session ? ", session " : "", session, *host ? ", to " : "", host);
	if (*host && port && n > 0 && n < SENTENCE)
		(void)snprintf(out + n, SENTENCE - (size_t)n, " port %.*s", (int)port->value_length,
			       port->value);
}

size_t
journal_build(const char *text, size_t length, char *out, size_t size)
{
	struct packet packet = {out, size, 0, 0};
	char event[WORD_MOST];
	char words[SENTENCE];
	const struct kind *kind;
	struct line line;

	if (line_parse(&line, text, length) < 0)
		return 0;
	line_copy(&line, "event", event, sizeof(event));
	kind = kind_of(event);
	sentence(&line, event, words);
	field(&packet, "MESSAGE", words, strlen(words));
	field(&packet, "MESSAGE_ID", kind->id, 32);
	field(&packet, "PRIORITY", kind->priority, 1);
	field(&packet, "SYSLOG_IDENTIFIER", "sockward", 8);
	for (size_t i = 0; i < line.n; i++)
		member_field(&packet, &line.members[i]);
	return packet.full ? 0 : packet.length;
}

static void
note_lost(struct journal *journal)
{
	uint64_t now = serve_now_ms();

	if (!journal->lost || (journal->noted_ms && now - journal->noted_ms < NOTE_MS))
		return;
	log_note("the journal did not take %llu records: they are in the audit file",
		 (unsigned long long)journal->lost);
	journal->noted_ms = now;
	journal->lost = 0;
}

void
journal_send(struct journal *journal, const char *line, size_t length)
{
	char datagram[DATAGRAM];
	size_t n;

	if (journal->fd < 0)
		return;
	n = journal_build(line, length, datagram, sizeof(datagram));
	if (!n || sendto(journal->fd, datagram, n, MSG_DONTWAIT | MSG_NOSIGNAL,
			 (const struct sockaddr *)&journal->name, sizeof(journal->name)) < 0) {
		journal->lost++;
		journal->lost_total++;
	}
	note_lost(journal);
}
