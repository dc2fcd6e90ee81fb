# SPDX-License-Identifier: ISC
noinst_LIBRARIES += ipc/libipc.a
ipc_libipc_a_SOURCES = \
	ipc/messages.h ipc/limits.h ipc/record.h ipc/control.h ipc/metrics.h \
	ipc/channel.c ipc/text.c ipc/channel.h \
	ipc/words.c ipc/words.h ipc/reasons.def
