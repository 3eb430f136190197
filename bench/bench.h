/* SPDX-License-Identifier: MIT */
/* bench.h - measure, take the median, print one JSON line
 *
 * A figure is taken several times; its line has median, minimum and maximum,
 * and the ratio to the plain first touch of anonymous memory in the same run.
 */
#ifndef UHMM_BENCH_BENCH_H
#define UHMM_BENCH_BENCH_H

#include <stdint.h>

#define BENCH_SAMPLES_MAX 64

/** One figure being taken. */
struct bench {
	const char *name;
	const char *unit;		/* "page" unless said otherwise */
	double ns[BENCH_SAMPLES_MAX];	/* per unit */
	unsigned int n;
};

/** bench_now_ns() - monotonic time */
uint64_t bench_now_ns(void);

/** bench_add() - a sample: @units took from @from_ns until now */
void bench_add(struct bench *b, uint64_t from_ns, uint64_t units);

/** bench_first_touch_ns() - the yardstick, measured once */
double bench_first_touch_ns(void);

/** bench_print() - the JSON line; @engine and @loop from the environment */
void bench_print(const struct bench *b);

#endif
