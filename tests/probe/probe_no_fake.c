/* SPDX-License-Identifier: MIT */
/* probe_no_fake.c - what is on the device is nowhere the program can reach
 *
 * A random pattern lies in a page. While the page is on the device no mapping
 * that the program may read, write or run has it. It is in exactly one place:
 * the daemon's device memory or, with the engine that moves, a mapping that the
 * program did not make and cannot access, where every touch is a SIGSEGV. After
 * a touch of the page itself it is back and the device page is free.
 *
 * The program knows the pattern only masked, so that the search finds neither
 * what it looks for nor its own buffer. It finds a part of the pattern, too. It
 * reads itself by bare system calls: pread() would bring back what it looks at,
 * as a kernel that has the device does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "peek.h"
#include "probe.h"
#include "sys/uapi.h"

#define NPAGES 16
#define THE_PAGE 7
#define OFFSET 1234
#define MAGIC_BYTES 64
#define PART_BYTES 16
#define MASK 0x5a
#define WINDOW_BYTES (1u << 20)

static unsigned char masked[MAGIC_BYTES];
static unsigned char window[WINDOW_BYTES];
static unsigned char *mem; /* NPAGES */
static bool away;	   /* it is on the device */

/* Parts of the pattern in the program, and where the last one is that is in a
 * mapping it cannot access. */
struct found {
	size_t open, shut;
	uint64_t shut_at;
};

static void put_magic(volatile unsigned char *to)
{
	for (size_t i = 0; i < MAGIC_BYTES; i++)
		to[i] = masked[i] ^ MASK;
}

static bool has_magic(const volatile unsigned char *p)
{
	for (size_t i = 0; i < MAGIC_BYTES; i++)
		if ((p[i] ^ MASK) != masked[i])
			return false;
	return true;
}

/* Is one of the parts of the pattern at window[@at]? */
static bool has_part(size_t at)
{
	for (size_t part = 0; part < MAGIC_BYTES; part += PART_BYTES) {
		size_t i = 0;

		while (i < PART_BYTES &&
		       (window[at + i] ^ MASK) == masked[part + i])
			i++;
		if (i == PART_BYTES)
			return true;
	}
	return false;
}

static size_t last_found; /* offset in the window */

static size_t count_in_window(size_t bytes)
{
	size_t n = 0;

	for (size_t at = 0; at + PART_BYTES <= bytes; at++)
		if (has_part(at)) {
			last_found = at;
			n++;
		}
	explicit_bzero(window, bytes);
	return n;
}

static bool is_in(uint64_t addr, const void *p, size_t bytes)
{
	return addr - (uintptr_t)p < bytes;
}

/* Our window; and where no daemon is, since a kernel brings pages back for
 * who reads them through /proc, the pages themselves. */
static bool is_left_out(uint64_t addr)
{
	return is_in(addr, window, sizeof(window)) ||
	       (away && !peek_has_daemon() &&
		is_in(addr, mem, NPAGES * page_bytes));
}

/* Parts in [start, end) of the file @fd, but for what is left out. */
static size_t count_in_range(int fd, uint64_t start, uint64_t end)
{
	size_t n = 0;

	while (start < end) {
		uint64_t want = end - start;
		ssize_t got;

		if (want > sizeof(window))
			want = sizeof(window);
		got = is_left_out(start)
			      ? -1
			      : syscall(SYS_pread64, fd, window, want, start);
		if (got < PART_BYTES) {
			start = (start / page_bytes + 1) * page_bytes;
			continue;
		}
		n += count_in_window((size_t)got);
		start += (uint64_t)got == end - start
				 ? (uint64_t)got
				 : (uint64_t)got - (PART_BYTES - 1);
		if ((uint64_t)got < want) /* what follows cannot be read */
			start = (start / page_bytes + 1) * page_bytes;
	}
	return n;
}

/* The first stretch of pages from @start on that are there; false: none. To
 * read the holes of a large mapping would fill them. */
static bool next_present(int pagemap, uint64_t start, uint64_t end,
			 struct uhmm_page_region *r)
{
	struct uhmm_pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = end,
		.vec = (uintptr_t)r,
		.vec_len = 1,
		.category_anyof_mask = UHMM_PAGE_IS_PRESENT |
				       UHMM_PAGE_IS_SWAPPED,
		.return_mask = UHMM_PAGE_IS_PRESENT,
	};
	long n = ioctl(pagemap, UHMM_PAGEMAP_SCAN, &arg);

	if (n < 0 && start < end) { /* before 6.7 all of it is read */
		*r = (struct uhmm_page_region){ start, end, 0 };
		return true;
	}
	return n > 0;
}

/* Parts in a mapping that the program cannot access. */
static void count_shut(int fd, uint64_t start, uint64_t end, struct found *f)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct uhmm_page_region r;

	CHECK(pagemap >= 0, "%s", strerror(errno));
	while (next_present(pagemap, start, end, &r)) {
		for (start = r.start; start < r.end; start += page_bytes) {
			size_t n = count_in_range(fd, start,
						  start + page_bytes);

			f->shut += n;
			if (n)
				f->shut_at = start + last_found;
		}
	}
	close(pagemap);
}

static struct found count_in_program(void)
{
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	FILE *maps = fopen("/proc/self/maps", "re");
	struct found f = { .open = 0 };
	char line[512], prot[5];

	CHECK(fd >= 0 && maps, "%s", strerror(errno));
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx %4s", &start, &end, prot) != 3 ||
		    strstr(line, "[vsyscall]"))
			continue;
		if (!strncmp(prot, "---", 3))
			count_shut(fd, start, end, &f);
		else
			f.open += count_in_range(fd, start, end);
	}
	fclose(maps);
	close(fd);
	return f;
}

static sigjmp_buf trapped;

static void on_segv(int sig)
{
	siglongjmp(trapped, sig);
}

/* Does every kind of touch of this byte end in a SIGSEGV? */
static bool is_out_of_reach(uint64_t at)
{
	const struct sigaction segv = { .sa_handler = on_segv };
	volatile unsigned char *p = (unsigned char *)(uintptr_t)at;
	struct sigaction old;
	volatile int traps = 0;

	CHECK(!sigaction(SIGSEGV, &segv, &old), "%s", strerror(errno));
	if (!sigsetjmp(trapped, 1))
		(void)*p;
	else
		traps++;
	if (!sigsetjmp(trapped, 1))
		*p = 1;
	else
		traps++;
	CHECK(!sigaction(SIGSEGV, &old, NULL), "%s", strerror(errno));
	return traps == 2;
}

/* Parts in what is allocated of a sparse file. */
static size_t count_in_file(int fd)
{
	off_t data = 0, hole;
	size_t n = 0;

	while ((data = lseek(fd, data, SEEK_DATA)) >= 0) {
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole <= data)
			break;
		n += count_in_range(fd, (uint64_t)data, (uint64_t)hole);
		data = hole;
	}
	return n;
}

static size_t count_in_fd(const char *dir, const char *name)
{
	char path[600], target[256] = "";
	size_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (readlink(path, target, sizeof(target) - 1) < 0 ||
	    !strstr(target, "memfd:uhmm-devmem"))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0, "%s: %s", path, strerror(errno));
	n = count_in_file(fd);
	close(fd);
	return n;
}

/* Return: -1 we may not look at the daemon */
static long count_on_device(void)
{
	char dir[64];
	struct dirent *e;
	long n = 0;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", peek_daemon_pid());
	d = opendir(dir);
	if (!d)
		return -1;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			n += (long)count_in_fd(dir, e->d_name);
	closedir(d);
	return n;
}

static void to_device(int fd)
{
	void *buf = probe_map(NPAGES, PROT_READ | PROT_WRITE);
	size_t present, swapped;

	probe_do(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, mem, NPAGES, buf);
	CHECK(has_magic((unsigned char *)buf + THE_PAGE * page_bytes + OFFSET),
	      "not in what the device handed back");
	probe_unmap(buf, NPAGES);
	probe_pagemap(mem, NPAGES, &present, &swapped);
	CHECK(present == 0, "%zu pages are present", present);
	away = true;
}

/* While it is on the device: nowhere, or where the program cannot look. */
static void check_away(void)
{
	struct found f = count_in_program();
	size_t present, swapped;
	long n;

	CHECK(f.open == 0, "the program still has the data");
	CHECK(f.shut == 0 || is_out_of_reach(f.shut_at), "%#llx can be reached",
	      (unsigned long long)f.shut_at);
	probe_pagemap(mem, NPAGES, &present, &swapped);
	CHECK(present == 0, "looking brought %zu pages back", present);
	if (!peek_has_daemon())
		return;
	n = count_on_device();
	CHECK(n == -1 || (size_t)n + f.shut == MAGIC_BYTES / PART_BYTES,
	      "%ld parts in device memory, %zu in memory out of reach", n,
	      f.shut);
	peek_await_pages(NPAGES, "while they are there");
}

int main(void)
{
	size_t present, swapped;
	struct found f;
	int fd;

	probe_begin("probe_no_fake", 50);
	CHECK(getrandom(masked, sizeof(masked), 0) == sizeof(masked), "random");
	mem = probe_map(NPAGES, PROT_READ | PROT_WRITE);
	probe_fill(mem, NPAGES, 1);
	put_magic(mem + THE_PAGE * page_bytes + OFFSET);
	f = count_in_program();
	CHECK(f.open == MAGIC_BYTES / PART_BYTES && f.shut == 0,
	      "the search does not find what is there, or finds more");

	fd = probe_open(0);
	to_device(fd);
	check_away();

	for (size_t i = 0; i < NPAGES; i++)
		(void)*(volatile unsigned char *)(mem + i * page_bytes);
	CHECK(has_magic(mem + THE_PAGE * page_bytes + OFFSET),
	      "other data came back");
	probe_pagemap(mem, NPAGES, &present, &swapped);
	CHECK(present == NPAGES, "%zu pages are present", present);
	peek_await_pages(0, "after all were touched");
	CHECK(count_in_program().open == MAGIC_BYTES / PART_BYTES,
	      "it is not there alone");
	return 0;
}
