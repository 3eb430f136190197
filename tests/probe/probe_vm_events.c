/* SPDX-License-Identifier: MIT */
/* probe_vm_events.c - what a program does to its memory while the device has it
 *
 * Each case starts with NPAGES filled pages on the device and ends with
 * nothing there.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "peek.h"
#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES ((size_t)16)
#define BYTES (NPAGES * page_bytes)
#define SEED 3u

static int fd;

static unsigned char *at(void *mem, size_t npages)
{
	return (unsigned char *)mem + npages * page_bytes;
}

static void *on_device(void)
{
	void *mem = probe_map(NPAGES, RW);

	probe_fill(mem, NPAGES, SEED);
	probe_to_dev(fd, mem, NPAGES);
	CHECK(probe_where(fd, mem, NPAGES).on_device == NPAGES, "not there");
	return mem;
}

/* Pages [@first, @first + @npages) of what on_device() filled are at @p. */
static void verify(const void *p, size_t first, size_t npages, const char *when)
{
	probe_verify_from(p, npages, first, SEED, when);
}

static void *map_at(void *where, size_t npages)
{
	void *p = mmap(where, npages * page_bytes, RW,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(p == where, "%s", strerror(errno));
	return p;
}

static void munmap_middle(void)
{
	unsigned char *mem = on_device();

	probe_unmap(at(mem, 6), 4);
	verify(mem, 0, 6, "before the hole");
	verify(at(mem, 10), 10, 6, "behind the hole");
	map_at(at(mem, 6), 4);
	probe_verify_zero(at(mem, 6), 4, "new memory in the hole");
	probe_unmap(mem, NPAGES);
}

static void munmap_all_and_map_again(void)
{
	unsigned char *mem = on_device();

	probe_unmap(mem, NPAGES);
	map_at(mem, NPAGES);
	probe_verify_zero(mem, NPAGES, "new memory at the same place");
	probe_fill(mem, NPAGES, SEED + 1);
	probe_to_dev(fd, mem, NPAGES);
	probe_verify(mem, NPAGES, SEED + 1, "new memory, on the device");
	probe_unmap(mem, NPAGES);
}

static void map_over(void)
{
	unsigned char *mem = on_device();

	map_at(at(mem, 4), 8);
	probe_verify_zero(at(mem, 4), 8, "memory mapped over");
	verify(mem, 0, 4, "before it");
	verify(at(mem, 12), 12, 4, "behind it");
	probe_unmap(mem, NPAGES);
}

static void move_to(size_t offset_pages, const char *when)
{
	unsigned char *mem = on_device();
	unsigned char *to = probe_map(2 * NPAGES, RW);
	unsigned char *new_place = at(to, offset_pages);

	CHECK(mremap(mem, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
		     new_place) == new_place,
	      "%s", strerror(errno));
	verify(new_place, 0, NPAGES, when);
	CHECK(mmap(mem, BYTES, RW,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		   0) == mem,
	      "%s: the old place is not free", when);
	probe_verify_zero(mem, NPAGES, "new memory at the old place");
	probe_unmap(mem, NPAGES);
	probe_unmap(to, 2 * NPAGES);
}

static void move_part(void)
{
	unsigned char *mem = on_device();
	unsigned char *to = probe_map(4, RW);

	CHECK(mremap(at(mem, 5), 4 * page_bytes, 4 * page_bytes,
		     MREMAP_MAYMOVE | MREMAP_FIXED, to) == to,
	      "%s", strerror(errno));
	verify(to, 5, 4, "the part that moved");
	verify(mem, 0, 5, "before it");
	verify(at(mem, 9), 9, 7, "behind it");
	munmap(mem, BYTES);
	probe_unmap(to, 4);
}

static void move_onto_device_pages(void)
{
	unsigned char *mem = on_device();
	unsigned char *to = probe_map(NPAGES, RW);

	probe_fill(to, NPAGES, SEED + 1);
	probe_to_dev(fd, to, NPAGES);
	CHECK(mremap(mem, BYTES / 2, BYTES / 2, MREMAP_MAYMOVE | MREMAP_FIXED,
		     to) == to,
	      "%s", strerror(errno));
	verify(to, 0, NPAGES / 2, "moved onto pages of the device");
	probe_verify_from(at(to, NPAGES / 2), NPAGES / 2, NPAGES / 2, SEED + 1,
			  "the half that stayed");
	verify(at(mem, NPAGES / 2), NPAGES / 2, NPAGES / 2, "the other half");
	munmap(mem, BYTES);
	probe_unmap(to, NPAGES);
}

static void dontunmap(void)
{
	unsigned char *mem = on_device();
	unsigned char *to;

	to = mremap(mem, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	if (to == MAP_FAILED && errno == EINVAL) {
		probe_unmap(mem, NPAGES); /* older than Linux 5.7 */
		return;
	}
	CHECK(to != MAP_FAILED, "%s", strerror(errno));
	verify(to, 0, NPAGES / 2, "DONTUNMAP, the new place");
	probe_verify_zero(mem, NPAGES, "DONTUNMAP, the old place");
	verify(to, 0, NPAGES, "DONTUNMAP, the new place again");
	memset(mem, 0xff, BYTES);
	verify(to, 0, NPAGES, "DONTUNMAP, after a write to the old place");
	probe_unmap(mem, NPAGES);
	probe_unmap(to, NPAGES);
}

static void shrink_and_grow(void)
{
	unsigned char *mem = on_device();
	unsigned char *grown;

	CHECK(mremap(mem, BYTES, BYTES / 2, 0) == mem, "%s", strerror(errno));
	verify(mem, 0, 2, "after shrinking");
	grown = mremap(mem, BYTES / 2, 2 * BYTES, MREMAP_MAYMOVE);
	CHECK(grown != MAP_FAILED, "%s", strerror(errno));
	verify(grown, 0, NPAGES / 2, "after growing");
	probe_verify_zero(at(grown, NPAGES / 2), NPAGES * 3 / 2,
			  "what growing added");
	probe_unmap(grown, 2 * NPAGES);
}

static void dontneed(void)
{
	unsigned char *mem = on_device();

	CHECK(!madvise(at(mem, 3), 5 * page_bytes, MADV_DONTNEED), "%s",
	      strerror(errno));
	probe_verify_zero(at(mem, 3), 5, "after MADV_DONTNEED");
	verify(mem, 0, 3, "before what was dropped");
	verify(at(mem, 8), 8, 8, "behind what was dropped");
	probe_unmap(mem, NPAGES);
}

/* Advice that is about memory of the system does nothing to the device's. */
static void other_advice(void)
{
	static const int advice[] = { MADV_COLD, MADV_PAGEOUT };

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		unsigned char *mem = on_device();

		CHECK(!madvise(mem, BYTES, advice[i]), "advice %d: %s",
		      advice[i], strerror(errno));
		CHECK(probe_where(fd, mem, NPAGES).on_device == NPAGES,
		      "advice %d took pages off the device", advice[i]);
		verify(mem, 0, NPAGES, "after advice");
		probe_unmap(mem, NPAGES);
	}
}

static void protect_none_and_back(void)
{
	unsigned char *mem = on_device();
	uint32_t *word = (void *)at(mem, 2);

	CHECK(!mprotect(mem, BYTES, PROT_NONE), "%s", strerror(errno));
	CHECK(probe_dies_of(word, false) == SIGSEGV, "PROT_NONE was read");
	CHECK(!mprotect(mem, BYTES, PROT_READ), "%s", strerror(errno));
	CHECK(probe_dies_of(word, true) == SIGSEGV, "PROT_READ was written");
	verify(mem, 0, NPAGES / 2, "PROT_NONE, then PROT_READ");
	CHECK(!mprotect(mem, BYTES, RW), "%s", strerror(errno));
	verify(mem, 0, NPAGES, "and read-write again");
	CHECK(probe_dies_of(word, true) == 0, "cannot be written again");
	probe_fill(mem, NPAGES, SEED + 1);
	probe_verify(mem, NPAGES, SEED + 1, "written again");
	probe_unmap(mem, NPAGES);
}

static void protect_stays_on_device(void)
{
	unsigned char *mem = on_device();

	CHECK(!mprotect(mem, BYTES, PROT_READ), "%s", strerror(errno));
	CHECK(probe_where(fd, mem, NPAGES).on_device == NPAGES,
	      "mprotect took pages off the device");
	CHECK(!mprotect(mem, BYTES, RW), "%s", strerror(errno));
	verify(mem, 0, NPAGES, "after two times mprotect");
	memset(mem, 1, BYTES);
	CHECK(mem[BYTES - 1] == 1, "not written");
	probe_unmap(mem, NPAGES);
}

static void device_obeys_mprotect(void)
{
	unsigned char *mem = on_device();
	void *buf = probe_map(NPAGES, RW);

	CHECK(!mprotect(mem, BYTES, PROT_NONE), "%s", strerror(errno));
	CHECK(probe_try(fd, UHMM_DMIRROR_READ, mem, NPAGES, buf, NULL) ==
		      -EFAULT,
	      "the device reads what has no protection");
	CHECK(!mprotect(mem, BYTES, RW), "%s", strerror(errno));
	verify(mem, 0, NPAGES, "afterwards");
	probe_unmap(mem, NPAGES);
	probe_unmap(buf, NPAGES);
}

/* The heap shrinks by half, over pages of the device, and grows again. No
 * malloc here: it would use what we took. */
static void heap(void)
{
	static unsigned char buf[NPAGES * 65536];
	unsigned char *top = sbrk(0);
	size_t pad = -(uintptr_t)top & (page_bytes - 1);
	unsigned char *mem = top + pad;
	struct uhmm_dmirror_cmd cmd;
	int ret;

	if (sbrk((intptr_t)(pad + BYTES)) != top)
		return; /* no room for a heap here */
	probe_fill(mem, NPAGES, SEED);
	ret = probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, mem, NPAGES, buf,
			&cmd);
	CHECK(ret == 0 && cmd.cpages == NPAGES, "%s", strerror(-ret));
	verify(mem, 0, 2, "the heap came back");
	CHECK(sbrk(-(intptr_t)(BYTES / 2)) == mem + BYTES, "not the top");
	CHECK(sbrk((intptr_t)(BYTES / 2)) == mem + BYTES / 2, "not the top");
	verify(mem, 0, NPAGES / 2, "the heap that stayed");
	probe_verify_zero(at(mem, NPAGES / 2), NPAGES / 2,
			  "the heap that grew");
	CHECK(sbrk(-(intptr_t)(pad + BYTES)) == mem + BYTES, "not the top");
}

int main(void)
{
	probe_begin("probe_vm_events", 50);
	fd = probe_open(0);
	munmap_middle();
	munmap_all_and_map_again();
	map_over();
	move_to(0, "moved");
	move_to(NPAGES / 2 + 1, "moved by an odd number of pages");
	move_part();
	move_onto_device_pages();
	dontunmap();
	shrink_and_grow();
	dontneed();
	other_advice();
	protect_none_and_back();
	protect_stays_on_device();
	device_obeys_mprotect();
	heap();
	peek_await_pages(0, "when all is unmapped");
	return 0;
}
