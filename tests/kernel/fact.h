/* SPDX-License-Identifier: MIT */
/*
 * fact.h - what the kernel-fact tests share
 *
 * Each C file beside this one pins down one behaviour of the kernel that the
 * emulator relies on. It includes fact*.h and nothing else of the project, so
 * that it can be compiled and run alone on a kernel under suspicion:
 *
 *	cc -pthread wp_marker.c && ./a.out; echo $?
 *
 * Exit status: 0 the kernel behaves so; 1 it does not, one line says which
 * fact; 77 this kernel or this user lacks what the fact is about, one line
 * says what.
 *
 * What the emulator relies on is stated by FACT(); what it merely must survive
 * by TRAP(), which fails nothing.
 *
 * Units:   addresses are pointers, lengths are counts of pages (npages).
 * Errors:  what may fail as part of a fact returns 0 (or a count) or -errno;
 *          what must work to get to the fact ends the program.
 * Threads: any thread and any forked child may end the program by a failing
 *          fact; every process ends itself after FACT_SECONDS.
 *
 * fact_api.h has the kernel's numbers, fact_uffd.h what concerns userfaultfd.
 */
#ifndef UHMM_TESTS_KERNEL_FACT_H
#define UHMM_TESTS_KERNEL_FACT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fact_api.h"

#define FACT_PAGE_SIZE 4096UL
#define FACT_SECONDS 10 /* a process older than this hangs */
#define FACT_FILL 0x5a	/* every byte of fact_fill() */

/* Still standing after this long counts as waiting. */
#define FACT_STILL_MS 30
/* What should happen has this long to happen. */
#define FACT_SOON_MS 5000

/* --- saying what is the matter ------------------------------------------- */

__attribute__((format(printf, 2, 3))) static inline _Noreturn void
fact_end(int status, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		status = 1;
	_exit(status);
}

/* The test says why it cannot tell, and ends. */
#define fact_skip(fmt, ...) fact_end(77, "skipped: " fmt, ##__VA_ARGS__)

/* What the test needs in order to get to the fact failed. */
#define NEED(cond, what) \
	do { \
		if (!(cond)) \
			fact_end(1, "%s:%d: cannot set up: %s (%s): %s", \
				 __FILE__, __LINE__, what, #cond, \
				 strerror(errno)); \
	} while (0)

/* FACT() - @cond must hold; @fact is a sentence about the kernel */
#define FACT(cond, fact) \
	do { \
		if (!(cond)) \
			fact_end(1, \
				 "%s:%d: this kernel behaves otherwise: " \
				 "%s (not true: %s)", \
				 __FILE__, __LINE__, fact, #cond); \
	} while (0)

/*
 * TRAP() - something unpleasant that the emulator has to live with. It fails
 * nothing where a kernel is better: it says so, and the test goes on.
 */
#define TRAP(cond, fact) \
	do { \
		if (!(cond)) \
			fprintf(stderr, \
				"%s:%d: note: not so on this kernel: " \
				"%s\n", \
				__FILE__, __LINE__, fact); \
	} while (0)

/* FACT_IS() - @got, a number or -errno, must be @want */
#define FACT_IS(got, want, fact) \
	fact_is((long)(got), (long)(want), fact, #got, __FILE__, __LINE__)

static inline const char *fact_number(char *buf, size_t size, long n)
{
	if (n < 0 && n > -4096)
		snprintf(buf, size, "-%s", strerrorname_np((int)-n));
	else
		snprintf(buf, size, "%ld", n);
	return buf;
}

static inline void fact_is(long got, long want, const char *fact,
			   const char *expr, const char *file, int line)
{
	char g[32];
	char w[32];

	if (got == want)
		return;
	fact_end(1,
		 "%s:%d: this kernel behaves otherwise: %s "
		 "(%s is %s, expected %s)",
		 file, line, fact, expr, fact_number(g, sizeof(g), got),
		 fact_number(w, sizeof(w), want));
}

/* --- processes, threads, time -------------------------------------------- */

static inline void fact_hangs(int sig)
{
	static const char line[] =
		"this kernel behaves otherwise: the test hangs\n";

	(void)sig;
	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
		_exit(2);
	_exit(1);
}

/* Every process of a test calls this first. */
static inline void fact_begin(void)
{
	signal(SIGALRM, fact_hangs);
	alarm(FACT_SECONDS);
}

/**
 * fact_fork() - fork a process that ends with its parent
 * Return: as fork()
 */
static inline pid_t fact_fork(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	NEED(pid >= 0, "fork");
	if (!pid) {
		fact_begin();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

/* Wait for @pid; what it found (or could not find) out is our result. */
static inline void fact_reap(pid_t pid)
{
	int status = 0;

	NEED(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status))
		_exit(WEXITSTATUS(status));
	NEED(WIFEXITED(status), "child killed by a signal");
}

static inline void fact_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	NEED(waitpid(pid, NULL, 0) == pid, "waitpid");
}

static inline void fact_sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/**
 * struct fact_thread - a thread that may get stuck
 * @id:   to signal it
 * @tid:  the same to the kernel, 0 until it runs
 * @fn:   what it does, once
 * @arg:  for @fn
 * @ret:  what @fn returned, valid when @done
 * @done: @fn has returned
 */
struct fact_thread {
	pthread_t id;
	pid_t tid;
	long (*fn)(void *arg);
	void *arg;
	long ret;
	bool done;
};

static inline void *fact_thread_main(void *arg)
{
	struct fact_thread *t = arg;

	__atomic_store_n(&t->tid, gettid(), __ATOMIC_RELEASE);
	t->ret = t->fn(t->arg);
	__atomic_store_n(&t->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static inline void fact_start(struct fact_thread *t, long (*fn)(void *arg),
			      void *arg)
{
	*t = (struct fact_thread){ .fn = fn, .arg = arg };
	errno = pthread_create(&t->id, NULL, fact_thread_main, t);
	NEED(!errno, "pthread_create");
}

static inline bool fact_done_within(struct fact_thread *t, int ms)
{
	for (int i = 0; i < ms * 10; i++) {
		if (__atomic_load_n(&t->done, __ATOMIC_ACQUIRE))
			return true;
		usleep(100);
	}
	return false;
}

/* Is the thread still waiting, after it had the time to get through? */
static inline bool fact_waits(struct fact_thread *t)
{
	return !fact_done_within(t, FACT_STILL_MS);
}

/* Has the thread got through, or does it within a generous time? */
static inline bool fact_gets_through(struct fact_thread *t)
{
	return fact_done_within(t, FACT_SOON_MS);
}

/* Is the thread asleep right now, not running or about to? */
static inline bool fact_sleeps(struct fact_thread *t)
{
	pid_t tid = __atomic_load_n(&t->tid, __ATOMIC_ACQUIRE);
	char path[64];
	char stat[256] = "";
	char *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = tid ? fopen(path, "re") : NULL;
	if (!f)
		return false;
	state = fgets(stat, sizeof(stat), f) ? strrchr(stat, ')') : NULL;
	fclose(f);
	return state && state[1] && state[2] != 'R';
}

/* Wait until the thread has come to rest where it waits. */
static inline void fact_settle(struct fact_thread *t)
{
	int seen = 0;

	for (int i = 0; i < FACT_SOON_MS && seen < 3; i++) {
		fact_sleep_ms(1);
		seen = fact_sleeps(t) ? seen + 1 : 0;
	}
	NEED(seen == 3, "a thread does not come to rest");
}

/* --- memory -------------------------------------------------------------- */

/* @npages of anonymous memory with no neighbours, small pages only */
static inline char *fact_map(size_t npages)
{
	size_t len = npages * FACT_PAGE_SIZE;
	char *p = mmap(NULL, len + 2 * FACT_PAGE_SIZE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(p != MAP_FAILED, "mmap");
	p += FACT_PAGE_SIZE;
	NEED(!mprotect(p, len, PROT_READ | PROT_WRITE), "mprotect");
	madvise(p, len, MADV_NOHUGEPAGE); /* EINVAL: there are none */
	return p;
}

/* @npages of plain memory at @p, with @flags for mmap(2); 0 or -errno */
static inline int fact_map_at(char *p, size_t npages, int flags)
{
	void *got = mmap(p, npages * FACT_PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return got == p ? 0 : -errno;
}

/* @npages of address space with nothing in it that may be replaced */
static inline char *fact_reserve(size_t npages)
{
	char *p = fact_map(npages);

	NEED(!mprotect(p, npages * FACT_PAGE_SIZE, PROT_NONE), "mprotect");
	return p;
}

static inline char *fact_page(char *base, size_t nth)
{
	return base + nth * FACT_PAGE_SIZE;
}

static inline int fact_protect(char *p, size_t npages, int prot)
{
	return mprotect(p, npages * FACT_PAGE_SIZE, prot) ? -errno : 0;
}

static inline int fact_advise(char *p, size_t npages, int advice)
{
	return madvise(p, npages * FACT_PAGE_SIZE, advice) ? -errno : 0;
}

/* @npages full of FACT_FILL, to copy from */
static inline char *fact_fill(size_t npages)
{
	char *p = fact_map(npages);

	memset(p, FACT_FILL, npages * FACT_PAGE_SIZE);
	return p;
}

/* Thread functions: touch the byte at @p. */
static inline long fact_load(void *p)
{
	return *(volatile unsigned char *)p;
}

static inline long fact_store(void *p)
{
	*(volatile unsigned char *)p = 0x77;
	return 0;
}

/* Thread function: let the kernel write to the byte at @p. */
static inline long fact_read_into(void *p)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	long ret = 0;

	NEED(fd >= 0, "/dev/zero");
	if (read(fd, p, 1) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/**
 * struct fact_range - argument of the thread functions below
 */
struct fact_range {
	char *p;
	size_t npages;
};

static inline long fact_dontneed(void *arg)
{
	struct fact_range *r = arg;

	return fact_advise(r->p, r->npages, MADV_DONTNEED);
}

static inline long fact_munmap(void *arg)
{
	struct fact_range *r = arg;

	return munmap(r->p, r->npages * FACT_PAGE_SIZE) ? -errno : 0;
}

/* --- /proc/PID ----------------------------------------------------------- */

static inline int fact_open_proc(const char *file, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/%s", file);
	fd = open(path, flags | O_CLOEXEC);
	NEED(fd >= 0, path);
	return fd;
}

/* One byte at @p through the descriptor @mem of a /proc/PID/mem, or -errno */
static inline long fact_mem_read(int mem, const char *p)
{
	unsigned char byte = 0;
	ssize_t n = pread(mem, &byte, 1, (off_t)(uintptr_t)p);

	if (n < 0)
		return -errno;
	return n == 1 ? byte : -ENODATA;
}

/* 1, or -errno */
static inline long fact_mem_write(int mem, const char *p, unsigned char byte)
{
	ssize_t n = pwrite(mem, &byte, 1, (off_t)(uintptr_t)p);

	return n < 0 ? -errno : n;
}

/* The FACT_PM_BITS of page @p through the descriptor of a /proc/PID/pagemap */
static inline uint64_t fact_pagemap(int fd, const char *p)
{
	off_t at = (off_t)((uintptr_t)p / FACT_PAGE_SIZE * sizeof(uint64_t));
	uint64_t entry = 0;

	NEED(pread(fd, &entry, sizeof(entry), at) == sizeof(entry), "pagemap");
	return entry & FACT_PM_BITS;
}

/* The same for our own memory */
static inline uint64_t fact_state(const char *p)
{
	int fd = fact_open_proc("pagemap", O_RDONLY);
	uint64_t bits = fact_pagemap(fd, p);

	close(fd);
	return bits;
}

static inline const char *fact_bits(char *buf, size_t size, uint64_t bits)
{
	snprintf(buf, size, "[%s%s%s%s%s ]",
		 bits & FACT_PM_PRESENT ? " present" : "",
		 bits & FACT_PM_SWAP ? " swap" : "",
		 bits & FACT_PM_FILE ? " file" : "",
		 bits & FACT_PM_WP ? " write-protected" : "",
		 bits & FACT_PM_EXCL ? " exclusive" : "");
	return buf;
}

static inline void fact_bits_are(uint64_t got, uint64_t want, const char *fact,
				 const char *file, int line)
{
	char g[64];
	char w[64];

	if (got == want)
		return;
	fact_end(1,
		 "%s:%d: this kernel behaves otherwise: %s "
		 "(pagemap says %s, expected %s)",
		 file, line, fact, fact_bits(g, sizeof(g), got),
		 fact_bits(w, sizeof(w), want));
}

/* FACT_STATE() - pagemap must say @want about our page @p */
#define FACT_STATE(p, want, fact) \
	fact_bits_are(fact_state(p), want, fact, __FILE__, __LINE__)

/* How many lines of /proc/self/maps touch the @npages from @p */
static inline int fact_count_vmas(const char *p, size_t npages)
{
	uintptr_t from = (uintptr_t)p;
	uintptr_t to = from + npages * FACT_PAGE_SIZE;
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	int count = 0;

	NEED(f, "/proc/self/maps");
	while (fgets(line, sizeof(line), f)) {
		char *rest;
		uintptr_t start = strtoul(line, &rest, 16);
		uintptr_t end = strtoul(rest + 1, NULL, 16);

		if (start < to && end > from)
			count++;
	}
	fclose(f);
	return count;
}

/* --- handing descriptors over -------------------------------------------- */

static inline void fact_pair(int pair[2])
{
	NEED(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair),
	     "socketpair");
}

static inline void fact_send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec io = { "f", 1 };
	struct msghdr msg = {
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	NEED(sendmsg(sock, &msg, 0) == 1, "sendmsg");
}

/* The other process is gone: if it was our child, it has said why. */
static inline _Noreturn void fact_lost(void)
{
	int status = 0;

	if (waitpid(-1, &status, 0) < 0 || !WIFEXITED(status))
		_exit(1);
	_exit(WEXITSTATUS(status) ? WEXITSTATUS(status) : 1);
}

static inline int fact_recv_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte = 0;
	struct iovec io = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd = -1;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		fact_lost();
	NEED(CMSG_FIRSTHDR(&msg), "no descriptor came");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* One word across @sock, so that two processes take turns */
static inline void fact_say(int sock, uintptr_t word)
{
	NEED(send(sock, &word, sizeof(word), MSG_NOSIGNAL) == sizeof(word),
	     "send");
}

static inline uintptr_t fact_hear(int sock)
{
	uintptr_t word = 0;

	if (recv(sock, &word, sizeof(word), 0) != sizeof(word))
		fact_lost();
	return word;
}

#endif /* UHMM_TESTS_KERNEL_FACT_H */
