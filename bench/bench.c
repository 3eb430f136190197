/* SPDX-License-Identifier: MIT */
/* bench.c - samples, median, JSON (bench.h) */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Pages touched for the yardstick, and how often. */
#define TOUCH_NPAGES 8192
#define TOUCH_TIMES 9

uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void bench_add(struct bench *b, uint64_t from_ns, uint64_t units)
{
	uint64_t ns = bench_now_ns() - from_ns;

	if (b->n < BENCH_SAMPLES_MAX)
		b->ns[b->n++] = (double)ns / (double)units;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), by_size);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Touch fresh anonymous memory once. */
static void touch_once(struct bench *b)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = TOUCH_NPAGES * page;
	volatile char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t from;

	if (p == MAP_FAILED) {
		perror("bench: mmap");
		exit(1);
	}
	madvise((void *)p, bytes, MADV_NOHUGEPAGE);
	from = bench_now_ns();
	for (size_t i = 0; i < bytes; i += page)
		p[i] = 1;
	bench_add(b, from, TOUCH_NPAGES);
	munmap((void *)p, bytes);
}

double bench_first_touch_ns(void)
{
	static double ns;
	struct bench b = { .name = "first_touch" };

	if (ns > 0)
		return ns;
	for (int i = 0; i < TOUCH_TIMES; i++)
		touch_once(&b);
	ns = median(b.ns, b.n);
	return ns;
}

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "none";
}

void bench_print(const struct bench *b)
{
	struct bench sorted = *b;
	double touch = bench_first_touch_ns(), mid;

	if (!b->n)
		return;
	mid = median(sorted.ns, sorted.n);
	printf("{\"bench\": \"%s\", \"engine\": \"%s\", \"loop\": \"%s\", "
	       "\"ns_per_%s\": %.1f, \"ratio\": %.3f, "
	       "\"first_touch_ns\": %.1f, \"n\": %u, "
	       "\"min\": %.1f, \"max\": %.1f}\n",
	       b->name, env("UHMM_ENGINE"), env("UHMM_LOOP"),
	       b->unit ? b->unit : "page", mid, mid / touch, touch, b->n,
	       sorted.ns[0], sorted.ns[sorted.n - 1]);
	fflush(stdout);
}
