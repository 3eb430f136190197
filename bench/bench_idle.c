/* SPDX-License-Identifier: MIT */
/* bench_idle.c - a program that never opens the device, with and without the
 * preload library
 *
 * bench_idle LIBRARY: runs itself, once so, once so, again and again, and
 * compares the times from start to end. The work is what ordinary programs do
 * with the calls the library has hooks for.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define ROUNDS 1500

/* One round: a file, memory that comes and goes, some computing. */
static unsigned int work(void)
{
	unsigned int sum = 0;
	unsigned char *p = bench_map(16);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), n = 0;

	memset(p, 1, 16 * bench_page());
	if (ioctl(fd, FIONREAD, &n) == 0)
		sum++;
	mprotect(p, 4 * bench_page(), PROT_READ);
	madvise(p, 2 * bench_page(), MADV_DONTNEED);
	for (size_t i = 0; i < 16 * bench_page(); i++)
		sum = sum * 31 + p[i];
	munmap(p, 16 * bench_page());
	close(fd);
	return sum;
}

/* Run @exe for the work, in nanoseconds. */
static double run(char *exe, const char *library, const char *socket)
{
	char preload[4096], at[4096];
	char *with[] = { preload, at, NULL }, *without[] = { at, NULL };
	char *argv[] = { exe, (char *)"--work", NULL };
	uint64_t from = bench_now_ns();
	int status;
	pid_t pid;

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s",
		 library ? library : "");
	snprintf(at, sizeof(at), "UHMM_SOCKET=%s", socket);
	if (posix_spawn(&pid, exe, NULL, NULL, argv,
			library ? with : without) ||
	    waitpid(pid, &status, 0) != pid || status)
		bench_die("a run of myself");
	return (double)(bench_now_ns() - from);
}

int main(int argc, char **argv)
{
	struct bench b = { .name = "preload_idle", .unit = "run" };
	unsigned int n;
	int at;

	if (argc == 2 && !strcmp(argv[1], "--work")) {
		unsigned int sum = 0;

		for (int i = 0; i < ROUNDS; i++)
			sum += work();
		return sum == 42;
	}
	at = bench_parse(argc, argv);
	if (at + 1 != argc) {
		fputs("usage: bench_idle [OPTION]... LIBRARY\n", stderr);
		return 2;
	}
	n = bench_wants(b.name) ? bench_options.times * 2 + 1 : 0;
	for (unsigned int i = 0; i < n; i++) {
		/* the yardstick of this one is the run without */
		b.touch_ns[i] = run(argv[0], NULL, "/nowhere");
		bench_add_ns(&b, run(argv[0], argv[at], "/nowhere"));
	}
	bench_print(&b);
	return 0;
}
