/* SPDX-License-Identifier: ISC */
#include "listener/health.h"

#include <string.h>
#include <time.h>

#include "listener/listener.h"

_Static_assert(sizeof((const uint32_t[]){IPC_HANDSHAKE_MS}) / sizeof(uint32_t) == IPC_BUCKETS - 1,
	       "a bucket for each bound, and one above");

static uint64_t
clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void
health_start(void)
{
	struct health *health = &listener.health;
	struct timespec day;

	clock_gettime(CLOCK_REALTIME, &day);
	health->started_ns = (uint64_t)day.tv_sec * 1000000000 + (uint64_t)day.tv_nsec;
	for (int i = 0; i < HEALTH_PARTS; i++)
		health->since[i] = listener.now;
	health->policy_since = listener.now;
	health->second = listener.now / 1000;
}

void
health_look(void)
{
	struct health *health = &listener.health;
	const struct ipc_hello_ok *hello = &listener.hello;
	bool open = listener.broker_state == IPC_OPEN;
	bool up[HEALTH_PARTS] = {open, open && hello->resolver_up, open && hello->authenticator_up,
				 open && hello->auditor_up};

	for (int i = 0; i < HEALTH_PARTS; i++) {
		if (up[i] != health->up[i])
			health->since[i] = listener.now;
		health->up[i] = up[i];
	}
	/* What was in force is remembered: a broker that comes back may bring the same. */
	if (open && (hello->generation != health->generation ||
		     hello->limits.fingerprint != health->policy)) {
		health->generation = hello->generation;
		health->policy = hello->limits.fingerprint;
		health->policy_since = listener.now;
	}
	if (listener.draining && !health->drain_since)
		health->drain_since = listener.now;
}

/* Seconds that went by without a session are emptied. */
static void
catch_up(struct health *health)
{
	uint64_t now = listener.now / 1000;

	if (now - health->second >= HEALTH_SECONDS)
		memset(health->begun, 0, sizeof(health->begun));
	else
		while (health->second < now)
			health->begun[++health->second % HEALTH_SECONDS] = 0;
	health->second = now;
}

void
health_begun(struct session *session)
{
	session->accepted_us = clock_us();
	catch_up(&listener.health);
	listener.health.begun[listener.health.second % HEALTH_SECONDS]++;
}

void
health_granted(const struct session *session)
{
	static const uint32_t bounds[] = {IPC_HANDSHAKE_MS};
	uint64_t took = clock_us() - session->accepted_us;
	size_t i = 0;

	while (i < IPC_BUCKETS - 1 && took > (uint64_t)bounds[i] * 1000)
		i++;
	listener.health.handshakes[i]++;
	listener.health.handshakes_us += took;
}

void
health_tell(struct ipc_ctl_status *status)
{
	struct health *health = &listener.health;

	catch_up(health);
	status->started_ns = health->started_ns;
	status->broker_for_ms = listener.now - health->since[0];
	status->resolver_for_ms = listener.now - health->since[1];
	status->authenticator_for_ms = listener.now - health->since[2];
	status->auditor_for_ms = listener.now - health->since[3];
	status->policy_for_ms = listener.now - health->policy_since;
	if (health->drain_since)
		status->draining_for_ms = listener.now - health->drain_since;
	for (int i = 0; i < HEALTH_SECONDS; i++)
		status->sessions_minute += health->begun[i];
	status->handshakes_us = health->handshakes_us;
	memcpy(status->handshakes, health->handshakes, sizeof(status->handshakes));
}
