/* SPDX-License-Identifier: MIT */
/* beside_hold.c - a program that others look at while its memory is on the device
 *
 * beside_hold: prints where 16 pages are, every second of them on the device, holding
 * their own number plus 1000 as the first word, and waits for a line on stdin;
 * then its data must be right. beside_hold abort: dies at once instead.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "probe.h"

#define NPAGES 16
#define FIRST 1000u

int main(int argc, char **argv)
{
	bool abort_now = argc > 1 && !strcmp(argv[1], "abort");
	char *mem, line[16];
	int fd;

	probe_begin("beside_hold", 50);
	fd = probe_open(0);
	mem = probe_map(NPAGES, PROT_READ | PROT_WRITE);
	for (unsigned int i = 0; i < NPAGES; i++)
		*(uint32_t *)(mem + i * page_bytes) = FIRST + i;
	for (size_t i = 0; i < NPAGES; i += 2)
		probe_to_dev(fd, mem + i * page_bytes, 1);
	printf("%p\n", (void *)mem);
	fflush(stdout);
	if (abort_now)
		raise(SIGABRT);
	CHECK(fgets(line, sizeof(line), stdin), "no line");
	for (unsigned int i = 0; i < NPAGES; i++)
		CHECK(*(uint32_t *)(mem + i * page_bytes) == FIRST + i,
		      "page %u", i);
	return 0;
}
