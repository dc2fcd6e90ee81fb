/* SPDX-License-Identifier: ISC */
#include "cli/suite.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "cli/control.h"
#include "common/log.h"
#include "ipc/words.h"

#define ANSWER_MS 5000
#define LOOK_MS   50
#define SETTLE_MS 2000

/* A question to the listener on a connection of its own. */
static int
ask(const struct suite *suite, const void *msg, size_t length, int pass, struct ipc_buffer *answer,
    uint32_t type)
{
	int fd = control_open(suite->dir);
	int result;

	if (fd < 0)
		return -1;
	result = control_ask(fd, msg, length, pass, answer, type, ANSWER_MS);
	close(fd);
	return result;
}

void
suite_settle(struct suite *suite)
{
	struct ipc_plain msg = {.head.type = MSG_CTL_STATUS};
	const struct ipc_ctl_status *status;
	struct ipc_buffer answer;
	uint64_t until = now_ms() + SETTLE_MS;

	while (now_ms() < until && !suite->signals_to_end) {
		status = &answer.any.CTL_STATUS_IS_body;
		if (ask(suite, &msg, sizeof(msg), -1, &answer, MSG_CTL_STATUS_IS) == 0 &&
		    status->broker_up && status->resolver_up && status->authenticator_up &&
		    status->auditor_up)
			return;
		suite_step(suite, now_ms() + LOOK_MS / 5);
	}
}

static bool
no_sessions(const struct suite *suite)
{
	struct ipc_plain msg = {.head.type = MSG_CTL_STATUS};
	struct ipc_buffer answer;

	/* A listener that does not answer knows no sessions that could end in order. */
	if (ask(suite, &msg, sizeof(msg), -1, &answer, MSG_CTL_STATUS_IS) < 0)
		return true;
	return answer.any.CTL_STATUS_IS_body.sessions == 0;
}

void
suite_drain(struct suite *suite)
{
	struct ipc_drain msg = {
		.head.type = MSG_CTL_DRAIN, .reason = REASON_DRAINING, .deadline_ms = DRAIN_MS};
	struct ipc_buffer answer;
	uint64_t until = now_ms() + DRAIN_MS + ANSWER_MS / 5;

	suite->ending = true;
	if (suite->programs[ROLE_LISTENER].state != PROGRAM_UP || suite->signals_to_end > 1 ||
	    ask(suite, &msg, sizeof(msg), -1, &answer, MSG_CTL_DONE) < 0)
		return;
	while (suite->signals_to_end < 2 && now_ms() < until) {
		if (no_sessions(suite))
			return;
		suite_step(suite, now_ms() + LOOK_MS);
	}
}

/* One that died may have something to put on record yet: that a broker took its sessions along. */
static void
let_start(struct suite *suite, const struct program *program)
{
	uint64_t until = now_ms() + STOP_MS;

	while ((program->state == PROGRAM_WAITING || program->state == PROGRAM_STARTING) &&
	       suite->serving && suite->signals_to_end < 2 && now_ms() < until)
		suite_step(suite, now_ms() + LOOK_MS);
}

static void
stop(struct suite *suite, struct program *program)
{
	uint64_t begun;

	let_start(suite, program);
	program->restart = false;
	program->state = program->pidfd < 0 ? PROGRAM_DOWN : PROGRAM_STOPPING;
	if (program->state == PROGRAM_DOWN)
		return;
	begun = now_ms();
	program_signal(program, SIGTERM);
	while (program->state != PROGRAM_DOWN &&
	       now_ms() < begun + (suite->signals_to_end > 1 ? HURRY_MS : STOP_MS))
		suite_step(suite, now_ms() + LOOK_MS);
	if (program->state == PROGRAM_DOWN)
		return;
	log_note("%s did not end when asked; killed", program_name(program->role));
	program_signal(program, SIGKILL);
	begun = now_ms();
	while (program->state != PROGRAM_DOWN && now_ms() < begun + STOP_MS)
		suite_step(suite, now_ms() + LOOK_MS);
}

void
suite_stop(struct suite *suite)
{
	suite->ending = true;
	for (int r = ROLE_COUNT - 1; r >= 0; r--)
		stop(suite, &suite->programs[r]);
}
