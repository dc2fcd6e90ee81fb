/* SPDX-License-Identifier: ISC */
#include "listener/listener.h"

#include <inttypes.h>
#include <sched.h>
#include <time.h>

#include "common/log.h"

/*
 * The CPU clock of a process by its pid, as clock_getcpuclockid(3) makes it; that asks
 * the kernel by clock_getres(2), too, for which there is no other use.
 */
#define CPU_CLOCK(pid) ((clockid_t)(~(uint32_t)(pid) << 3 | 2))

#define HALF  (BUSY_CPU / 2)
#define LEAST (BUSY_CPU / 64)

uint32_t
busy_mean(uint32_t mean, uint64_t used_us, uint64_t passed_ms)
{
	uint64_t share = passed_ms ? used_us * BUSY_CPU / (passed_ms * 1000) : 0;

	return (3 * mean + (uint32_t)(share < BUSY_CPU ? share : BUSY_CPU)) / 4;
}

uint32_t
busy_limit(const struct busy_round *round)
{
	uint32_t limit = round->most / 2;

	if (round->sum <= round->cpus * HALF)
		return HALF;
	return limit > LEAST ? limit : LEAST;
}

/* Workers have theirs from here. */
static uint32_t
cpus(void)
{
	cpu_set_t set[8]; /* as many as Debian's kernel may have */

	if (sched_getaffinity(0, sizeof(set), set) < 0)
		return 1;
	return (uint32_t)CPU_COUNT_S(sizeof(set), set);
}

static uint64_t
clock_us(const struct session *session)
{
	struct timespec used;

	if (clock_gettime(CPU_CLOCK(session->pid), &used) < 0)
		return session->used_us;
	return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

/*
 * A higher nice value is not enough: eight workers of nice 10 on a CPU weigh as much as one
 * of nice 0, while any number of SCHED_IDLE is preempted at once.
 */
static void
put_behind(struct session *session)
{
	const struct sched_param none = {0};

	if (sched_setscheduler((pid_t)session->pid, SCHED_IDLE, &none) == 0) {
		session->behind = true;
		log_note("session %" PRIu64 " is busy: its worker, %u, comes behind the others",
			 session->id, session->pid);
	} else if (!listener.busy.failed) {
		listener.busy.failed = true;
		(void)fail("cannot put busy workers behind the others");
	}
}

static void
look(struct session *session)
{
	struct busy *busy = &listener.busy;
	uint64_t passed_ms = listener.now - session->looked_ms;
	uint64_t used;

	session->looked_ms = listener.now;
	/* One that is only asked for has pid 0 yet, and that would be ourselves. */
	if (session->state != WORKER_RUNNING || session->reason || session->behind)
		return;
	used = clock_us(session);
	session->share = busy_mean(session->share, used - session->used_us, passed_ms);
	session->used_us = used;
	if (session->share > busy_limit(&busy->last))
		put_behind(session);
	if (session->behind)
		return;
	busy->round.sum += session->share;
	if (session->share > busy->round.most)
		busy->round.most = session->share;
}

static void
next_round(struct busy *busy)
{
	busy->last = busy->round;
	busy->last.cpus = cpus();
	busy->round = (struct busy_round){0};
	busy->since_ms = listener.now;
}

/* The list goes round: its first is the one that waits longest for a look. */
static void
turn(struct busy *busy)
{
	struct session *session;

	for (int i = 0; i < BUSY_LOOKS && (session = TAILQ_FIRST(&listener.running)) &&
			listener.now - session->looked_ms >= BUSY_LOOK_MS;
	     i++) {
		if (session->looked_ms >= busy->since_ms)
			next_round(busy);
		look(session);
		session_move(session, &listener.running);
		busy->next_ms = listener.now + BUSY_TURN_MS;
	}
}

int
busy_due(void)
{
	struct busy *busy = &listener.busy;
	const struct session *first;
	uint64_t due;

	if (listener.now >= busy->next_ms)
		turn(busy);
	first = TAILQ_FIRST(&listener.running);
	if (!first)
		return -1;
	due = first->looked_ms + BUSY_LOOK_MS;
	if (due < busy->next_ms)
		due = busy->next_ms;
	return due > listener.now ? (int)(due - listener.now) : 0;
}
