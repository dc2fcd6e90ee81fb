/* SPDX-License-Identifier: ISC */
#include "ipc/channel.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const struct ipc_row ipc_rows[] = {
#define ROW(type, body, channel, way, fds, states) \
	[MSG_##type] = {IPC_##channel, IPC_##way, fds, IPC_##states, sizeof(body), #type},
	IPC_TABLE(ROW)
#undef ROW
};

bool
ipc_legal(enum ipc_channel channel, enum ipc_way way, enum ipc_state state,
	  const union ipc_any *any, const struct ipc_got *got)
{
	uint32_t type = got->length < sizeof(any->head) ? 0 : any->head.type;
	const struct ipc_row *row = &ipc_rows[type < IPC_TYPE_COUNT ? type : 0];

	return row->channel == channel && row->way == way && (row->states & state) &&
	       row->length == got->length && row->fds == got->fds;
}

int
ipc_post(int fd, const void *msg, size_t length)
{
	return write(fd, msg, length) < 0 ? -1 : 0;
}

int
ipc_pass(int fd, const void *msg, size_t length, int pass)
{
	struct cmsghdr head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec piece = {(void *)(uintptr_t)msg, length};
	struct msghdr packet = {.msg_iov = &piece,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = pass < 0 ? 0 : sizeof(control)};

	memcpy(control, &head, sizeof(head));
	memcpy(control + CMSG_LEN(0), &pass, sizeof(pass));
	return sendmsg(fd, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int
ipc_take(int fd, struct ipc_buffer *buffer, struct ipc_got *got, bool descriptors)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec piece = {buffer, sizeof(*buffer)};
	/* The exact length of one: with the padding of CMSG_SPACE() two would be installed. */
	struct msghdr packet = {.msg_iov = &piece,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = descriptors ? CMSG_LEN(sizeof(int)) : 0};
	ssize_t n = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*got = (struct ipc_got){n < 0 ? 0 : (size_t)n, 0, -1};
	if (n < 0)
		return -1;
	if (packet.msg_controllen == CMSG_LEN(sizeof(int))) {
		memcpy(&got->fd, control + CMSG_LEN(0), sizeof(int));
		got->fds = 1;
	}
	if (packet.msg_flags & MSG_CTRUNC)
		got->fds += 2; /* which no row has */
	return 0;
}

bool
ipc_text_ok(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	while (n < size && text[n] == '\0')
		n++;
	return n == size && text[size - 1] == '\0';
}
