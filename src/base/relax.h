/* SPDX-License-Identifier: MIT */
/* relax.h - a hint for the CPU in loops that wait for another one */
#ifndef UHMM_BASE_RELAX_H
#define UHMM_BASE_RELAX_H

static inline void uhmm_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
