/* SPDX-License-Identifier: MIT */
/* bench.h - measure, take the median, print one JSON line
 *
 * A figure is taken several times; its line has median, minimum and maximum,
 * and the ratio to the yardstick: the plain first touch of anonymous memory,
 * measured between the samples of the figure itself, since the machine may be
 * busier a second later. A ratio below one is faster than that. Where others use
 * the machine, too, waiting for a CPU is most of it: so a line has the ratio of
 * the CPU time, too, of the program and of who serves it.
 *
 * Names, units and goals: bench/goals. Which are taken: bench_begin().
 */
#ifndef UHMM_BENCH_BENCH_H
#define UHMM_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_SAMPLES_MAX 64

/** What the command line said. */
struct bench_options {
	bool quick;		/* fewer samples, no 4 GiB */
	unsigned int times;	/* samples of a figure */
	const char *only;	/* "name,name", NULL: all */
};

extern struct bench_options bench_options;

/** One figure being taken. */
struct bench {
	const char *name;
	const char *unit;		/* of "ns_per_": "page" if NULL */
	const char *extra;		/* more of the line, ", \"k\": v" or NULL */
	double ns[BENCH_SAMPLES_MAX];	/* per unit */
	double touch_ns[BENCH_SAMPLES_MAX];
	double cpu[BENCH_SAMPLES_MAX];	/* ratio of CPU times */
	double touch_cpu_ns;		/* of the yardstick before the sample */
	uint64_t cpu_from_ns;		/* spent until then */
	unsigned int ncpu;
	unsigned int n;
};

/**
 * bench_parse() - [--quick] [--only NAME,NAME], else says so and ends
 * Return: index of the first other argument
 */
int bench_parse(int argc, char **argv);

/** bench_wants() - is @name asked for? NULL never is */
bool bench_wants(const char *name);

/** bench_page() - bytes of a page */
size_t bench_page(void);

/** bench_now_ns() - monotonic time */
uint64_t bench_now_ns(void);

/** bench_serves() - process @pid serves this one; 0: nobody does */
void bench_serves(pid_t pid);

/** bench_yardstick() - a sample of the first touch, before one of @b */
void bench_yardstick(struct bench *b);

/** bench_add() - a sample: @units took from @from_ns until now */
void bench_add(struct bench *b, uint64_t from_ns, uint64_t units);

/** bench_add_ns() - a sample of @ns per unit */
void bench_add_ns(struct bench *b, double ns);

/** bench_median() - of @n values, which are sorted by that */
double bench_median(double *v, unsigned int n);

/** bench_print() - the JSON line, if there are samples and it is asked for */
void bench_print(const struct bench *b);

/** bench_map() - @npages of anonymous base pages, or the end */
unsigned char *bench_map(uint64_t npages);

/** bench_die() - perror() and the end */
_Noreturn void bench_die(const char *what);

#endif
