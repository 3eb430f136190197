/* SPDX-License-Identifier: MIT */
/* probe_closed_stdio.c - a program that has closed its stdin, stdout, stderr
 *
 * The device takes the lowest free number as any file does, and nobody writes
 * to what then gets the numbers 1 and 2.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe.h"

static off_t bytes_of(int fd)
{
	return lseek(fd, 0, SEEK_END);
}

int main(void)
{
	unsigned char *mem;
	int dev, next;

	probe_begin("probe_closed_stdio", 50);
	close(0);
	close(1);
	close(2);
	dev = probe_open(0);
	CHECK(dev == 0, "the device got number %d", dev);
	CHECK(memfd_create("one", MFD_CLOEXEC) == 1, "number 1 is in use");
	CHECK(memfd_create("two", MFD_CLOEXEC) == 2, "number 2 is in use");

	mem = probe_map(8, PROT_READ | PROT_WRITE);
	probe_fill(mem, 8, 1);
	probe_to_dev(dev, mem, 8);
	probe_verify(mem, 8, 1, "no stdio");
	CHECK(probe_try(dev, UHMM_DMIRROR_READ, mem + 1, 1, mem, NULL) ==
		      -EINVAL,
	      "an unaligned address");

	next = probe_open(1);
	close(0);
	CHECK(probe_open(0) == 0, "number 0 is not free after close");
	CHECK(dup2(next, 0) == 0, "%s", strerror(errno));
	probe_fill(mem, 8, 2);
	probe_to_dev(0, mem, 8);
	probe_verify(mem, 8, 2, "by a descriptor that replaced another");
	CHECK(probe_where(next, mem, 8).nothing == 0, "pages are not back");
	CHECK(bytes_of(1) == 0, "somebody wrote to number 1");
	CHECK(bytes_of(2) == 0, "somebody wrote to number 2");
	return 0;
}
