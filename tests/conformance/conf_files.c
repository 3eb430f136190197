/* SPDX-License-Identifier: MIT */
/* conf_files.c - the device and memory with a file behind it
 *
 * Page cache does not migrate, the device reads and writes it in place, and
 * what it knows of a page holds until the page is another.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "conf.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES 32
#define AROUND 16	/* pages a fault maps, if they are in the page cache */
#define TMPFS_MAGIC 0x01021994
#define RAMFS_MAGIC 0x858458f6

static int fd;
static unsigned char buf[NPAGES * 65536];

/* A file of @npages that probe_fill() has filled. */
static int fill_file(int file, size_t npages)
{
	void *data = probe_map(npages, RW);

	CHECK(file >= 0, "%s", strerror(errno));
	probe_fill(data, npages, 1);
	CHECK(write(file, data, npages * page_bytes) ==
		      (ssize_t)(npages * page_bytes),
	      "%s", strerror(errno));
	probe_unmap(data, npages);
	return file;
}

/* In the current folder. */
static int disk_file(size_t npages)
{
	char name[] = "conf_files-XXXXXX";
	int file = mkstemp(name);
	struct statfs fs;

	unlink(name);
	CHECK(!fstatfs(file, &fs), "%s", strerror(errno));
	/* their pages are never written back, so they are mapped writable */
	if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)
		probe_skip("the current folder is in memory, not on a disk");
	return fill_file(file, npages);
}

/* Placed so that a fault of its first page maps AROUND. */
static unsigned char *map_file(int file, size_t npages, int prot, int flags)
{
	size_t bytes = npages * page_bytes, align = AROUND * page_bytes;
	unsigned char *room = mmap(NULL, bytes + align, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *p;

	CHECK(room != MAP_FAILED, "mmap");
	room += -(uintptr_t)room % align;
	p = mmap(room, bytes, prot, flags | MAP_FIXED, file, 0);
	CHECK(p != MAP_FAILED, "mmap: %s", strerror(errno));
	return p;
}

static void faults(unsigned long nr, const void *addr, size_t npages,
		   unsigned int want, int line)
{
	struct uhmm_dmirror_cmd cmd;
	int ret = probe_try(fd, nr, addr, npages, buf, &cmd);

	if (ret || cmd.cpages != npages || cmd.faults != want)
		probe_fail("line %d: ret %d, %d pages, %d faults, not %u", line,
			   ret, (int)cmd.cpages, (int)cmd.faults, want);
}

#define READS(addr, npages, n) \
	faults(UHMM_DMIRROR_READ, addr, npages, n, __LINE__)
#define WRITES(addr, npages, n) \
	faults(UHMM_DMIRROR_WRITE, addr, npages, n, __LINE__)

/* Pages [@first, @end) of @p are shown as @byte. */
static void shows(const unsigned char *p, size_t first, size_t end,
		  unsigned char byte, int line)
{
	unsigned char seen[NPAGES];

	probe_do(fd, UHMM_DMIRROR_SNAPSHOT, p, NPAGES, seen);
	for (size_t i = first; i < end; i++)
		if (seen[i] != byte)
			probe_fail("line %d: page %zu is %02x, not %02x", line, i,
				   seen[i], byte);
}

#define SHOWS(p, first, end, byte) shows(p, first, end, byte, __LINE__)

/* A page of shared memory may be written as soon as it is mapped; one of a file
 * that is written back only when it has been. */
static void shared_memory_is_writable(void)
{
	int file = fill_file(memfd_create("conf", MFD_CLOEXEC), NPAGES);
	unsigned char *p = map_file(file, NPAGES, RW, MAP_SHARED);

	probe_verify_from(p + 3 * page_bytes, 1, 3, 1, "read");
	SHOWS(p, 0, AROUND, UHMM_DMIRROR_PROT_WRITE);
	SHOWS(p, AROUND, NPAGES, UHMM_DMIRROR_PROT_NONE);
}

static void disk_is_read_only_until_written(void)
{
	unsigned char *p = map_file(disk_file(NPAGES), NPAGES, RW, MAP_SHARED);

	/* how many are mapped around it depends on the size of folios */
	probe_verify(p, NPAGES, 1, "read");
	SHOWS(p, 0, NPAGES, UHMM_DMIRROR_PROT_READ);
	memset(buf, 7, sizeof(buf));
	WRITES(p + 2 * page_bytes, 4, 1);
	SHOWS(p, 0, 2, UHMM_DMIRROR_PROT_READ);
	SHOWS(p, 2, 6, UHMM_DMIRROR_PROT_WRITE);
	SHOWS(p, 6, NPAGES, UHMM_DMIRROR_PROT_READ);
	WRITES(p + 2 * page_bytes, 4, 0);
	CHECK(p[2 * page_bytes] == 7, "the CPU does not see it");
}

/* A migration takes a page of a file from who asks for it, and looks for others
 * who have it: where there are any, all forget it. */
static void table_and_migration(unsigned char *p, unsigned char *q)
{
	struct uhmm_dmirror_cmd cmd;

	faults(UHMM_DMIRROR_MIGRATE_TO_DEV, p, NPAGES, 0, __LINE__);
	CHECK(probe_where(fd, p, NPAGES).on_device == 0, "it migrated");
	READS(p, NPAGES, 0);
	memset(q, 9, page_bytes);	/* the same page, elsewhere */
	READS(p, NPAGES, 0);
	CHECK(buf[0] == 9, "old data");
	CHECK(probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, p, 1, buf, &cmd) ==
		      -ENOENT,
	      "the table has a page that two mappings have");
	READS(p, NPAGES, 1);
}

static void table_holds(int file)
{
	unsigned char *p = map_file(file, NPAGES, PROT_READ, MAP_SHARED);
	unsigned char *q = map_file(file, NPAGES, RW, MAP_SHARED);

	READS(p, NPAGES, 1);
	READS(p, NPAGES, 0);
	CHECK(madvise(p, NPAGES * page_bytes, MADV_FREE) == -1 &&
	      errno == EINVAL, "MADV_FREE");
	READS(p, NPAGES, 0);
	table_and_migration(p, q);
	CHECK(!madvise(p + page_bytes, page_bytes, MADV_DONTNEED), "madvise");
	READS(p, 1, 0);
	READS(p, NPAGES, 1);
	CHECK(!mprotect(p, 4 * page_bytes, PROT_NONE) &&
	      !mprotect(p, 4 * page_bytes, PROT_READ), "mprotect");
	READS(p + 4 * page_bytes, NPAGES - 4, 0);
	READS(p, NPAGES, 1);
}

static void table_of_shared_memory(void)
{
	table_holds(fill_file(memfd_create("conf", MFD_CLOEXEC), NPAGES));
}

static void table_of_disk(void)
{
	table_holds(disk_file(NPAGES));
}

/* The file's page is replaced when the program writes. */
static void private_copies(int file)
{
	unsigned char *p = map_file(file, NPAGES, RW, MAP_PRIVATE);

	READS(p, NPAGES, 1);
	SHOWS(p, 0, NPAGES, UHMM_DMIRROR_PROT_READ);
	READS(p, NPAGES, 0);
	p[5 * page_bytes] = 77;
	READS(p, 5, 0);
	READS(p, NPAGES, 1);
	CHECK(buf[5 * page_bytes] == 77, "old data");
	SHOWS(p, 5, 6, UHMM_DMIRROR_PROT_WRITE);
	p[5 * page_bytes] = 78;
	READS(p, NPAGES, 0);
	CHECK(buf[5 * page_bytes] == 78, "old data");
	memset(buf, 6, sizeof(buf));
	WRITES(p, 4, 1);
	SHOWS(p, 0, 4, UHMM_DMIRROR_PROT_WRITE);
	CHECK(pread(file, buf, page_bytes, 0) == (ssize_t)page_bytes, "pread");
	probe_verify(buf, 1, 1, "the file");
}

static void private_copies_of_memory(void)
{
	private_copies(fill_file(memfd_create("conf", MFD_CLOEXEC), NPAGES));
}

static void private_copies_of_disk(void)
{
	private_copies(disk_file(NPAGES));
}

static void replaced_by_another(void)
{
	int a = fill_file(memfd_create("a", MFD_CLOEXEC), NPAGES);
	int b = disk_file(NPAGES);
	unsigned char *p = map_file(b, NPAGES, RW, MAP_SHARED);

	READS(p, NPAGES, 1);
	CHECK(mmap(p, NPAGES * page_bytes, RW, MAP_SHARED | MAP_FIXED, a, 0) ==
		      p, "mmap");
	CHECK(!madvise(p, NPAGES * page_bytes, MADV_POPULATE_READ), "populate");
	READS(p, NPAGES, 1);
	CHECK(!munmap(p, page_bytes), "munmap");
	CHECK(probe_try(fd, UHMM_DMIRROR_READ, p, 2, buf, NULL) == -EFAULT,
	      "a hole was read");
	READS(p + page_bytes, 4, 0);
}

static void beyond_the_end(void)
{
	int file = disk_file(2);
	unsigned char *p = map_file(file, 4, RW, MAP_SHARED);

	CHECK(probe_try(fd, UHMM_DMIRROR_READ, p, 4, buf, NULL) == -EFAULT,
	      "beyond the end");
	READS(p, 2, 1);
	CHECK(!ftruncate(file, (off_t)page_bytes), "ftruncate");
	CHECK(probe_try(fd, UHMM_DMIRROR_READ, p, 2, buf, NULL) == -EFAULT,
	      "cut off");
	CHECK(!probe_try(fd, UHMM_DMIRROR_READ, p, 1, buf, NULL), "what is left");
}

static void set_up(void)
{
	fd = probe_open(0);
}

static const struct conf_case cases[] = {
	{ "shared_memory_is_writable",
	  "shared memory: a read fault maps the pages around, writable",
	  shared_memory_is_writable },
	{ "disk_is_read_only_until_written",
	  "MAP_SHARED of a file on a disk: read-only until it is written",
	  disk_is_read_only_until_written },
	{ "table_of_shared_memory",
	  "what the device knows of shared memory holds until it is another page",
	  table_of_shared_memory },
	{ "table_of_disk", "the same of a file on a disk", table_of_disk },
	{ "private_copies_of_memory",
	  "MAP_PRIVATE of a memfd: the device sees the copy once there is one",
	  private_copies_of_memory },
	{ "private_copies_of_disk", "the same of a file on a disk",
	  private_copies_of_disk },
	{ "replaced_by_another", "another file is mapped in the same place",
	  replaced_by_another },
	{ "beyond_the_end", "pages behind the end of the file: EFAULT",
	  beyond_the_end },
};

CONF_MAIN("files", set_up, cases)
