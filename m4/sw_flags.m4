# SPDX-License-Identifier: ISC
# SW_COMPILE_FLAG(FLAG): adds FLAG to SW_CFLAGS when the compiler takes it.
AC_DEFUN([SW_COMPILE_FLAG], [
	AS_VAR_PUSHDEF([cache], [sw_cv_cflag_$1])
	AC_CACHE_CHECK([whether $CC accepts $1], [cache], [
		sw_saved="$CFLAGS"
		CFLAGS="$CFLAGS -Werror $1"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
			[AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
		CFLAGS="$sw_saved"])
	AS_VAR_IF([cache], [yes], [SW_CFLAGS="$SW_CFLAGS $1"], [SW_MISSING="$SW_MISSING $1"])
	AS_VAR_POPDEF([cache])
])

# SW_LINK_FLAG(FLAG): adds FLAG to SW_LDFLAGS when the linker takes it.
AC_DEFUN([SW_LINK_FLAG], [
	AS_VAR_PUSHDEF([cache], [sw_cv_ldflag_$1])
	AC_CACHE_CHECK([whether the linker accepts $1], [cache], [
		sw_saved="$LDFLAGS"
		LDFLAGS="$LDFLAGS -Werror $1"
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
			[AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
		LDFLAGS="$sw_saved"])
	AS_VAR_IF([cache], [yes], [SW_LDFLAGS="$SW_LDFLAGS $1"], [SW_MISSING="$SW_MISSING $1"])
	AS_VAR_POPDEF([cache])
])

# SW_LIBRARY(NAME, HEADER, LIBRARY, FUNCTION, DEBIAN-PACKAGE): a library without
# a .pc file. Sets NAME_LIBS, or ends with what to install.
AC_DEFUN([SW_LIBRARY], [
	AC_CHECK_HEADER([$2], [], [AC_MSG_ERROR([$2 is missing: install $5])])
	sw_saved="$LIBS"
	AC_CHECK_LIB([$3], [$4], [], [AC_MSG_ERROR([lib$3 is missing: install $5])])
	LIBS="$sw_saved"
	AC_SUBST([$1_LIBS], [-l$3])
])
