# SPDX-License-Identifier: ISC
noinst_LIBRARIES += common/libcommon.a
common_libcommon_a_SOURCES = \
	common/log.c common/log.h \
	common/fds.c common/passed.c common/close.c common/fds.h \
	common/confine.c common/reading.c common/confine.h
common_libcommon_a_CFLAGS = $(AM_CFLAGS) $(CAPNG_CFLAGS)
COMMON_LIBS = common/libcommon.a $(CAPNG_LIBS)
