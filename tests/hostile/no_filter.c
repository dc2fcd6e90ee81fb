/* SPDX-License-Identifier: ISC */
/*
 * The negative control: a hostile worker that loads no filter. Landlock and the rest
 * stay. Linked with --wrap=syscall: seccomp(2) alone is answered here.
 */
#include <stdarg.h>
#include <sys/syscall.h>

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long
__wrap_syscall(long number, ...)
{
	va_list list;
	long a[6];

	if (number == SYS_seccomp)
		return 0;
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
