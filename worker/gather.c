/* SPDX-License-Identifier: ISC */
#include "worker/gather.h"

#include "worker/session.h"

void
gather_begin(const struct session *s, struct gather *g, bool text)
{
	gather_free(g);
	g->bytes.most = s->granted.message_bytes;
	g->text = text;
}

bool
gather_chunk(struct session *s, struct gather *g, const uint8_t *bytes, size_t n)
{
	if (buffer_add(&g->bytes, bytes, n) == 0)
		return true;
	session_no_memory(s);
	return false;
}

const uint8_t *
gather_bytes(const struct gather *g)
{
	return g->bytes.length ? buffer_head(&g->bytes) : (const uint8_t *)"";
}

void
gather_free(struct gather *g)
{
	buffer_free(&g->bytes);
}
