/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

/* Sessions are still taken, and told why they are refused. */
const struct image_header policy_none = {.limits = {0, 16, 16, 10000, 0}};

void
policy_load(void)
{
	/* A copy of our own, beside the one in force: what becomes of the file changes nothing. */
	char *room = broker.images[broker.generation % 2];
	struct policy next;

	broker.reload = 0; /* one that is asked for from now on is another one */
	const char *why = image_open(&next, room, (size_t)pread(STDIN_FILENO, room, IMAGE_MOST, 0));
	if (why) {
		record_new(EVENT_POLICY, REASON_NO_POLICY, NULL);
		(void)log_put("<3>", 0, "the image is refused, and nothing changes: %s", why);
		return;
	}
	broker.policy = next;
	broker.generation++;
	record_new(EVENT_POLICY, REASON_NONE, NULL);
	/* Sessions keep their grant by name; those whose grant is gone are ended. */
	for (uint32_t i = 0; i < broker.sessions_used; i++) {
		struct session *session = &broker.sessions[i];
		uint32_t grant = policy_grant(&next, session->record.grant);

		if (session->grant && grant == IMAGE_NONE)
			session_stop(session, REASON_POLICY_CHANGED, 1000);
		session->grant = session->grant && grant != IMAGE_NONE ? &next.grants[grant] : NULL;
	}
	listener_greet();
}
