/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SKIPPED 77

size_t page_bytes = 4096;
static const char *probe_name = "probe";

static void say(const char *what, const char *fmt, va_list ap)
{
	char line[512];
	int n;

	n = snprintf(line, sizeof(line), "%s: %s: ", probe_name, what);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	if (write(PROBE_ERR_FD, line, (size_t)n) < 0)
		return;
}

void probe_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("FAILED", fmt, ap);
	va_end(ap);
	_exit(1);
}

void probe_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("skipped", fmt, ap);
	va_end(ap);
	_exit(SKIPPED);
}

static void time_is_up(int sig)
{
	static const char text[] = ": FAILED: time is up\n";

	(void)sig;
	if (write(PROBE_ERR_FD, probe_name, strlen(probe_name)) < 0 ||
	    write(PROBE_ERR_FD, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(1);
}

/* An emulated machine takes so many times as long. */
static unsigned int patience(void)
{
	const char *times = getenv("UHMM_TEST_PATIENCE");
	long n = times ? strtol(times, NULL, 10) : 1;

	return n < 1 || n > 100 ? 1 : (unsigned int)n;
}

void probe_begin(const char *name, unsigned int seconds)
{
	struct sigaction sa = { .sa_handler = time_is_up };

	probe_name = name;
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	dup3(STDERR_FILENO, PROBE_ERR_FD, O_CLOEXEC);
	sigaction(SIGALRM, &sa, NULL);
	alarm(seconds * patience());
}

unsigned long probe_argument(int argc, char **argv, int i,
			     unsigned long fallback)
{
	char *end;
	unsigned long v;

	if (i >= argc)
		return fallback;
	v = strtoul(argv[i], &end, 0);
	if (end == argv[i] || *end)
		probe_fail("'%s' is no number", argv[i]);
	return v;
}

uint64_t probe_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void probe_pause_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000,
			       .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

int probe_open(unsigned int minor)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/hmm_dmirror%u", minor);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		probe_fail("%s: %s", path, strerror(errno));
	return fd;
}

void *probe_map(size_t npages, int prot)
{
	void *p = mmap(NULL, npages * page_bytes, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED, "%s", strerror(errno));
	return p;
}

bool probe_kernel(unsigned int major, unsigned int minor)
{
	struct utsname name;
	unsigned int have[2] = { 0, 0 };

	CHECK(!uname(&name) &&
	      sscanf(name.release, "%u.%u", &have[0], &have[1]) == 2, "uname");
	return have[0] > major || (have[0] == major && have[1] >= minor);
}

int probe_lost_signal(void)
{
	return probe_kernel(6, 6) ? SIGBUS : SIGSEGV;
}

void probe_unmap(void *p, size_t npages)
{
	CHECK(munmap(p, npages * page_bytes) == 0, "%s", strerror(errno));
}

int probe_try(int fd, unsigned long request, const void *addr, size_t npages,
	      void *ptr, struct uhmm_dmirror_cmd *out)
{
	struct uhmm_dmirror_cmd cmd = { .addr = (uintptr_t)addr,
					.ptr = (uintptr_t)ptr,
					.npages = npages,
					.cpages = 77,
					.faults = 88 };
	int ret;

	do
		ret = ioctl(fd, request, &cmd);
	while (ret < 0 && errno == EINTR);
	ret = ret < 0 ? -errno : ret;
	if (ret < 0 && (cmd.cpages != 77 || cmd.faults != 88))
		probe_fail("a request that failed (%s) wrote to its struct",
			   strerror(-ret));
	if (out)
		*out = cmd;
	return ret;
}

void probe_do(int fd, unsigned long request, const void *addr, size_t npages,
	      void *ptr)
{
	struct uhmm_dmirror_cmd cmd;
	int ret = probe_try(fd, request, addr, npages, ptr, &cmd);

	CHECK(ret == 0, "request %#lx of %zu pages: %s", request, npages,
	      strerror(-ret));
	CHECK(cmd.cpages == npages, "request %#lx: %zu of %zu pages", request,
	      (size_t)cmd.cpages, npages);
}

void probe_to_dev(int fd, const void *addr, size_t npages)
{
	void *before = malloc(npages * page_bytes);
	void *after = malloc(npages * page_bytes);

	CHECK(before && after, "no memory");
	memcpy(before, addr, npages * page_bytes);
	probe_do(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, addr, npages, after);
	CHECK(!memcmp(before, after, npages * page_bytes),
	      "the device has other data than the CPU had");
	free(before);
	free(after);
}

void probe_to_sys(int fd, const void *addr, size_t npages)
{
	int ret = probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_SYS, addr, npages, NULL,
			    NULL);

	CHECK(ret == 0, "%s", strerror(-ret));
}

struct probe_where probe_where(int fd, const void *addr, size_t npages)
{
	struct probe_where w = { 0 };
	unsigned char *byte = malloc(npages);

	CHECK(byte, "no memory");
	probe_do(fd, UHMM_DMIRROR_SNAPSHOT, addr, npages, byte);
	for (size_t i = 0; i < npages; i++) {
		if (byte[i] == UHMM_DMIRROR_PROT_ERROR)
			w.no_memory++;
		else if (byte[i] == UHMM_DMIRROR_PROT_NONE)
			w.nothing++;
		else if ((byte[i] & 0xf0) ==
			 UHMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL)
			w.on_device++;
		else
			w.in_memory++;
	}
	free(byte);
	return w;
}

void probe_pagemap(const void *addr, size_t npages, size_t *present,
		   size_t *swapped)
{
	size_t bytes = npages * sizeof(uint64_t);
	uint64_t *entry = malloc(bytes);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t at = (off_t)((uintptr_t)addr / page_bytes * sizeof(uint64_t));

	CHECK(entry && fd >= 0, "%s", strerror(errno));
	CHECK(pread(fd, entry, bytes, at) == (ssize_t)bytes, "%s",
	      strerror(errno));
	*present = *swapped = 0;
	for (size_t i = 0; i < npages; i++) {
		*present += entry[i] >> 63 & 1;
		*swapped += entry[i] >> 62 & 1;
	}
	close(fd);
	free(entry);
}

static uint32_t word_at(size_t i, uint32_t seed)
{
	return ((uint32_t)i + seed) * 2654435761u ^ seed;
}

void probe_fill(void *p, size_t npages, uint32_t seed)
{
	uint32_t *w = p;

	for (size_t i = 0; i < npages * page_bytes / sizeof(*w); i++)
		w[i] = word_at(i, seed);
}

void probe_verify_from(const void *p, size_t npages, size_t first,
		       uint32_t seed, const char *when)
{
	const uint32_t *w = p;
	size_t start = first * page_bytes / sizeof(*w);

	for (size_t i = 0; i < npages * page_bytes / sizeof(*w); i++)
		if (w[i] != word_at(start + i, seed))
			probe_fail("%s: page %zu of %zu has %#x, not %#x", when,
				   i * sizeof(*w) / page_bytes, npages, w[i],
				   word_at(start + i, seed));
}

void probe_verify(const void *p, size_t npages, uint32_t seed, const char *when)
{
	probe_verify_from(p, npages, 0, seed, when);
}

void probe_verify_zero(const void *p, size_t npages, const char *when)
{
	const uint32_t *w = p;

	for (size_t i = 0; i < npages * page_bytes / sizeof(*w); i++)
		if (w[i])
			probe_fail("%s: page %zu of %zu has %#x, not 0", when,
				   i * sizeof(*w) / page_bytes, npages, w[i]);
}

static sigjmp_buf back;

static void jump_back(int sig)
{
	siglongjmp(back, sig);
}

int probe_dies_of(volatile uint32_t *p, bool write)
{
	struct sigaction sa = { .sa_handler = jump_back }, old[2];
	int sig;

	sigaction(SIGSEGV, &sa, &old[0]);
	sigaction(SIGBUS, &sa, &old[1]);
	sig = sigsetjmp(back, 1);
	if (sig == 0) {
		uint32_t v = *p;

		if (write)
			*p = v;
	}
	sigaction(SIGSEGV, &old[0], NULL);
	sigaction(SIGBUS, &old[1], NULL);
	return sig;
}

void probe_wait(int pid, const char *who)
{
	int status;

	CHECK(pid > 0, "%s: fork: %s", who, strerror(errno));
	CHECK(waitpid(pid, &status, 0) == pid, "%s: %s", who, strerror(errno));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	      "%s ended with status %#x", who, (unsigned int)status);
}

size_t probe_count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	CHECK(d, "%s: %s", dir, strerror(errno));
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}
