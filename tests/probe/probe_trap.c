/* SPDX-License-Identifier: MIT */
/* probe_trap.c - SIGSEGV stays the program's own
 *
 * Pages that are guarded by their protection raise SIGSEGV, which somebody must
 * take in front of the program. It must not notice: what it set is what it
 * sees, its faults come to its handler with everything that belongs to them,
 * on the stack and with the mask it asked for; without one it dies as it would.
 * And a page on the device is served wherever it is touched: in that very
 * handler, in threads that have SIGSEGV blocked since before anything began.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file_map.h"
#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES ((size_t)8)
#define SEED 7u

static int fd;
static unsigned char *mem;	/* of a file */
static unsigned char *none;	/* PROT_NONE, the program's own */

static void send_away(void)
{
	probe_to_dev(fd, mem, NPAGES);
}

/* ---- threads that block it ---- */

static atomic_int stage;

static bool is_blocked(int sig)
{
	sigset_t set;

	CHECK(!pthread_sigmask(SIG_BLOCK, NULL, &set), "");
	return sigismember(&set, sig);
}

static void await_stage(int n)
{
	while (stage < n)
		probe_pause_ms(1);
}

/* One that sleeps in the kernel and one that does not, both deaf. */
static void *deaf(void *arg)
{
	bool sleeps = arg;
	sigset_t all;

	sigfillset(&all);
	CHECK(!pthread_sigmask(SIG_SETMASK, &all, NULL), "");
	stage++;
	while (stage < 3)
		if (sleeps)
			probe_pause_ms(5);
	probe_verify(mem, NPAGES, SEED, "in a thread that blocks all");
	CHECK(is_blocked(SIGSEGV) && is_blocked(SIGUSR1), "unblocked");
	return NULL;
}

static void blocked_threads_are_served(void)
{
	pthread_t thread[2];

	CHECK(!pthread_create(&thread[0], NULL, deaf, (void *)1), "");
	CHECK(!pthread_create(&thread[1], NULL, deaf, NULL), "");
	await_stage(2);
	send_away();
	stage = 3;
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_join(thread[i], NULL), "");
}

static void *verify_thread(void *arg)
{
	(void)arg;
	CHECK(is_blocked(SIGSEGV), "a mask was not inherited");
	probe_verify(mem, NPAGES, SEED, "in a thread");
	return NULL;
}

static void masks_are_the_programs(void)
{
	pthread_t thread;
	sigset_t set, old;

	send_away();
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	CHECK(!sigprocmask(SIG_BLOCK, &set, &old), "");
	CHECK(!sigismember(&old, SIGSEGV), "blocked from the beginning");
	CHECK(is_blocked(SIGSEGV) && !is_blocked(SIGBUS), "");
	CHECK(!pthread_create(&thread, NULL, verify_thread, NULL), "");
	CHECK(!pthread_join(thread, NULL), "");
	send_away();
	probe_verify(mem, NPAGES, SEED, "with SIGSEGV blocked");
	CHECK(!sigprocmask(SIG_UNBLOCK, &set, NULL), "");
	CHECK(!is_blocked(SIGSEGV), "");
	CHECK(!sigprocmask(SIG_SETMASK, &old, NULL), "");
}

/* ---- its own handler ---- */

static sigjmp_buf back;
static volatile int caught;
static volatile bool on_stack, nested;
static void *volatile caught_at;
static char alternate[65536];

static void on_segv(int sig, siginfo_t *info, void *context)
{
	char here;

	(void)context;
	CHECK(sig == SIGSEGV && is_blocked(SIGSEGV) && is_blocked(SIGUSR2), "");
	caught++;
	caught_at = info->si_addr;
	on_stack = &here >= alternate && &here < alternate + sizeof(alternate);
	if (nested)
		probe_verify(mem, NPAGES, SEED, "in its own handler");
	siglongjmp(back, 1);
}

static void expect_fault(unsigned char *at, bool write)
{
	caught = 0;
	if (!sigsetjmp(back, 1)) {
		if (write)
			*(volatile unsigned char *)at = 1;
		else
			(void)*(volatile unsigned char *)at;
	}
	CHECK(caught == 1 && caught_at == at, "%d at %p, not %p", caught,
	      caught_at, (void *)at);
	CHECK(!is_blocked(SIGSEGV) && !is_blocked(SIGUSR2), "");
}

static struct sigaction set_handler(int flags)
{
	struct sigaction act = { .sa_sigaction = on_segv,
				 .sa_flags = SA_SIGINFO | flags };
	struct sigaction old, now;

	sigaddset(&act.sa_mask, SIGUSR2);
	CHECK(!sigaction(SIGSEGV, &act, &old), "%s", strerror(errno));
	CHECK(!sigaction(SIGSEGV, NULL, &now), "%s", strerror(errno));
	CHECK(now.sa_sigaction == on_segv && now.sa_flags == act.sa_flags &&
	      sigismember(&now.sa_mask, SIGUSR2) &&
	      !sigismember(&now.sa_mask, SIGSEGV), "flags %#x", now.sa_flags);
	return old;
}

static void handler_gets_what_is_its(void)
{
	struct sigaction old;

	set_handler(0);
	for (int i = 0; i < 3; i++) {
		send_away();
		probe_verify(mem, NPAGES, SEED, "with a handler");
		expect_fault(none, i & 1);
		expect_fault((unsigned char *)8, false);
	}
	CHECK(!on_stack, "on the alternate stack");
	nested = true;
	send_away();
	expect_fault(none, true);
	nested = false;
	old = set_handler(0);
	CHECK(old.sa_sigaction == on_segv, "another handler");
}

static void handler_on_its_stack(void)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };

	CHECK(!sigaltstack(&stack, NULL), "%s", strerror(errno));
	set_handler(SA_ONSTACK);
	send_away();
	probe_verify(mem, NPAGES, SEED, "with an alternate stack");
	expect_fault(none, false);
	CHECK(on_stack, "not on the alternate stack");
	nested = true;
	send_away();
	expect_fault(none, false);
	nested = false;
	set_handler(0);
	expect_fault(none, false);
	CHECK(!on_stack, "on the alternate stack, unasked");
	stack.ss_flags = SS_DISABLE;
	CHECK(!sigaltstack(&stack, NULL), "%s", strerror(errno));
}

/* Handlers of other signals block it, too, while they run. */
static void on_usr1(int sig)
{
	(void)sig;
	CHECK(is_blocked(SIGSEGV), "sa_mask");
	probe_verify(mem, NPAGES, SEED, "in a handler that blocks SIGSEGV");
	caught++;
}

static void other_handlers(void)
{
	struct sigaction act = { .sa_handler = on_usr1 }, now;
	sigset_t set;

	sigaddset(&act.sa_mask, SIGSEGV);
	CHECK(!sigaction(SIGUSR1, &act, NULL), "");
	CHECK(!sigaction(SIGUSR1, NULL, &now), "");
	CHECK(sigismember(&now.sa_mask, SIGSEGV), "");
	caught = 0;
	send_away();
	raise(SIGUSR1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL), "");
	raise(SIGUSR1);
	send_away();
	sigfillset(&set);
	sigdelset(&set, SIGUSR1);
	CHECK(sigsuspend(&set) == -1 && errno == EINTR, "");
	CHECK(caught == 2, "%d", caught);
	CHECK(!is_blocked(SIGSEGV) && is_blocked(SIGUSR1), "");
}

/* ---- a signal that is sent ---- */

static void on_sent(int sig)
{
	(void)sig;
	caught++;
}

static void sent_signals(void)
{
	sigset_t set, pending;

	caught = 0;
	CHECK((void *)signal(SIGSEGV, on_sent) == (void *)on_segv, "");
	raise(SIGSEGV);
	CHECK(caught == 1, "%d", caught);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL), "");
	raise(SIGSEGV);
	CHECK(caught == 1, "not blocked");
	CHECK(!sigpending(&pending) && sigismember(&pending, SIGSEGV), "");
	CHECK(!sigprocmask(SIG_UNBLOCK, &set, NULL), "");
	CHECK(caught == 2, "%d", caught);
	CHECK(signal(SIGSEGV, SIG_IGN) == on_sent, "");
	raise(SIGSEGV);
	CHECK(signal(SIGSEGV, SIG_DFL) == SIG_IGN, "");
}

/* ---- how it dies ---- */

enum way { BY_DEFAULT, IGNORED, BLOCKED, SENT, IN_HANDLER, NR_WAYS };

static void fault_again(int sig)
{
	(void)sig;
	*(volatile unsigned char *)none = 2;
	_exit(3);
}

static void die(enum way way)
{
	sigset_t set;

	send_away();
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	if (way == IGNORED)
		signal(SIGSEGV, SIG_IGN);
	else if (way == BLOCKED)
		sigprocmask(SIG_BLOCK, &set, NULL);
	else if (way == IN_HANDLER)
		signal(SIGSEGV, fault_again);
	probe_verify(mem, NPAGES, SEED, "before death");
	if (way == SENT)
		raise(SIGSEGV);
	*(volatile unsigned char *)none = 1;
	_exit(4);
}

static void it_dies_as_it_should(enum way way)
{
	int status, pid = fork();

	if (!pid) {
		fd = probe_open(0);
		die(way);
	}
	CHECK(waitpid(pid, &status, 0) == pid, "%s", strerror(errno));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV,
	      "way %d: status %#x", way, status);
}

int main(void)
{
	probe_begin("probe_trap", 50);
	fd = probe_open(0);
	none = probe_map(1, PROT_NONE);
	mem = file_map(NPAGES, RW, SEED + 1);
	probe_fill(mem, NPAGES, SEED);
	blocked_threads_are_served();
	masks_are_the_programs();
	handler_gets_what_is_its();
	handler_on_its_stack();
	other_handlers();
	sent_signals();
	for (enum way way = 0; way < NR_WAYS; way++)
		it_dies_as_it_should(way);
	probe_verify(mem, NPAGES, SEED, "at the end");
	return 0;
}
