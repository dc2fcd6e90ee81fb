/* SPDX-License-Identifier: ISC */
#include "helpers/auditor/verify.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct state {
	struct verify_result *result;
	verify_each *each;
	void *context;
	size_t held;      /* bytes of an unended line in the buffer */
	uint64_t dropped; /* bytes of it that were too many to be held: it is no record */
	char buffer[8 * LINE_MOST];
};

static void
blame(struct verify_result *result, enum verify_fault fault, uint64_t line, uint64_t found)
{
	if (result->fault != VERIFY_FINE)
		return;
	result->fault = fault;
	result->line = line;
	result->seq = result->proven.seq + 1;
	result->found = found;
}

/* What a record that holds its own hash is, against the one before it. */
static enum verify_fault
follows(const struct chain *before, const struct line *line, uint64_t seq)
{
	if (seq != before->seq + 1)
		return seq > before->seq ? VERIFY_DELETED : VERIFY_SWAPPED;
	return line_is(line, "prev", before->hash) ? VERIFY_FINE : VERIFY_REPLACED;
}

static void
one_line(struct state *state, const char *text, size_t length)
{
	struct verify_result *result = state->result;
	enum verify_fault fault;
	struct line line;
	uint64_t seq;

	result->lines++;
	if (state->dropped || line_parse(&line, text, length) < 0) {
		state->dropped = 0;
		blame(result, VERIFY_NOT_RECORD, result->lines, 0);
		return;
	}
	seq = line_number(&line, "seq");
	fault = chain_sound(text, length) ? follows(&result->proven, &line, seq) : VERIFY_ALTERED;
	if (fault != VERIFY_FINE)
		blame(result, fault, result->lines, seq);
	/* What was missed stands further down: nothing was taken out, the order was changed. */
	if (result->fault == VERIFY_DELETED && seq == result->seq)
		result->fault = VERIFY_SWAPPED;
	result->last.seq = seq;
	line_copy(&line, "hash", result->last.hash, sizeof(result->last.hash));
	if (result->fault == VERIFY_FINE) {
		result->proven = result->last;
		result->records++;
	}
	if (state->each)
		state->each(state->context, &line, text, length, result->fault == VERIFY_FINE);
}

static void
lines(struct state *state, size_t filled)
{
	char *at = state->buffer;
	char *end = state->buffer + filled;
	char *newline;

	while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
		one_line(state, at, (size_t)(newline - at));
		at = newline + 1;
	}
	state->held = (size_t)(end - at);
	if (state->held > LINE_MOST) {
		state->dropped += state->held - 1;
		at = end - 1;
		state->held = 1;
	}
	memmove(state->buffer, at, state->held);
}

int
verify_file(int fd, verify_each *each, void *context, struct verify_result *result)
{
	struct verify_result found = {0};
	struct state state;
	ssize_t n;

	state.result = &found;
	state.each = each;
	state.context = context;
	state.held = 0;
	state.dropped = 0;
	chain_start(&found.proven);
	chain_start(&found.last);
	for (;;) {
		n = read(fd, state.buffer + state.held, sizeof(state.buffer) - state.held);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		found.size += (size_t)n;
		lines(&state, state.held + (size_t)n);
	}
	if (n < 0)
		return -1;
	found.tail_at = found.size - state.held - state.dropped;
	if (state.held)
		blame(&found, VERIFY_TRUNCATED, ++found.lines, 0);
	*result = found;
	return 0;
}

const char *
verify_sentence(enum verify_fault fault)
{
	switch (fault) {
	case VERIFY_FINE:
		return "the chain is whole";
	case VERIFY_NOT_RECORD:
		return "the line is no record of sockward: it was altered";
	case VERIFY_ALTERED:
		return "the record was altered: its hash is not that of its bytes";
	case VERIFY_DELETED:
		return "records are missing before this line";
	case VERIFY_SWAPPED:
		return "records stand in another order than they were written in";
	case VERIFY_REPLACED:
		return "the record does not follow the one before: that one was exchanged";
	case VERIFY_TRUNCATED:
		return "the last line has no end: the file was truncated";
	}
	return "unknown";
}
