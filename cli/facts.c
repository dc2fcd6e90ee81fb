/* SPDX-License-Identifier: ISC */
#include "cli/facts.h"

#include <errno.h>
#include <unistd.h>

#include "cli/control.h"

int
facts_status_open(const char *dir)
{
	int fd = control_connect(dir, "status");

	return fd < 0 ? control_open(dir) : fd;
}

void
facts_ask_auditor(const char *dir, struct facts *facts, uint32_t timeout_ms)
{
	const struct ipc_plain msg = {.head.type = MSG_METRICS};
	struct ipc_buffer answer;
	int fd = control_connect(dir, "metrics");

	facts->auditor = false;
	facts->silent = false;
	if (fd < 0)
		return;
	errno = 0;
	if (control_ask(fd, &msg, sizeof(msg), -1, &answer, MSG_METRICS_ARE, timeout_ms) == 0 &&
	    answer.any.METRICS_ARE_body.version == IPC_VERSION) {
		facts->metrics = answer.any.METRICS_ARE_body;
		facts->auditor = true;
	} else {
		facts->silent = errno == ETIMEDOUT;
	}
	close(fd);
}

void
facts_ask(const char *dir, struct facts *facts, uint32_t timeout_ms)
{
	const struct ipc_plain msg = {.head.type = MSG_CTL_STATUS};
	struct ipc_buffer answer;
	int fd = facts_status_open(dir);

	*facts = (struct facts){0};
	if (fd >= 0) {
		if (control_ask(fd, &msg, sizeof(msg), -1, &answer, MSG_CTL_STATUS_IS,
				timeout_ms) == 0 &&
		    answer.any.CTL_STATUS_IS_body.version == IPC_VERSION) {
			facts->status = answer.any.CTL_STATUS_IS_body;
			facts->listener = true;
		}
		close(fd);
	}
	facts_ask_auditor(dir, facts, timeout_ms);
}
