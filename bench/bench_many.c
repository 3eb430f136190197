/* SPDX-License-Identifier: MIT */
/* bench_many.c - what depends on how much is on the device */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "area.h"
#include "bench_device.h"
#include "ask.h"

#define CHUNK_NPAGES 16384
#define SAMPLE_NPAGES 256
#define FORK_NPAGES 4096

/* ---- fault cost as the resident set grows ---- */

/* All of @a to the device, in calls with a buffer of CHUNK_NPAGES. */
static void send_all(const struct area *a)
{
	area_in_steps(a, UHMM_DMIRROR_MIGRATE_TO_DEV, CHUNK_NPAGES);
}

static void measure_resident(int fd, const char *name, uint64_t mebibytes)
{
	struct bench b = { .name = name };
	uint64_t npages = (mebibytes << 20) / bench_page(), step;
	struct area a;
	uint64_t from;

	if (!bench_wants(name))
		return;
	area_init_large(&a, fd, npages,
			npages < CHUNK_NPAGES ? npages : CHUNK_NPAGES);
	send_all(&a);
	/* different places of the set, each brought back and sent again */
	step = npages / bench_options.times;
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t n = step < SAMPLE_NPAGES ? step : SAMPLE_NPAGES;

		bench_yardstick(&b);
		from = bench_now_ns();
		area_touch(&a, i * step, n, true);
		bench_add(&b, from, n);
		area_command(&a, UHMM_DMIRROR_MIGRATE_TO_DEV, i * step, n);
	}
	area_fini(&a);
	bench_print(&b);
}

/* ---- last close while pages of others are resident ---- */

static void measure_close(int fd)
{
	struct bench b = { .name = "close_resident", .unit = "call" };
	struct area a;

	if (!bench_wants(b.name))
		return;
	area_init_large(&a, fd, bench_options.quick ? 65536 : 262144,
			CHUNK_NPAGES);
	send_all(&a);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		int other = area_open_device(1);
		uint64_t from;

		bench_yardstick(&b);
		from = bench_now_ns();
		close(other);
		bench_add(&b, from, 1);
	}
	area_fini(&a);
	bench_print(&b);
}

/* ---- fork ---- */

static void measure_fork(int fd)
{
	struct bench b = { .name = "fork_resident" };
	struct area a;

	if (!bench_wants(b.name))
		return;
	area_init(&a, fd, FORK_NPAGES);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;
		int status;
		pid_t pid;

		/* what a fork shared is not in the device's table any more */
		area_fill(&a);
		area_command(&a, UHMM_DMIRROR_MIGRATE_TO_DEV, 0, FORK_NPAGES);
		bench_yardstick(&b);
		from = bench_now_ns();
		pid = fork();
		if (!pid)
			_exit(0);
		bench_add(&b, from, FORK_NPAGES);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			bench_die("fork");
	}
	area_fini(&a);
	bench_print(&b);
}

/* ---- metadata ---- */

/* Number @key of the daemon's statistics. False: there is no such daemon. */
static bool stat_of(const char *key, double *value)
{
	const char *path = getenv("UHMM_SOCKET");
	int sock = path ? cli_ask_connect(path) : -1;
	char *text = NULL;
	const char *at;
	bool ok;

	if (sock < 0)
		return false;
	ok = cli_ask_stats(sock, &text) == 0;
	at = ok ? strstr(text, key) : NULL;
	if (at)
		*value = strtod(at + strlen(key) + 2, NULL);
	free(text);
	close(sock);
	return at;
}

/* Bytes, not nanoseconds: a line of its own kind. */
static void measure_metadata(int fd)
{
	static const char key[] = "\"metadata_bytes\"";
	double before, after;
	struct area a;

	if (!bench_wants("metadata") || !stat_of(key, &before))
		return;
	area_init_large(&a, fd, (uint64_t)4 * CHUNK_NPAGES, CHUNK_NPAGES);
	send_all(&a);
	if (stat_of(key, &after))
		printf("{\"bench\": \"metadata\", \"engine\": \"%s\", "
		       "\"loop\": \"%s\", \"bytes_per_page\": %.2f}\n",
		       getenv("UHMM_BENCH_ENGINE"), getenv("UHMM_BENCH_LOOP"),
		       (after - before) / (double)a.npages);
	fflush(stdout);
	area_fini(&a);
}

void bench_many(int fd)
{
	measure_metadata(fd);
	measure_fork(fd);
	measure_close(fd);
	measure_resident(fd, "resident_1M", 1);
	measure_resident(fd, "resident_256M", 256);
	if (!bench_options.quick)
		measure_resident(fd, "resident_4G", 4096);
}
