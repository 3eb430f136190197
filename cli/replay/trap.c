/* SPDX-License-Identifier: MIT */
#include "trap.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

static sigjmp_buf env;
static volatile sig_atomic_t expected;
static void (*on_crash)(void);
static void (*on_time)(void);

static void fault(int signal)
{
	if (expected)
		siglongjmp(env, signal == SIGBUS ? REPLAY_ACCESS_BUS :
						   REPLAY_ACCESS_SEGV);
	on_crash();
}

static void alarmed(int signal)
{
	(void)signal;
	on_time();
}

void replay_trap_init(void (*crashed)(void), void (*timed_out)(void))
{
	/* left by a jump, so the signal must not stay blocked */
	struct sigaction sa = { .sa_handler = fault, .sa_flags = SA_NODEFER };

	on_crash = crashed;
	on_time = timed_out;
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sa.sa_handler = alarmed;
	sigaction(SIGALRM, &sa, NULL);
}

enum replay_access replay_trap_try(void (*access)(void *arg), void *arg)
{
	int how = sigsetjmp(env, 0);

	if (how == REPLAY_ACCESS_OK) {
		expected = 1;
		access(arg);
	}
	expected = 0;
	return (enum replay_access)how;
}
