/* SPDX-License-Identifier: MIT */
/* hold.c - a program that has pages on a device and waits
 *
 * Usage: hold NPAGES. Prints "held", waits for a line, then looks whether its
 * memory is what it wrote, prints "same" and ends. Plain libc, unmodified.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <uhmm/hmm_ioctl.h>

static int fail(const char *what)
{
	perror(what);
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	size_t npages = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	size_t bytes = npages * (size_t)getpagesize();
	uint32_t *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *buf = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uhmm_dmirror_cmd cmd = { .addr = (uintptr_t)mem,
					.ptr = (uintptr_t)buf,
					.npages = npages };
	int fd = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);
	char line[16];

	if (mem == MAP_FAILED || buf == MAP_FAILED || fd < 0)
		return fail("/dev/hmm_dmirror0");
	for (size_t i = 0; i < bytes / sizeof(*mem); i++)
		mem[i] = (uint32_t)i * 2654435761u;
	if (ioctl(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, &cmd))
		return fail("MIGRATE_TO_DEV");
	puts("held");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return fail("stdin");
	for (size_t i = 0; i < bytes / sizeof(*mem); i++)
		if (mem[i] != (uint32_t)i * 2654435761u) {
			fprintf(stderr, "word %zu is not what it was\n", i);
			return EXIT_FAILURE;
		}
	puts("same");
	return EXIT_SUCCESS;
}
