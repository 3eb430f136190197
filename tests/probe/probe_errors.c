/* SPDX-License-Identifier: MIT */
/* probe_errors.c - what is refused, with which error, and leaves no trace
 *
 * After an error the struct has its old cpages and faults (probe_try() looks),
 * and buffer and range hold what they held.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define FILLED 0x77

static const unsigned long requests[] = {
	UHMM_DMIRROR_READ,	     UHMM_DMIRROR_WRITE,
	UHMM_DMIRROR_MIGRATE_TO_DEV, UHMM_DMIRROR_MIGRATE_TO_SYS,
	UHMM_DMIRROR_SNAPSHOT,	     UHMM_DMIRROR_RELEASE,
	UHMM_DMIRROR_FLAGS,
};

#define NREQUESTS (sizeof(requests) / sizeof(requests[0]))

static int fd;
static unsigned char *buf; /* NBUF pages, FILLED */
#define NBUF 8

/* The request fails with @err (positive), and the buffer is as it was. */
static void refused(int line, unsigned long nr, const void *addr, size_t npages,
		    int err)
{
	int ret;

	memset(buf, FILLED, NBUF * page_bytes);
	ret = probe_try(fd, nr, addr, npages, buf, NULL);
	if (ret != -err)
		probe_fail("line %d: request %#lx: %s, not %s", line, nr,
			   ret ? strerror(-ret) : "success", strerror(err));
	for (size_t i = 0; i < NBUF * page_bytes; i++)
		if (buf[i] != FILLED)
			probe_fail("line %d: request %#lx failed and wrote to "
				   "byte %zu of the buffer",
				   line, nr, i);
}

#define REFUSED(nr, addr, npages, err) refused(__LINE__, nr, addr, npages, err)

static int raw(unsigned long nr, void *cmd)
{
	return ioctl(fd, nr, cmd) < 0 ? -errno : 0;
}

static void common_checks(void)
{
	unsigned char *mem = probe_map(4, RW);
	void *gone = probe_map(1, PROT_NONE);

	memset(mem, 1, 4 * page_bytes);
	for (size_t i = 0; i < NREQUESTS; i++) {
		unsigned long nr = requests[i];

		CHECK(raw(nr, NULL) == -EFAULT, "request %#lx, no struct", nr);
		CHECK(raw(nr, gone) == -EFAULT, "request %#lx, no struct", nr);
		REFUSED(nr, mem + 1, 1, EINVAL);
		REFUSED(nr, mem + page_bytes / 2, 1, EINVAL);
		REFUSED(nr, mem, 0, EINVAL);
		REFUSED(nr, NULL, 0, EINVAL);
		REFUSED(nr, (void *)-page_bytes, 1, EINVAL);
		REFUSED(nr, mem, -(uintptr_t)mem / page_bytes, EINVAL);
		REFUSED(nr, mem, UINT64_MAX / page_bytes + 1, EINVAL);
	}
	REFUSED(UHMM_DMIRROR_IOCTL(0x0a), mem, 1, EINVAL);
	REFUSED(UHMM_DMIRROR_IOCTL(0x7f), mem, 1, EINVAL);
	REFUSED(_IO('x', 3), mem, 1, EINVAL);
	CHECK(raw(UHMM_DMIRROR_IOCTL(0x0a), gone) == -EFAULT,
	      "an unknown request whose struct is not there");
	probe_unmap(mem, 4);
	probe_unmap(gone, 1);
}

static void struct_partly_there(void)
{
	unsigned char *mem = probe_map(2, RW);
	struct uhmm_dmirror_cmd *cmd =
		(void *)(mem + page_bytes - sizeof(*cmd) / 2);

	mprotect(mem + page_bytes, page_bytes, PROT_NONE);
	for (size_t i = 0; i < NREQUESTS; i++)
		CHECK(raw(requests[i], cmd) == -EFAULT, "request %#lx",
		      requests[i]);
	probe_unmap(mem, 2);
}

/* The answer cannot be stored: an error, but what was asked is done. */
static void struct_read_only(void)
{
	struct uhmm_dmirror_cmd *cmd = probe_map(1, RW);
	unsigned char *mem = probe_map(1, RW);

	mem[0] = 1;
	memset(buf, FILLED, page_bytes);
	*cmd = (struct uhmm_dmirror_cmd){ .addr = (uintptr_t)mem,
					  .ptr = (uintptr_t)buf,
					  .npages = 1,
					  .cpages = 77,
					  .faults = 88 };
	CHECK(!mprotect(cmd, page_bytes, PROT_READ), "mprotect");
	CHECK(raw(UHMM_DMIRROR_READ, cmd) == -EFAULT, "struct is read-only");
	CHECK(cmd->cpages == 77 && cmd->faults == 88, "written all the same");
	CHECK(buf[0] == 1, "the buffer was not filled");
	probe_unmap(cmd, 1);
	probe_unmap(mem, 1);
}

/* Pages 0, 1 and 3 of @mem; page 2 is a hole. */
static unsigned char *map_with_hole(void)
{
	unsigned char *mem = probe_map(4, RW);

	memset(mem, 1, 4 * page_bytes);
	probe_unmap(mem + 2 * page_bytes, 1);
	return mem;
}

static void holes(void)
{
	unsigned char *mem = map_with_hole();
	unsigned char byte[4];

	REFUSED(UHMM_DMIRROR_READ, mem, 4, EFAULT);
	REFUSED(UHMM_DMIRROR_READ, mem + 2 * page_bytes, 1, EFAULT);
	REFUSED(UHMM_DMIRROR_WRITE, mem, 4, EFAULT);
	CHECK(mem[0] == 1 && mem[3 * page_bytes] == 1, "pages were written");
	REFUSED(UHMM_DMIRROR_MIGRATE_TO_DEV, mem + 2 * page_bytes, 1, EINVAL);
	REFUSED(UHMM_DMIRROR_MIGRATE_TO_SYS, mem, 4, EINVAL);
	REFUSED(UHMM_DMIRROR_READ, NULL, 1, EFAULT);
	REFUSED(UHMM_DMIRROR_MIGRATE_TO_DEV, NULL, 1, EINVAL);
	REFUSED(UHMM_DMIRROR_READ, (void *)(1ul << 63), 1, EFAULT);
	REFUSED(UHMM_DMIRROR_MIGRATE_TO_DEV, (void *)(1ul << 63), 1, EINVAL);

	probe_do(fd, UHMM_DMIRROR_SNAPSHOT, mem, 4, byte);
	CHECK(byte[0] == UHMM_DMIRROR_PROT_WRITE &&
		      byte[2] == UHMM_DMIRROR_PROT_ERROR &&
		      byte[3] == UHMM_DMIRROR_PROT_WRITE,
	      "%02x %02x %02x", byte[0], byte[2], byte[3]);

	/* The part before the hole is moved all the same, and stays there. */
	REFUSED(UHMM_DMIRROR_MIGRATE_TO_DEV, mem, 4, EINVAL);
	CHECK(probe_where(fd, mem, 2).on_device == 2, "not moved");
	CHECK(probe_where(fd, mem + 3 * page_bytes, 1).on_device == 0,
	      "moved, though behind the hole");
	CHECK(mem[0] == 1 && mem[page_bytes] == 1, "other data came back");
	munmap(mem, 4 * page_bytes);
}

static void protections(void)
{
	unsigned char *mem = probe_map(4, RW);

	memset(mem, 1, 4 * page_bytes);
	mprotect(mem, page_bytes, PROT_NONE);
	REFUSED(UHMM_DMIRROR_READ, mem, 4, EFAULT);
	REFUSED(UHMM_DMIRROR_WRITE, mem, 1, EFAULT);
	REFUSED(UHMM_DMIRROR_MIGRATE_TO_DEV, mem, 4, EINVAL);
	REFUSED(UHMM_DMIRROR_MIGRATE_TO_SYS, mem, 4, EINVAL);
	CHECK(probe_where(fd, mem, 1).no_memory == 1, "PROT_NONE");
	CHECK(probe_where(fd, mem, 4).on_device == 0, "pages were moved");

	mprotect(mem, page_bytes, PROT_READ);
	REFUSED(UHMM_DMIRROR_WRITE, mem, 1, EPERM);
	CHECK(mem[0] == 1, "a read-only page was written");
	mprotect(mem, page_bytes, PROT_WRITE);
	REFUSED(UHMM_DMIRROR_READ, mem, 1, EFAULT);
	REFUSED(UHMM_DMIRROR_MIGRATE_TO_DEV, mem, 1, EINVAL);
	probe_unmap(mem, 4);
}

/* A write that meets a page it may not write to has written to none of those
 * the device did not know before. */
static void write_across(void)
{
	unsigned char *mem = probe_map(4, RW);

	memset(mem, 1, 4 * page_bytes);
	mprotect(mem + 3 * page_bytes, page_bytes, PROT_READ);
	REFUSED(UHMM_DMIRROR_WRITE, mem, 4, EPERM);
	for (size_t i = 0; i < 4 * page_bytes; i++)
		CHECK(mem[i] == 1, "byte %zu was written", i);
	probe_unmap(mem, 4);
}

static void bad_buffer_for(unsigned long nr, void *ptr, size_t npages)
{
	unsigned char *mem = probe_map(npages, RW);
	int ret;

	memset(mem, 1, npages * page_bytes);
	ret = probe_try(fd, nr, mem, npages, ptr, NULL);
	CHECK(ret == -EFAULT, "request %#lx, buffer %p: %s", nr, ptr,
	      strerror(-ret));
	for (size_t i = 0; i < npages * page_bytes; i++)
		CHECK(mem[i] == 1, "request %#lx changed byte %zu", nr, i);
	probe_unmap(mem, npages);
}

static void bad_buffers(void)
{
	static const unsigned long fill[] = { UHMM_DMIRROR_READ,
					      UHMM_DMIRROR_MIGRATE_TO_DEV,
					      UHMM_DMIRROR_SNAPSHOT };
	unsigned char *ptr = probe_map(3, RW);

	memset(ptr, FILLED, 3 * page_bytes);
	mprotect(ptr + page_bytes, page_bytes, PROT_READ);
	mprotect(ptr + 2 * page_bytes, page_bytes, PROT_NONE);
	for (size_t i = 0; i < sizeof(fill) / sizeof(fill[0]); i++) {
		bad_buffer_for(fill[i], NULL, 1);
		bad_buffer_for(fill[i], ptr + page_bytes, 1);
		bad_buffer_for(fill[i], ptr + 2 * page_bytes, 1);
		/* Starts well, ends badly; bytes or pages both cross. */
		bad_buffer_for(fill[i], ptr + page_bytes - 2, 4);
		CHECK(ptr[page_bytes] == FILLED, "read-only and written");
	}
	bad_buffer_for(UHMM_DMIRROR_WRITE, NULL, 1);
	bad_buffer_for(UHMM_DMIRROR_WRITE, ptr + 2 * page_bytes, 1);
	bad_buffer_for(UHMM_DMIRROR_WRITE, ptr + page_bytes, 2);
	probe_unmap(ptr, 3);
}

/* A bad buffer is seen before a range that may not be written. */
static void bad_buffer_first(void)
{
	unsigned char *mem = probe_map(1, PROT_READ);
	int ret = probe_try(fd, UHMM_DMIRROR_WRITE, mem, 1, NULL, NULL);

	CHECK(ret == -EFAULT, "%s", strerror(-ret));
	probe_unmap(mem, 1);
}

static void not_migratable(void)
{
	unsigned char *shared = mmap(NULL, 2 * page_bytes, RW,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned char *other = probe_map(2, RW);
	int fd1 = probe_open(1);

	CHECK(shared != MAP_FAILED, "mmap");
	memset(shared, 1, 2 * page_bytes);
	REFUSED(UHMM_DMIRROR_MIGRATE_TO_DEV, shared, 2, ENOENT);
	CHECK(shared[0] == 1, "other data");

	memset(other, 2, 2 * page_bytes);
	probe_to_dev(fd1, other, 2);
	REFUSED(UHMM_DMIRROR_MIGRATE_TO_DEV, other, 2, ENOENT);
	CHECK(probe_where(fd1, other, 2).on_device == 2,
	      "another device's pages were taken away");
	CHECK(other[0] == 2 && other[page_bytes] == 2, "other data");
	probe_unmap(shared, 2);
	probe_unmap(other, 2);
	close(fd1);
}

static void behind_end_of_file(void)
{
	int file = memfd_create("probe", MFD_CLOEXEC);
	unsigned char *mem;

	CHECK(file >= 0 && !ftruncate(file, (off_t)page_bytes), "no file");
	mem = mmap(NULL, 2 * page_bytes, RW, MAP_SHARED, file, 0);
	CHECK(mem != MAP_FAILED, "mmap");
	mem[0] = 1;
	REFUSED(UHMM_DMIRROR_READ, mem, 2, EFAULT);
	REFUSED(UHMM_DMIRROR_WRITE, mem + page_bytes, 1, EFAULT);
	probe_do(fd, UHMM_DMIRROR_READ, mem, 1, buf);
	CHECK(buf[0] == 1, "other data");
	probe_unmap(mem, 2);
	close(file);
}

static void release_and_flags(void)
{
	struct uhmm_dmirror_cmd cmd;
	unsigned char *mem = probe_map(1, RW);
	int ret;

	madvise(mem, page_bytes, MADV_NOHUGEPAGE);
	mem[0] = 1;
	CHECK(!probe_try(fd, UHMM_DMIRROR_RELEASE, mem, 1, NULL, &cmd), "");
	CHECK(cmd.cpages == 0 && cmd.faults == 0, "not zeroed");
	CHECK(!probe_try(fd, UHMM_DMIRROR_RELEASE, NULL, 1, NULL, &cmd), "");
	ret = probe_try(fd, UHMM_DMIRROR_FLAGS, NULL,
			UHMM_DMIRROR_FLAG_FAIL_ALLOC, NULL, &cmd);
	if (ret == -EINVAL && !getenv("UHMM_SOCKET"))
		return; /* Linux before 6.18 has no FLAGS */
	CHECK(ret == 0, "%s", strerror(-ret));
	CHECK(cmd.cpages == 0 && cmd.faults == 0, "not zeroed");

	/* The flag is good for one allocation. */
	CHECK(probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, mem, 1, buf, NULL) ==
		      -ENOENT,
	      "an allocation that was to fail did not");
	CHECK(mem[0] == 1, "other data");
	probe_to_dev(fd, mem, 1);
	CHECK(!probe_try(fd, UHMM_DMIRROR_FLAGS, NULL,
			 UHMM_DMIRROR_FLAG_FAIL_ALLOC, NULL, NULL),
	      "");
	CHECK(probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_SYS, mem, 1, NULL, NULL) ==
		      -ENOMEM,
	      "an allocation that was to fail did not");
	probe_to_sys(fd, mem, 1);
	CHECK(mem[0] == 1, "other data");
	probe_unmap(mem, 1);
}

static void success_zeroes(void)
{
	struct uhmm_dmirror_cmd cmd;
	unsigned char *mem = probe_map(2, RW);

	memset(mem, 1, 2 * page_bytes);
	CHECK(!probe_try(fd, UHMM_DMIRROR_READ, mem, 2, buf, &cmd), "READ");
	CHECK(cmd.cpages == 2 && cmd.faults == 1, "%d pages, %d faults",
	      (int)cmd.cpages, (int)cmd.faults);
	CHECK(!probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_SYS, mem, 2, NULL, &cmd),
	      "nothing is there to bring back, which is no error");
	CHECK(cmd.cpages == 0 && cmd.faults == 0, "%d pages, %d faults",
	      (int)cmd.cpages, (int)cmd.faults);
	probe_unmap(mem, 2);
}

int main(void)
{
	probe_begin("probe_errors", 50);
	fd = probe_open(0);
	buf = probe_map(NBUF, RW);
	common_checks();
	struct_partly_there();
	struct_read_only();
	holes();
	protections();
	write_across();
	bad_buffers();
	bad_buffer_first();
	not_migratable();
	behind_end_of_file();
	success_zeroes();
	release_and_flags();
	return 0;
}
