/* SPDX-License-Identifier: MIT */
/* probe_syscalls.c - system calls that read and write memory on the device */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES 16
#define BYTES (NPAGES * page_bytes)
#define SEED 11u

static int fd;

static unsigned char *on_device(uint32_t seed)
{
	unsigned char *mem = probe_map(NPAGES, RW);

	probe_fill(mem, NPAGES, seed);
	probe_to_dev(fd, mem, NPAGES);
	return mem;
}

static void write_and_read(void)
{
	int file = memfd_create("probe", MFD_CLOEXEC);
	unsigned char *mem = on_device(SEED);
	ssize_t n;

	n = write(file, mem, BYTES);
	CHECK(n == (ssize_t)BYTES, "write: %zd, %s", n, strerror(errno));
	probe_unmap(mem, NPAGES);

	mem = on_device(SEED + 1);
	n = pread(file, mem, BYTES, 0);
	CHECK(n == (ssize_t)BYTES, "read: %zd, %s", n, strerror(errno));
	probe_verify(mem, NPAGES, SEED, "what read(2) stored");
	probe_unmap(mem, NPAGES);
	close(file);
}

/* Not at page boundaries: the rest of the pages must come back as it was. */
static void read_into_middle(void)
{
	unsigned char *mem = on_device(SEED);
	unsigned char *copy = probe_map(NPAGES, RW);
	size_t from = page_bytes / 2, n = 3 * page_bytes;
	int p[2];

	probe_fill(copy, NPAGES, SEED);
	memset(copy + from, 0xab, n);
	CHECK(!pipe2(p, O_CLOEXEC), "%s", strerror(errno));
	CHECK(write(p[1], copy + from, n) == (ssize_t)n, "%s", strerror(errno));
	CHECK(read(p[0], mem + from, n) == (ssize_t)n, "%s", strerror(errno));
	CHECK(!memcmp(mem, copy, BYTES), "other data");
	probe_unmap(mem, NPAGES);
	probe_unmap(copy, NPAGES);
	close(p[0]);
	close(p[1]);
}

static void vectors(void)
{
	unsigned char *mem = on_device(SEED);
	unsigned char *buf = probe_map(NPAGES, RW);
	struct iovec from = { .iov_base = mem, .iov_len = BYTES };
	struct iovec to = { .iov_base = buf, .iov_len = BYTES };
	ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

	if (n < 0 && (errno == EPERM || errno == ENOSYS)) {
		probe_unmap(mem, NPAGES);
		probe_unmap(buf, NPAGES);
		return;
	}
	CHECK(n == (ssize_t)BYTES, "process_vm_readv: %zd, %s", n,
	      strerror(errno));
	probe_verify(buf, NPAGES, SEED, "what process_vm_readv read");
	probe_unmap(mem, NPAGES);
	probe_unmap(buf, NPAGES);
}

static void other_calls(void)
{
	unsigned char *mem = on_device(SEED);
	size_t present, swapped;

	memcpy(mem, "/dev/null", sizeof("/dev/null"));
	probe_to_dev(fd, mem, NPAGES);
	CHECK(access((char *)mem, F_OK) == 0, "a path: %s", strerror(errno));
	CHECK(getrandom(mem + 2 * page_bytes, page_bytes, 0) ==
		      (ssize_t)page_bytes,
	      "getrandom: %s", strerror(errno));
	CHECK(!madvise(mem, BYTES, MADV_POPULATE_WRITE) || errno == EINVAL,
	      "populate: %s", strerror(errno));
	CHECK(!mlock(mem, BYTES) || errno == ENOMEM || errno == EPERM,
	      "mlock: %s", strerror(errno));
	probe_pagemap(mem, 1, &present, &swapped);
	CHECK(present == 1, "the page of the path is not present");
	probe_unmap(mem, NPAGES);
}

/* The device's own buffer may lie in memory that is on the device. */
static void buffer_on_device(void)
{
	unsigned char *mem = on_device(SEED);
	unsigned char *buf = on_device(SEED + 1);

	probe_do(fd, UHMM_DMIRROR_READ, mem, NPAGES, buf);
	probe_verify(buf, NPAGES, SEED, "a buffer on the device");
	probe_fill(buf, NPAGES, SEED + 2);
	probe_to_dev(fd, buf, NPAGES);
	probe_do(fd, UHMM_DMIRROR_WRITE, mem, NPAGES, buf);
	probe_verify(mem, NPAGES, SEED + 2, "written from the device");
	probe_to_dev(fd, mem, NPAGES);
	probe_do(fd, UHMM_DMIRROR_READ, mem, NPAGES, mem);
	probe_verify(mem, NPAGES, SEED + 2, "read onto itself");
	probe_unmap(mem, NPAGES);
	probe_unmap(buf, NPAGES);
}

/* The struct of the request, too. */
static void struct_on_device(void)
{
	struct uhmm_dmirror_cmd *cmd = probe_map(1, RW);
	unsigned char *mem = on_device(SEED);
	void *buf = probe_map(NPAGES, RW);

	cmd->addr = (uintptr_t)mem;
	cmd->ptr = (uintptr_t)buf;
	cmd->npages = NPAGES;
	probe_to_dev(fd, cmd, 1);
	CHECK(!ioctl(fd, UHMM_DMIRROR_READ, cmd), "%s", strerror(errno));
	CHECK(cmd->cpages == NPAGES, "%zu pages", (size_t)cmd->cpages);
	probe_verify(buf, NPAGES, SEED, "by a struct on the device");
	probe_unmap(cmd, 1);
	probe_unmap(mem, NPAGES);
	probe_unmap(buf, NPAGES);
}

int main(void)
{
	probe_begin("probe_syscalls", 50);
	fd = probe_open(0);
	write_and_read();
	read_into_middle();
	vectors();
	other_calls();
	buffer_on_device();
	struct_on_device();
	return 0;
}
