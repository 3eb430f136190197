/* SPDX-License-Identifier: MIT */
/* bench.c - samples, median, JSON (bench.h) */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Pages touched for one sample of the yardstick. */
#define TOUCH_NPAGES 1024

struct bench_options bench_options = { .times = 9 };

int bench_parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "only", required_argument, NULL, 'o' },
		{ 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (opt == 'q') {
			bench_options.quick = true;
			bench_options.times = 5;
		} else if (opt == 'o') {
			bench_options.only = optarg;
		} else {
			fputs("usage: [--quick] [--only NAME,NAME...]\n",
			      stderr);
			exit(2);
		}
	}
	return optind;
}

bool bench_wants(const char *name)
{
	const char *at = bench_options.only;
	size_t len = name ? strlen(name) : 0;

	if (!name)
		return false;
	while (at) {
		size_t n = strcspn(at, ",");

		if (n == len && !strncmp(at, name, n))
			return true;
		at = at[n] ? at + n + 1 : NULL;
	}
	return !bench_options.only;
}

_Noreturn void bench_die(const char *what)
{
	fprintf(stderr, "bench: ");
	perror(what);
	exit(1);
}

size_t bench_page(void)
{
	static size_t page;

	if (!page)
		page = (size_t)sysconf(_SC_PAGESIZE);
	return page;
}

uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

unsigned char *bench_map(uint64_t npages)
{
	unsigned char *p = mmap(NULL, npages * bench_page(),
				PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bench_die("mmap");
	madvise(p, npages * bench_page(), MADV_NOHUGEPAGE);
	return p;
}

/* ---- CPU time ---- */

static clockid_t server;
static bool has_server;

void bench_serves(pid_t pid)
{
	has_server = pid && !clock_getcpuclockid(pid, &server);
}

static uint64_t spent_by(clockid_t clock)
{
	struct timespec t = { 0 };

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* By this process and who serves it. */
static uint64_t spent_ns(void)
{
	return spent_by(CLOCK_PROCESS_CPUTIME_ID) +
	       (has_server ? spent_by(server) : 0);
}

/* ---- samples ---- */

void bench_yardstick(struct bench *b)
{
	volatile unsigned char *p = bench_map(TOUCH_NPAGES);
	uint64_t cpu_from = spent_by(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t from = bench_now_ns();

	for (size_t i = 0; i < TOUCH_NPAGES; i++)
		p[i * bench_page()] = 1;
	if (b->n < BENCH_SAMPLES_MAX)
		b->touch_ns[b->n] =
			(double)(bench_now_ns() - from) / TOUCH_NPAGES;
	b->touch_cpu_ns = (double)(spent_by(CLOCK_PROCESS_CPUTIME_ID) -
				   cpu_from) / TOUCH_NPAGES;
	munmap((void *)p, TOUCH_NPAGES * bench_page());
	b->cpu_from_ns = spent_ns();
}

void bench_add_ns(struct bench *b, double ns)
{
	if (b->n == BENCH_SAMPLES_MAX)
		return;
	if (b->touch_ns[b->n] == 0)
		bench_yardstick(b);
	b->ns[b->n++] = ns;
}

void bench_add(struct bench *b, uint64_t from_ns, uint64_t units)
{
	uint64_t ns = bench_now_ns() - from_ns;
	double cpu = (double)(spent_ns() - b->cpu_from_ns) / (double)units;

	if (b->cpu_from_ns && b->ncpu < BENCH_SAMPLES_MAX)
		b->cpu[b->ncpu++] = cpu / b->touch_cpu_ns;
	b->cpu_from_ns = 0;
	bench_add_ns(b, (double)ns / (double)units);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), by_size);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* What the environment says, if it says something. */
static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : "none";
}

void bench_print(const struct bench *b)
{
	struct bench s = *b;
	double touch, mid;
	char cpu[64];

	if (!b->n || !bench_wants(b->name))
		return;
	cpu[0] = '\0';
	if (s.ncpu)
		snprintf(cpu, sizeof(cpu), "\"cpu_ratio\": %.4g, ",
			 bench_median(s.cpu, s.ncpu));
	mid = bench_median(s.ns, s.n);
	touch = bench_median(s.touch_ns, s.n);
	printf("{\"bench\": \"%s\", \"engine\": \"%s\", \"loop\": \"%s\", "
	       "\"ns_per_%s\": %.1f, \"ratio\": %.4g, \"min_ratio\": %.4g, %s"
	       "\"first_touch_ns\": %.1f, \"n\": %u, "
	       "\"min\": %.1f, \"max\": %.1f%s}\n",
	       b->name, env("UHMM_BENCH_ENGINE"), env("UHMM_BENCH_LOOP"),
	       b->unit ? b->unit : "page", mid, mid / touch,
	       s.ns[0] / s.touch_ns[0], cpu, touch, b->n, s.ns[0], s.ns[b->n - 1],
	       b->extra ? b->extra : "");
	fflush(stdout);
}
