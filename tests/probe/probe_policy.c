/* SPDX-License-Identifier: MIT */
/* probe_policy.c - what a policy must not break, by a program that knows of none
 *
 * Run under --policy. Each case does for a while, in several threads, what a
 * policy could get wrong: threads that come and go, memory that is dropped,
 * unmapped, moved and mapped again at the same place, signals on a stack that
 * may be away, forks at any time, files read and written past the page cache, a
 * tracer in the same memory (LeakSanitizer has one) that stops all threads.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define RUN_MS 1500
#define NTHREADS 3
#define NPAGES 256u
#define RW (PROT_READ | PROT_WRITE)

static uint64_t until_ns;

static bool go_on(void)
{
	return probe_now_ns() < until_ns;
}

static void *map(size_t npages)
{
	return probe_map(npages, RW);
}

/* Something for the policy to take, in every case. */
static void *bystander(void *arg)
{
	uint32_t *p = map(NPAGES);

	(void)arg;
	probe_fill(p, NPAGES, 7);
	while (go_on()) {
		probe_pause_ms(3);
		probe_verify(p, NPAGES, 7, "bystander");
	}
	return NULL;
}

static void run_threads(void *(*fn)(void *arg), unsigned int n)
{
	pthread_t t[8];

	for (unsigned int i = 0; i < n; i++)
		CHECK(pthread_create(&t[i], NULL, fn,
				     (void *)(uintptr_t)(i + 1)) == 0, "");
	bystander(NULL);
	for (unsigned int i = 0; i < n; i++)
		CHECK(pthread_join(t[i], NULL) == 0, "");
}

/* ---- threads that come and go ---- */

static __thread unsigned int of_thread;

static void *short_life(void *arg)
{
	unsigned char here[8192];

	of_thread = (unsigned int)(uintptr_t)arg;
	memset(here, (int)of_thread, sizeof(here));
	probe_pause_ms(of_thread % 4);
	for (size_t i = 0; i < sizeof(here); i += 512)
		CHECK(here[i] == (unsigned char)of_thread, "stack");
	return arg;
}

static void *coming_and_going(void *arg)
{
	uintptr_t i = (uintptr_t)arg * 100000;

	while (go_on()) {
		pthread_t t[4];
		void *ret;

		for (int k = 0; k < 4; k++)
			CHECK(pthread_create(&t[k], NULL, short_life,
					     (void *)(i + (uintptr_t)k)) == 0,
			      "");
		for (int k = 0; k < 4; k++, i++) {
			CHECK(pthread_join(t[k], &ret) == 0, "");
			CHECK((uintptr_t)ret == i, "result");
		}
	}
	return NULL;
}

/* ---- memory that is dropped ---- */

static void *dropping(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;
	unsigned char *p = map(NPAGES);

	probe_fill(p, NPAGES, seed);
	while (go_on()) {
		size_t at = (seed = seed * 1103515245 + 12345) % NPAGES;
		size_t n = 1 + seed / 7 % 16;

		if (at + n > NPAGES)
			n = NPAGES - at;
		CHECK(madvise(p + at * page_bytes, n * page_bytes,
			      MADV_DONTNEED) == 0, "");
		probe_verify_zero(p + at * page_bytes, n, "dropped");
		memset(p + at * page_bytes, 0x5a, n * page_bytes);
		for (size_t i = 0; i < n * page_bytes; i += 1000)
			CHECK(p[at * page_bytes + i] == 0x5a, "written");
	}
	return NULL;
}

/* ---- unmapped, mapped, moved ---- */

static void *mapping(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;

	while (go_on()) {
		size_t n = 1 + (seed = seed * 1103515245 + 12345) / 9 % 64;
		unsigned char *p = map(n), *q;

		probe_fill(p, n, seed);
		q = mremap(p, n * page_bytes, (n + 8) * page_bytes,
			   MREMAP_MAYMOVE);
		CHECK(q != MAP_FAILED, "%s", strerror(errno));
		probe_verify(q, n, seed, "moved");
		probe_verify_zero(q + n * page_bytes, 8, "grown");
		CHECK(mmap(q, page_bytes, RW,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			   0) == q, "");
		probe_verify_zero(q, 1, "mapped over");
		CHECK(mprotect(q, n * page_bytes, PROT_READ) == 0, "");
		probe_verify_from(q + page_bytes, n - 1, 1, seed, "protected");
		probe_unmap(q, n + 8);
	}
	return NULL;
}

/* All of @p is @value; fails with which pages are not. */
static void verify_bytes(const unsigned char *p, size_t bytes, size_t value)
{
	size_t first = 0, wrong = 0, last = 0;

	for (size_t i = 0; i < bytes; i += 500)
		if (p[i] != (unsigned char)value) {
			first = wrong++ ? first : i;
			last = i;
		}
	CHECK(!wrong, "%p: of %zu bytes %zu of every 500th, from %zu to %zu, "
	      "are not %zu; the last is %u", (const void *)p, bytes, wrong,
	      first, last, value, p[last]);
}

static void *allocating(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;
	unsigned char *p[64] = { NULL };
	size_t bytes[64] = { 0 };

	while (go_on()) {
		size_t k = (seed = seed * 1103515245 + 12345) / 5 % 64;
		size_t n = 1 + seed / 11 % 300000;

		verify_bytes(p[k], bytes[k], k);
		p[k] = realloc(p[k], n);
		CHECK(p[k], "");
		memset(p[k], (int)k, bytes[k] = n);
	}
	for (size_t k = 0; k < 64; k++)
		free(p[k]);
	return NULL;
}

static void *churning(void *arg)
{
	return (uintptr_t)arg % 2 ? mapping(arg) : allocating(arg);
}

/* ---- signals ---- */

static atomic_uint caught;
static unsigned char *signal_data;

static void on_signal(int sig)
{
	unsigned char here[4096];

	(void)sig;
	memset(here, 3, sizeof(here));
	for (size_t i = 0; i < 16; i++)
		if (signal_data[i * page_bytes] != 9)
			_exit(3);
	caught += here[17] == 3;
}

static void *signalled(void *arg)
{
	size_t npages = 16;
	stack_t st = { .ss_sp = map(npages), .ss_size = npages * page_bytes };
	struct timespec ms = { 0, 1000000 };
	sigset_t mask;

	(void)arg;
	CHECK(sigaltstack(&st, NULL) == 0, "");
	while (go_on()) {
		sigfillset(&mask);
		pthread_sigmask(SIG_SETMASK, &mask, NULL);
		pthread_kill(pthread_self(), SIGUSR1);
		nanosleep(&ms, NULL);	/* it waits, its stack may go */
		sigemptyset(&mask);
		pthread_sigmask(SIG_SETMASK, &mask, NULL);
	}
	st.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&st, NULL) == 0, "");
	return NULL;
}

static void signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal,
				.sa_flags = SA_ONSTACK | SA_RESTART };

	signal_data = map(16);
	memset(signal_data, 9, 16 * page_bytes);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0, "");
	run_threads(signalled, NTHREADS);
	CHECK(caught > 100, "%u", caught);
}

/* ---- forks ---- */

static void *forking(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;
	unsigned char *p = map(NPAGES);

	while (go_on()) {
		pid_t pid;

		probe_fill(p, NPAGES, ++seed);
		pid = fork();
		CHECK(pid >= 0, "%s", strerror(errno));
		if (!pid) {
			probe_verify(p, NPAGES, seed, "in the child");
			memset(p, 1, NPAGES / 2 * page_bytes);
			probe_verify_from(p + NPAGES / 2 * page_bytes,
					  NPAGES / 2, NPAGES / 2, seed,
					  "in the child, later");
			_exit(0);
		}
		probe_verify(p, NPAGES, seed, "in the parent");
		probe_wait(pid, "child");
	}
	return NULL;
}

/* ---- with no descriptor left ---- */

static void *forking_or_churning(void *arg)
{
	return (uintptr_t)arg % 2 ? mapping(arg) : forking(arg);
}

static void full(void)
{
	const struct rlimit lim = { 256, 256 };

	CHECK(!setrlimit(RLIMIT_NOFILE, &lim), "%s", strerror(errno));
	while (fcntl(0, F_DUPFD_CLOEXEC, 0) >= 0)
		;
	CHECK(errno == EMFILE, "%s", strerror(errno));
	run_threads(forking_or_churning, 4);
}

/* ---- files past the page cache ---- */

static void *direct(void *arg)
{
	char path[] = "/tmp/uhmm-probe-XXXXXX";
	uint32_t seed = (uint32_t)(uintptr_t)arg;
	size_t bytes = 64 * page_bytes;
	unsigned char *out = map(64), *in = map(64);
	int fd = mkstemp(path);

	CHECK(fd >= 0 && unlink(path) == 0, "%s", strerror(errno));
	/* not every file system can; buffered, the rest is tested all the same */
	(void)!fcntl(fd, F_SETFL, O_DIRECT);
	while (go_on()) {
		probe_fill(out, 64, ++seed);
		CHECK(pwrite(fd, out, bytes, 0) == (ssize_t)bytes, "%s",
		      strerror(errno));
		CHECK(pread(fd, in, bytes, 0) == (ssize_t)bytes, "%s",
		      strerror(errno));
		probe_verify(in, 64, seed, "read");
		probe_verify(out, 64, seed, "written");
	}
	close(fd);
	return NULL;
}

/* ---- a tracer that shares the memory ---- */

struct traced {
	pid_t pid;
	pid_t tid[16];
	unsigned int n;
	unsigned char *data;
};

static void list_threads(struct traced *t)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc/self/task");

	CHECK(dir, "%s", strerror(errno));
	t->n = 0;
	while ((entry = readdir(dir)) && t->n < 16)
		if (entry->d_name[0] != '.')
			t->tid[t->n++] = (pid_t)strtol(entry->d_name, NULL, 10);
	closedir(dir);
}

static void detach_all(const struct traced *t, unsigned int n)
{
	while (n--)
		(void)syscall(SYS_ptrace, PTRACE_DETACH, t->tid[n], 0, 0);
}

/* A leak detector asks this first; the library wants to know. */
extern int __lsan_is_turned_off(void) __attribute__((weak));

/* All stand still, those included that see to it that memory comes back. Libc
 * knows nothing of this process. */
static int tracer(void *arg)
{
	const struct traced *t = arg;
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < t->n; i++) {
		if (syscall(SYS_ptrace, PTRACE_ATTACH, t->tid[i], 0, 0) ||
		    syscall(SYS_wait4, t->tid[i], NULL, __WALL, NULL) < 0) {
			detach_all(t, i);
			return 2;
		}
	}
	for (size_t i = 0; i < NPAGES * page_bytes; i += 64)
		wrong += t->data[i] != (unsigned char)(i / page_bytes);
	detach_all(t, t->n);
	return wrong != 0;
}

static void traced(void)
{
	static _Alignas(16) unsigned char stack[65536];
	struct traced t = { .data = map(NPAGES) };

	for (size_t i = 0; i < NPAGES; i++)
		memset(t.data + i * page_bytes, (int)i, page_bytes);
	probe_pause_ms(100);	/* some of it is taken */
	for (int i = 0; i < 20; i++) {
		int status;
		pid_t pid;

		if (__lsan_is_turned_off)
			CHECK(__lsan_is_turned_off() == 0, "");
		list_threads(&t);
		pid = clone(tracer, stack + sizeof(stack),
			    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_UNTRACED,
			    &t);
		CHECK(pid > 0, "%s", strerror(errno));
		(void)prctl(PR_SET_PTRACER, pid, 0, 0, 0);
		CHECK(waitpid(pid, &status, __WALL) == pid, "");
		CHECK(status == 0, "status %x", (unsigned int)status);
	}
}

static void cases(const char *name)
{
	if (!strcmp(name, "threads"))
		run_threads(coming_and_going, NTHREADS);
	else if (!strcmp(name, "drop"))
		run_threads(dropping, NTHREADS);
	else if (!strcmp(name, "churn"))
		run_threads(churning, 2 * NTHREADS);
	else if (!strcmp(name, "signals"))
		signals();
	else if (!strcmp(name, "forks"))
		run_threads(forking, 2);
	else if (!strcmp(name, "full"))
		full();
	else if (!strcmp(name, "direct"))
		run_threads(direct, NTHREADS);
	else if (!strcmp(name, "traced"))
		traced();
	else
		probe_fail("no case %s", name);
}

int main(int argc, char **argv)
{
	probe_begin("probe_policy", 50);
	CHECK(argc > 1, "name a case");
	until_ns = probe_now_ns() + UINT64_C(1000000) * RUN_MS;
	cases(argv[1]);
	return 0;
}
