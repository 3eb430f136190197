/* SPDX-License-Identifier: MIT */
/* area.c - a range and commands on it (area.h) */
#include "area.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

int area_open_device(unsigned int minor)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "/dev/hmm_dmirror%u", minor);
	fd = open(name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		bench_die("a device (run me under uhmm run)");
	return fd;
}

void area_fill(const struct area *a)
{
	for (uint64_t i = 0; i < a->npages; i++)
		a->mem[i * bench_page()] = (unsigned char)i;
}

void area_init_large(struct area *a, int fd, uint64_t npages,
		     uint64_t buf_npages)
{
	*a = (struct area){ .fd = fd, .npages = npages,
			    .buf_npages = buf_npages };
	a->mem = bench_map(npages);
	a->buf = bench_map(buf_npages);
	memset(a->buf, 1, buf_npages * bench_page());
	area_fill(a);
}

void area_init(struct area *a, int fd, uint64_t npages)
{
	area_init_large(a, fd, npages, npages);
}

void area_init_huge(struct area *a, int fd, uint64_t nunits,
		    uint64_t unit_npages)
{
	uint64_t bytes = unit_npages * bench_page();
	uint64_t npages = nunits * unit_npages;
	unsigned char *all = bench_map(npages + unit_npages);
	unsigned char *mem = all + bytes - 1 -
			     ((uintptr_t)all + bytes - 1) % bytes;

	if (mem != all)
		munmap(all, (size_t)(mem - all));
	munmap(mem + npages * bench_page(), (size_t)(all + bytes - mem));
	madvise(mem, npages * bench_page(), MADV_HUGEPAGE);
	*a = (struct area){ .fd = fd, .mem = mem, .npages = npages,
			    .buf_npages = npages };
	a->buf = bench_map(npages);
	memset(a->buf, 1, npages * bench_page());
	area_fill(a);
}

void area_fini(struct area *a)
{
	munmap(a->mem, a->npages * bench_page());
	munmap(a->buf, a->buf_npages * bench_page());
}

void area_touch(const struct area *a, uint64_t at, uint64_t npages,
		bool write)
{
	for (uint64_t i = at; i < at + npages; i++) {
		volatile unsigned char *p = &a->mem[i * bench_page()];

		if (write)
			*p = 1;
		else
			(void)*p;
	}
}

void area_command(const struct area *a, unsigned long nr, uint64_t at,
		  uint64_t npages)
{
	struct uhmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)a->mem + at * bench_page(),
		.ptr = (uintptr_t)a->buf,
		.npages = npages,
	};

	if (ioctl(a->fd, nr, &cmd))
		bench_die("ioctl");
}

void area_in_steps(const struct area *a, unsigned long nr, uint64_t step)
{
	for (uint64_t at = 0; at < a->npages; at += step)
		area_command(a, nr, at,
			     a->npages - at < step ? a->npages - at : step);
}
