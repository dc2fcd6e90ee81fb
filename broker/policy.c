/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

#include <sys/mman.h>

/* Sessions are still taken, and told why they are refused. */
const struct image_header policy_none = {.limits = {0, 16, 16, 10000, 0}};

void
policy_load(void)
{
	broker.reload = 0; /* one that is asked for from now on is another one */

	/* A private copy: what the file's owner does to it later changes nothing here. */
	char *room =
		mmap(NULL, IMAGE_MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t n = room == MAP_FAILED ? -1 : pread(STDIN_FILENO, room, IMAGE_MOST, 0);
	struct policy next;
	const char *why = n < 0 ? "it cannot be read" : image_open(&next, room, (size_t)n);

	if (!why && mprotect(room, IMAGE_MOST, PROT_READ) < 0)
		why = "no memory";
	if (why) {
		(void)munmap(room, IMAGE_MOST);
		record_new(EVENT_POLICY, REASON_NO_POLICY, NULL);
		(void)log_put("<3>", 0, "the policy image is refused (%s): %s", why,
			      broker.generation ? "the old one stays" : "everything is denied");
		return;
	}
	if (broker.generation)
		(void)munmap((void *)(uintptr_t)broker.policy.header, IMAGE_MOST);
	broker.policy = next;
	broker.generation++;
	record_new(EVENT_POLICY, REASON_NONE, NULL);
	/* Sessions keep their grant by name; those whose grant is gone are ended. */
	for (uint32_t i = 0; i < broker.sessions_used; i++) {
		struct session *session = &broker.sessions[i];
		uint32_t grant = policy_grant(&next, session->record.grant);

		if (session->grant && grant == IMAGE_NONE)
			session_stop(session, REASON_POLICY_CHANGED, 1000);
		if (session->grant)
			session->grant = grant == IMAGE_NONE ? NULL : &next.grants[grant];
	}
	listener_greet();
}
