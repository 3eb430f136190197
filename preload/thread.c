/* SPDX-License-Identifier: MIT */
/* thread.c - clone() without libc */
#include "thread.h"

#include <sched.h>

#define FLAGS                                                          \
	(CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD |          \
	 CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

/* The new thread finds @fn and @arg on its stack: nothing of the starter's
 * frame is there, and it never returns into it. */
#if defined(__x86_64__)

static long clone_and_call(void **top, _Atomic uint32_t *tid)
{
	register long r10 __asm__("r10") = uhmm_ptr(tid);
	register long r8 __asm__("r8") = 0;
	long ret;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "pop %%rax\n\t"
			 "pop %%rdi\n\t"
			 "call *%%rax\n\t"
			 "mov %[nr_exit], %%eax\n\t"
			 "xor %%edi, %%edi\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(ret)
			 : "0"((long)SYS_clone), "D"((long)FLAGS), "S"(top),
			   "d"(tid), "r"(r10), "r"(r8), [nr_exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory");
	return ret;
}

#elif defined(__aarch64__)

static long clone_and_call(void **top, _Atomic uint32_t *tid)
{
	register long x8 __asm__("x8") = SYS_clone;
	register long x0 __asm__("x0") = FLAGS;
	register long x1 __asm__("x1") = uhmm_ptr(top);
	register long x2 __asm__("x2") = uhmm_ptr(tid);
	register long x3 __asm__("x3") = 0;
	register long x4 __asm__("x4") = uhmm_ptr(tid);

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x30, xzr\n\t"
			 "ldp x1, x0, [sp], #16\n\t"
			 "blr x1\n\t"
			 "mov x8, %[nr_exit]\n\t"
			 "mov x0, xzr\n\t"
			 "svc #0\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4),
			   [nr_exit] "i"(SYS_exit)
			 : "memory", "cc");
	return x0;
}

#else
#error "thread.c: write clone_and_call() for this architecture"
#endif

long uhmm_thread_start(void *stack_top, _Atomic uint32_t *tid,
		       void (*fn)(void *arg), void *arg)
{
	void **top = stack_top;

	*--top = arg;
	*--top = (void *)fn;
	return clone_and_call(top, tid);
}

/* ---- its table ---- */

static void close_range_of(long first, long last)
{
	struct rlimit lim = { 1024, 1024 };

	if (first > last || uhmm_sys3(SYS_close_range, first, last, 0) == 0)
		return;
	(void)uhmm_sys4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, uhmm_ptr(&lim));
	for (long fd = first; fd <= last && fd < (long)lim.rlim_max; fd++)
		(void)uhmm_sys1(SYS_close, fd);
}

void uhmm_thread_keep_only(long a, long b)
{
	long low = a < b ? a : b;
	long high = a < b ? b : a;

	close_range_of(0, low - 1);
	close_range_of(low + 1, high - 1);
	close_range_of(high + 1, INT_MAX);
}
