/* SPDX-License-Identifier: MIT */
/*
 * raw_thread - a thread made by clone(2) alone, without thread-local storage,
 * that uses system calls only, does not get into libc's way: the process ends
 * with the right status by exit(), by pthread_exit() of its last pthread, by a
 * signal and by exec, and a forked child has one thread.
 *
 * But where main leaves by the bare system call exit, the process lives on in
 * our thread, and with all signals blocked there nothing but SIGKILL ends it.
 */
#include "fact.h"

#ifdef __x86_64__

static char stack[16384] __attribute__((aligned(16)));
static int ticks;

static void raw_sleep(void)
{
	static const struct timespec ms = { 0, 1000000 };
	long ret = SYS_nanosleep;

	__asm__ volatile("syscall"
			 : "+a"(ret)
			 : "D"(&ms), "S"(0)
			 : "rcx", "r11", "memory");
}

__attribute__((noreturn)) static void agent(void)
{
	for (;;) {
		raw_sleep();
		__atomic_add_fetch(&ticks, 1, __ATOMIC_RELAXED);
	}
}

static long raw_clone(void)
{
	unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES |
			      CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	register long tls __asm__("r8") = 0;
	long ret = SYS_clone;

	__asm__ volatile("xor %%edx, %%edx\n\t"
			 "xor %%r10d, %%r10d\n\t"
			 "syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call *%[agent]\n\t"
			 "1:"
			 : "+a"(ret)
			 : "D"(flags), "S"(stack + sizeof(stack) - 64),
			   "r"(tls), [agent] "r"(agent)
			 : "rcx", "rdx", "r10", "r11", "memory");
	return ret;
}

/* The agent runs and has every signal blocked. */
static void start_agent(void)
{
	sigset_t all;
	sigset_t old;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	NEED(raw_clone() > 0, "clone");
	sigprocmask(SIG_SETMASK, &old, NULL);
	while (!__atomic_load_n(&ticks, __ATOMIC_RELAXED))
		usleep(1000);
}

static void *end_soon(void *arg)
{
	fact_sleep_ms(20);
	return arg;
}

static void by_exit(void)
{
	exit(41);
}

static void by_pthread_exit(void)
{
	pthread_exit(NULL);
}

static void by_last_pthread(void)
{
	pthread_t other;

	NEED(!pthread_create(&other, NULL, end_soon, NULL), "pthread_create");
	pthread_exit(NULL);
}

static void by_exec(void)
{
	execl("/bin/sh", "sh", "-c", "exit 42", NULL);
}

static void by_signal(void)
{
	kill(getpid(), SIGTERM);
	pause();
}

static void by_bare_exit(void)
{
	syscall(SYS_exit, 43);
}

/* As /proc/self/status counts them */
static int count_threads(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	int n = 0;

	NEED(f, "/proc/self/status");
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "Threads:", 8))
			n = atoi(line + 8);
	fclose(f);
	return n;
}

static void by_fork(void)
{
	pid_t pid;

	FACT_IS(count_threads(), 2, "a raw thread is a thread of the process");
	pid = fact_fork();
	if (!pid) {
		FACT_IS(count_threads(), 1, "a forked child has one thread");
		_exit(0);
	}
	fact_reap(pid);
	exit(44);
}

static pid_t start(void (*leave)(void))
{
	pid_t pid = fact_fork();

	if (!pid) {
		start_agent();
		leave();
		_exit(99);
	}
	return pid;
}

static int status_of(void (*leave)(void))
{
	int status = 0;

	NEED(waitpid(start(leave), &status, 0) > 0, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status)
				 : 1000 + WTERMSIG(status);
}

static void lives_on(void)
{
	pid_t pid = start(by_bare_exit);

	fact_sleep_ms(FACT_STILL_MS);
	kill(pid, SIGTERM);
	fact_sleep_ms(FACT_STILL_MS);
	if (!waitpid(pid, NULL, WNOHANG))
		fact_kill(pid);
	else
		TRAP(false, "a bare exit of main leaves the process to the "
			    "raw thread");
}

int main(void)
{
	fact_begin();
	FACT_IS(status_of(by_exit), 41, "exit() ends the process");
	FACT_IS(status_of(by_pthread_exit), 0,
		"pthread_exit() of the only pthread ends the process");
	FACT_IS(status_of(by_last_pthread), 0,
		"the end of the last pthread ends the process");
	FACT_IS(status_of(by_exec), 42, "exec ends the raw thread");
	FACT_IS(status_of(by_signal), 1000 + SIGTERM,
		"a signal ends the process");
	FACT_IS(status_of(by_fork), 44, "fork works beside a raw thread");
	lives_on();
	return 0;
}

#else

int main(void)
{
	fact_skip("written for x86-64");
}

#endif
