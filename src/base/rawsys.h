/* SPDX-License-Identifier: MIT */
/* rawsys.h - system calls without libc
 *
 * For code that runs inside another program, some of it on a thread without
 * TLS: no errno, no cancellation point, no interposed name in between.
 *
 * Return: what the kernel returned: the result, or -errno (-4095 .. -1).
 */
#ifndef UHMM_BASE_RAWSYS_H
#define UHMM_BASE_RAWSYS_H

#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)

/* NOLINTNEXTLINE(readability-function-size): the kernel's six, and which */
static inline long uhmm_sys6(long nr, long a, long b, long c, long d, long e,
			     long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#elif defined(__aarch64__)

/* NOLINTNEXTLINE(readability-function-size): the kernel's six, and which */
static inline long uhmm_sys6(long nr, long a, long b, long c, long d, long e,
			     long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}

#else
#error "rawsys.h: write uhmm_sys6() for this architecture"
#endif

static inline long uhmm_sys0(long nr)
{
	return uhmm_sys6(nr, 0, 0, 0, 0, 0, 0);
}

static inline long uhmm_sys1(long nr, long a)
{
	return uhmm_sys6(nr, a, 0, 0, 0, 0, 0);
}

static inline long uhmm_sys2(long nr, long a, long b)
{
	return uhmm_sys6(nr, a, b, 0, 0, 0, 0);
}

static inline long uhmm_sys3(long nr, long a, long b, long c)
{
	return uhmm_sys6(nr, a, b, c, 0, 0, 0);
}

static inline long uhmm_sys4(long nr, long a, long b, long c, long d)
{
	return uhmm_sys6(nr, a, b, c, d, 0, 0);
}

static inline long uhmm_sys5(long nr, long a, long b, long c, long d, long e)
{
	return uhmm_sys6(nr, a, b, c, d, e, 0);
}

/** uhmm_sys_failed() - is @ret of a call an -errno (and no address)? */
static inline int uhmm_sys_failed(long ret)
{
	return (unsigned long)ret >= (unsigned long)-4095L;
}

/** uhmm_ptr() - a pointer as an argument of uhmm_sysN() */
static inline long uhmm_ptr(const void *p)
{
	return (long)(uintptr_t)p;
}

#endif
