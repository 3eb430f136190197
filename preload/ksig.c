/* SPDX-License-Identifier: MIT */
/* ksig.c - rt_sigaction without libc (ksig.h) */
#include "ksig.h"

/* Where a handler returns to. Unwinders know it by its bytes. */
#if defined(__x86_64__)
__asm__(".text\n"
	".balign 16\n"
	".type uhmm_sigreturn, @function\n"
	"nop\n"
	"uhmm_sigreturn:\n"
	"\tmov $15, %rax\n"
	"\tsyscall\n"
	".size uhmm_sigreturn, . - uhmm_sigreturn\n");
extern char sigreturn_code[] __asm__("uhmm_sigreturn")
	__attribute__((visibility("hidden")));

static void set_restorer(struct uhmm_ksig *act)
{
	act->flags |= SA_RESTORER;
	act->restorer = (uintptr_t)sigreturn_code;
}
#else
/* The vdso's. */
static void set_restorer(struct uhmm_ksig *act)
{
	(void)act;
}
#endif

long uhmm_ksig_get(int sig, struct uhmm_ksig *act)
{
	return uhmm_sys4(SYS_rt_sigaction, sig, 0, uhmm_ptr(act),
			 sizeof(act->mask));
}

long uhmm_ksig_set(int sig, const struct uhmm_ksig *act)
{
	return uhmm_sys4(SYS_rt_sigaction, sig, uhmm_ptr(act), 0,
			 sizeof(act->mask));
}

long uhmm_ksig_install(int sig, uhmm_ksig_fn fn, unsigned long flags,
		       struct uhmm_ksig *old)
{
	struct uhmm_ksig act = { .handler = (uintptr_t)fn,
				 .flags = flags | SA_SIGINFO };

	set_restorer(&act);
	return uhmm_sys4(SYS_rt_sigaction, sig, uhmm_ptr(&act), uhmm_ptr(old),
			 sizeof(act.mask));
}

void uhmm_ksig_call(const struct uhmm_ksig *act, int sig, siginfo_t *info,
		    void *context)
{
	/* one that takes the signal alone does not look at the rest */
	((uhmm_ksig_fn)act->handler)(sig, info, context);
}
