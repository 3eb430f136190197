/* SPDX-License-Identifier: MIT */
/* conf_thp.c - huge pages and what is as large: the kernel's tests
 * migrate_anon_huge_*, migrate_partial_unmap_fault, migrate_remap_fault and
 * benchmark_thp_migration (spec 3.3, rows 27 to 35), and what a snapshot and a
 * count show of a 2 MiB unit meanwhile
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf.h"

#define RW (PROT_READ | PROT_WRITE)
#define COLLAPSE 25 /* Linux 6.1 */
#define FAIL_ALLOC 1

/* Bytes of a snapshot: of private memory of this device, as one PMD. */
#define DEVICE_WRITE 0x22
#define DEVICE_WRITE_PMD 0x26
#define DEVICE_READ_PMD 0x25
#define READ 0x01
#define READ_PMD 0x05
#define WRITE 0x02
#define WRITE_PMD 0x06

static int fd;
static bool coherent;
static size_t unit;	 /* pages of a huge page */
static uint32_t *mirror; /* what the device hands back */

/* 0: there is none */
static unsigned long read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long n = 0;

	if (!f || fscanf(f, "%lu", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	return n;
}

static size_t huge_bytes(void)
{
	size_t bytes = read_number(
		"/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");

	if (!bytes)
		probe_skip("no transparent huge pages");
	return bytes;
}

static void set_up(void)
{
	unit = huge_bytes() / page_bytes;
	fd = probe_open(coherent ? 2 : 0);
	mirror = probe_map(2 * unit, RW);
}

static char *page_of(void *p, size_t i)
{
	return (char *)p + i * page_bytes;
}

/* @units huge pages' worth of memory, aligned as one, with @advice. */
static void *map_aligned(size_t units, int prot, int advice)
{
	uintptr_t bytes = unit * page_bytes;
	uintptr_t at = (uintptr_t)probe_map((units + 1) * unit, prot);
	void *p = (void *)((at + bytes - 1) & -bytes);

	if (madvise(p, units * bytes, advice))
		probe_skip("madvise: %s", strerror(errno));
	return p;
}

static void needs_units(void)
{
	if (!probe_kernel(6, 7))
		probe_skip("before 6.7 a huge page cannot be told: no units");
}

static void fail_alloc(void)
{
	CHECK(!probe_try(fd, UHMM_DMIRROR_FLAGS, NULL, FAIL_ALLOC, NULL, NULL),
	      "FLAGS");
}

/* To the device, and what it hands back is what probe_fill() wrote; @seed 0:
 * zeros. */
static void to_dev(void *p, size_t npages, uint32_t seed)
{
	probe_do(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, p, npages, mirror);
	if (seed)
		probe_verify(mirror, npages, seed, "handed back");
	else
		probe_verify_zero(mirror, npages, "handed back");
}

static uint64_t to_sys(void *p, size_t npages)
{
	struct uhmm_dmirror_cmd cmd;

	CHECK(!probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_SYS, p, npages, NULL,
			 &cmd),
	      "MIGRATE_TO_SYS");
	return cmd.cpages;
}

/* Every page of the range is @byte in a snapshot. Coherent memory has other
 * bytes, and no units. */
static void snapshot_is(void *p, size_t npages, unsigned char byte)
{
	unsigned char *got = (unsigned char *)mirror;

	if (coherent)
		return;
	if (byte & UHMM_DMIRROR_PROT_PMD)
		needs_units();
	probe_do(fd, UHMM_DMIRROR_SNAPSHOT, p, npages, mirror);
	for (size_t i = 0; i < npages; i++)
		CHECK(got[i] == byte, "page %zu is %02x, not %02x", i, got[i],
		      byte);
}

/* Is it a huge page, so that it can be told whether it is one later? */
static bool is_huge(void *p)
{
	unsigned char *got = (unsigned char *)mirror;

	probe_do(fd, UHMM_DMIRROR_SNAPSHOT, p, 1, mirror);
	return got[0] == WRITE_PMD;
}

/* A unit comes back as a huge page if this kernel makes one of what is there:
 * of pages that are all read-only since 6.18. */
static bool collapses_read_only(void)
{
	void *p = map_aligned(1, RW, MADV_NOHUGEPAGE);
	bool does;

	probe_fill(p, unit, 1);
	CHECK(!mprotect(p, unit * page_bytes, PROT_READ), "mprotect");
	CHECK(!madvise(p, unit * page_bytes, MADV_HUGEPAGE), "madvise");
	does = !madvise(p, unit * page_bytes, COLLAPSE);
	probe_unmap(p, unit);
	return does;
}

/* ---- holes and the huge zero page ---- */

static void huge_empty(void)
{
	void *p = map_aligned(1, PROT_READ, MADV_HUGEPAGE);

	to_dev(p, unit, 0);
	snapshot_is(p, unit, DEVICE_READ_PMD);
	probe_verify_zero(p, unit, "touched");
	snapshot_is(p, unit, collapses_read_only() ? READ_PMD : READ);
}

static void huge_empty_writable(void)
{
	void *p = map_aligned(1, RW, MADV_HUGEPAGE);

	to_dev(p, unit, 0);
	snapshot_is(p, unit, DEVICE_WRITE_PMD);
	probe_fill(p, unit, 3);
	snapshot_is(p, unit, WRITE_PMD);
	probe_verify(p, unit, 3, "written");
}

static void huge_zero(void)
{
	volatile char *p = map_aligned(1, PROT_READ, MADV_HUGEPAGE);

	needs_units();
	CHECK(!*p, "not zero");
	to_dev((void *)p, unit, 0);
	snapshot_is((void *)p, unit, DEVICE_READ_PMD);
	probe_verify_zero((void *)p, unit, "touched");
}

static void huge_zero_err(void)
{
	size_t bytes = 2 * unit * page_bytes;
	char *all = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	char *p = (char *)(((uintptr_t)all + bytes / 2 - 1) & -(bytes / 2));
	char *again;

	needs_units();
	CHECK(all != MAP_FAILED, "mmap");
	(void)madvise(p, bytes / 2, MADV_HUGEPAGE);
	fail_alloc();
	to_dev(p, unit, 0);
	snapshot_is(p, unit, 0x21);
	CHECK(!*(volatile int *)page_of(p, 2), "not zero");
	CHECK(!munmap(all, bytes), "munmap");
	/* the kernel's test relies on getting the same place again */
	again = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	CHECK(again == all, "%p was free, and is not given again", all);
	(void)madvise(p, bytes / 2, MADV_HUGEPAGE);
	CHECK(!*(volatile char *)p, "not zero");
	fail_alloc();
	to_dev(p, unit, 0);
	probe_verify_zero(p, unit, "touched");
}

/* ---- huge pages ---- */

static void huge_free(void)
{
	void *p = map_aligned(1, RW, MADV_HUGEPAGE);

	probe_fill(p, unit, 1);
	to_dev(p, unit, 1);
	CHECK(!madvise(p, unit * page_bytes, MADV_FREE), "MADV_FREE");
	probe_verify(p, unit, 1, "after MADV_FREE");
}

static void pagemap_is_away(void *p)
{
	size_t present, swapped;

	probe_pagemap(p, unit, &present, &swapped);
	if (!probe_kernel(6, 15))
		swapped = unit - present;
	CHECK(!present && swapped == unit, "%zu present, %zu swapped", present,
	      swapped);
}

static void huge_fault(void)
{
	char *p = map_aligned(1, RW, MADV_HUGEPAGE);
	bool huge;

	probe_fill(p, unit, 1);
	huge = is_huge(p);
	to_dev(p, unit, 1);
	if (huge)
		snapshot_is(p, unit, DEVICE_WRITE_PMD);
	if (!coherent)
		pagemap_is_away(p);
	/* one byte brings all of it */
	CHECK(*(volatile int *)page_of(p, unit / 2) != 0x55aa, "-");
	if (huge)
		snapshot_is(p, unit, WRITE_PMD);
	probe_verify(p, unit, 1, "touched");
}

static void huge_fault_collapse(void)
{
	void *p = map_aligned(1, RW, MADV_NORMAL);

	probe_fill(p, unit, 1);
	if (madvise(p, unit * page_bytes, COLLAPSE))
		probe_skip("MADV_COLLAPSE: %s", strerror(errno));
	to_dev(p, unit, 1);
	snapshot_is(p, unit, DEVICE_WRITE_PMD);
	if (!coherent)
		pagemap_is_away(p);
	probe_verify(p, unit, 1, "touched");
	snapshot_is(p, unit, WRITE_PMD);
}

/* Pages of two would-be huge pages are away when the program asks for these. */
static void collapse_device_pages(void)
{
	void *p = map_aligned(2, RW, MADV_NORMAL);

	probe_fill(p, 2 * unit, 1);
	probe_do(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, page_of(p, unit / 2), unit,
		 mirror);
	if (madvise(p, 2 * unit * page_bytes, COLLAPSE))
		probe_skip("MADV_COLLAPSE: %s", strerror(errno));
	snapshot_is(p, 2 * unit, WRITE_PMD);
	probe_verify(p, 2 * unit, 1, "collapsed");
}

static void huge_err(void)
{
	void *p = map_aligned(1, RW, MADV_HUGEPAGE);
	uint64_t n = 0;
	bool huge;

	needs_units();
	probe_fill(p, unit, 1);
	fail_alloc();
	to_dev(p, unit, 1);
	snapshot_is(p, unit, DEVICE_WRITE);
	probe_verify_from(page_of(p, 2), 1, 2, 1, "touched");
	probe_unmap(p, unit);
	p = map_aligned(1, RW, MADV_HUGEPAGE);
	probe_fill(p, unit, 2);
	huge = is_huge(p);
	to_dev(p, unit, 2);
	fail_alloc();
	if (coherent) /* a base page cannot be had */
		CHECK(probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_SYS, p, unit, NULL,
				NULL) == -ENOMEM,
		      "MIGRATE_TO_SYS");
	else
		n = to_sys(p, unit);
	if (huge && !coherent) {
		CHECK(n == unit, "%zu pages came back", (size_t)n);
		snapshot_is(p, unit, WRITE);
	}
	probe_verify(p, unit, 2, "back");
}

static void huge_fault_err(void)
{
	void *p = map_aligned(1, RW, MADV_HUGEPAGE);

	probe_fill(p, unit, 1);
	if (!is_huge(p))
		probe_skip("got no huge page");
	to_dev(p, unit, 1);
	fail_alloc();
	probe_verify_from(page_of(p, 2), 1, 2, 1, "touched");
	snapshot_is(p, unit, WRITE);
	probe_verify(p, unit, 1, "back");
}

/* A unit counts once, its parts each. */
static void huge_counts(void)
{
	void *p = map_aligned(2, RW, MADV_HUGEPAGE);

	probe_fill(p, 2 * unit, 1);
	if (!is_huge(p) || !is_huge(page_of(p, unit)))
		probe_skip("got no huge page");
	to_dev(p, 2 * unit, 1);
	CHECK(to_sys(p, unit) == 1, "a unit is one");
	snapshot_is(p, unit, WRITE_PMD);
	CHECK(to_sys(page_of(p, unit), 7) == 7, "pages are pages");
	snapshot_is(page_of(p, unit), 7, WRITE);
	snapshot_is(page_of(p, unit + 7), unit - 7, DEVICE_WRITE);
	CHECK(to_sys(p, 2 * unit) == unit - 7, "and so is the rest");
	probe_verify(p, 2 * unit, 1, "back");
}

/* Only a range that covers one moves it whole. */
static void huge_partly_covered(void)
{
	void *p = map_aligned(2, RW, MADV_HUGEPAGE);

	probe_fill(p, 2 * unit, 1);
	probe_do(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, page_of(p, 1), unit, mirror);
	snapshot_is(page_of(p, 1), unit, DEVICE_WRITE);
	probe_verify(p, 2 * unit, 1, "touched");
}

/* A large folio of @npages that PTEs map goes and comes back page by page. */
static void goes_by_pages(char *p, size_t npages)
{
	to_dev(p, npages, 1);
	snapshot_is(p, npages, DEVICE_WRITE);
	(void)*(volatile char *)page_of(p, 5);
	snapshot_is(page_of(p, 5), 1, WRITE);
	snapshot_is(page_of(p, 6), npages - 6, DEVICE_WRITE);
	CHECK(to_sys(p, npages) == npages - 1, "each counts");
	probe_verify(p, npages, 1, "back");
	probe_do(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, page_of(p, 3), 7, mirror);
	snapshot_is(p, 3, WRITE);
	snapshot_is(page_of(p, 3), 7, DEVICE_WRITE);
	snapshot_is(page_of(p, 10), npages - 10, WRITE);
	probe_verify(p, npages, 1, "touched");
}

/* Protecting a part has the PMD split, and leaves the folio as it is. */
static void huge_by_ptes(void)
{
	char *p = map_aligned(1, RW, MADV_HUGEPAGE);

	probe_fill(p, unit, 1);
	if (!is_huge(p))
		probe_skip("got no huge page");
	CHECK(!mprotect(page_of(p, 9), page_bytes, PROT_READ) &&
		      !mprotect(page_of(p, 9), page_bytes, RW),
	      "mprotect");
	snapshot_is(p, unit, WRITE);
	goes_by_pages(p, unit);
}

/* ---- folios of 64 KiB ---- */

#define MTHP "/sys/kernel/mm/transparent_hugepage/hugepages-64kB/"
#define MTHP_BYTES 65536

static bool write_text(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	bool done = file >= 0 && write(file, text, strlen(text)) > 0;

	if (file >= 0)
		close(file);
	return done;
}

/* The word in brackets of @path, the choice that is made. */
static void read_choice(const char *path, char word[32])
{
	FILE *f = fopen(path, "re");

	if (!f || fscanf(f, "%*[^[][%31[a-z]", word) != 1)
		probe_skip("no folios of 64 KiB");
	fclose(f);
}

/* Memory of @bytes in folios of 64 KiB; too small for a huge page. */
static char *map_mthp(size_t bytes)
{
	uintptr_t at = (uintptr_t)probe_map(
		(bytes + MTHP_BYTES) / page_bytes, RW);
	char *p = (char *)((at + MTHP_BYTES - 1) & -(uintptr_t)MTHP_BYTES);
	unsigned long before = read_number(MTHP "stats/anon_fault_alloc");
	char choice[32];

	read_choice(MTHP "enabled", choice);
	if (!write_text(MTHP "enabled", "madvise"))
		probe_skip("may not ask for folios of 64 KiB");
	CHECK(!madvise(p, bytes, MADV_HUGEPAGE), "madvise");
	probe_fill(p, bytes / page_bytes, 1);
	CHECK(write_text(MTHP "enabled", choice), "%s stays", MTHP "enabled");
	if (read_number(MTHP "stats/anon_fault_alloc") == before)
		probe_skip("got no folio of 64 KiB");
	return p;
}

static void mthp(void)
{
	size_t npages = 4 * MTHP_BYTES / page_bytes;

	goes_by_pages(map_mthp(4 * MTHP_BYTES), npages);
}

static void huge_mprotect(void)
{
	size_t half = unit / 2 * page_bytes;
	char *p = map_aligned(1, RW, MADV_HUGEPAGE);

	probe_fill(p, unit, 1);
	if (!is_huge(p))
		probe_skip("got no huge page");
	to_dev(p, unit, 1);
	CHECK(!mprotect(p, 2 * half, PROT_READ), "mprotect");
	snapshot_is(p, unit, DEVICE_READ_PMD);
	CHECK(!mprotect(p, half, RW), "mprotect");
	snapshot_is(p, unit, 0x21);
	CHECK(!mprotect(p, 2 * half, RW), "mprotect");
	probe_verify(p, unit, 1, "touched");
	probe_fill(p, unit, 2);
	probe_verify(p, unit, 2, "written");
}

/* ---- parts that go, and memory that moves ---- */

static const int advices[] = { MADV_NOHUGEPAGE, MADV_HUGEPAGE };

static void partial_unmap(int advice, size_t first)
{
	size_t half = unit / 2;
	char *p = map_aligned(1, RW, advice);

	probe_fill(p, unit, 1);
	to_dev(p, unit, 1);
	CHECK(!munmap(page_of(p, first), half * page_bytes), "munmap");
	probe_verify(p, first, 1, "in front");
	probe_verify_from(page_of(p, first + half), half - first, first + half,
			  1, "behind");
	CHECK(!munmap(p, unit * page_bytes), "munmap over the hole");
}

static void partial_unmap_fault(void)
{
	for (int i = 0; i < 2; i++)
		for (size_t quarter = 0; quarter < 3; quarter++)
			partial_unmap(advices[i], quarter * unit / 4);
}

struct move {
	bool before, dontunmap; /* before it goes to the device */
	int advice;
	size_t offset; /* of the new place, in pages */
};

static void remap(char *from, char *to, bool dontunmap)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED |
		    (dontunmap ? MREMAP_DONTUNMAP : 0);
	size_t bytes = unit * page_bytes;

	CHECK(mremap(from, bytes, bytes, flags, to) == to, "mremap");
}

static void remap_fault_of(const struct move *m)
{
	char *p = map_aligned(7, RW, m->advice);
	char *to = page_of(p, unit + m->offset);

	CHECK(!munmap(page_of(p, unit), 2 * unit * page_bytes), "munmap");
	probe_fill(p, unit, 1);
	if (m->before)
		remap(p, to, m->dontunmap);
	to_dev(m->before ? to : p, unit, 1);
	if (!m->before)
		remap(p, to, m->dontunmap);
	probe_verify(to, unit, 1, "at the new place");
	if (m->dontunmap)
		probe_verify_zero(p, unit, "at the old place");
	CHECK(!munmap(to, unit * page_bytes), "munmap");
	CHECK(!munmap(p, 7 * unit * page_bytes), "munmap");
}

static void remap_fault(void)
{
	for (unsigned int i = 0; i < 24; i++)
		remap_fault_of(&(struct move){
			.before = i & 1,
			.dontunmap = i & 2,
			.advice = advices[i / 4 % 2],
			.offset = i / 8 * unit / 4,
		});
}

/* To an aligned place it moves as it is. */
static void remap_keeps_unit(void)
{
	char *p = map_aligned(4, RW, MADV_HUGEPAGE);

	probe_fill(p, unit, 1);
	if (!is_huge(p))
		probe_skip("got no huge page");
	to_dev(p, unit, 1);
	remap(p, page_of(p, unit), false);
	snapshot_is(page_of(p, unit), unit, DEVICE_WRITE_PMD);
	remap(page_of(p, unit), page_of(p, 2 * unit + 1), false);
	snapshot_is(page_of(p, 2 * unit + 1), unit, DEVICE_WRITE);
	probe_verify(page_of(p, 2 * unit + 1), unit, 1, "moved twice");
}

/* ---- the benchmark, without its clock ---- */

static void ping_pong(void)
{
	const size_t sizes[] = { unit / 4, unit, 3 * unit, 8 * unit };

	mirror = probe_map(8 * unit, RW);
	for (int k = 0; k < 8; k++) {
		size_t n = sizes[k / 2];
		void *p = probe_map(n, RW); /* not aligned */

		CHECK(!madvise(p, n * page_bytes, advices[k % 2]), "madvise");
		probe_fill(p, n, 1);
		for (int i = 0; i < 3; i++) {
			to_dev(p, n, 1);
			(void)to_sys(p, n);
		}
		probe_verify(p, n, 1, "after three rounds");
		probe_unmap(p, n);
	}
}

/* ---- the same on memory that the CPU can reach ---- */

#define ON_COHERENT(name) \
	static void coherent_##name(void) \
	{ \
		close(fd); \
		coherent = true; \
		set_up(); \
		name(); \
	}

ON_COHERENT(huge_empty)
ON_COHERENT(huge_zero)
ON_COHERENT(huge_zero_err)
ON_COHERENT(huge_free)
ON_COHERENT(huge_fault)
ON_COHERENT(huge_err)
ON_COHERENT(partial_unmap_fault)
ON_COHERENT(remap_fault)
ON_COHERENT(ping_pong)

static const struct conf_case cases[] = {
	{ "huge_empty", "an untouched read-only 2 MiB moves as one, of zeros",
	  huge_empty },
	/* S3.2 */
	{ "huge_empty_writable", "an untouched writable 2 MiB moves as one",
	  huge_empty_writable },
	/* S3.2 */
	{ "huge_zero", "the huge zero page moves as one", huge_zero },
	/* S3.3 */
	{ "huge_zero_err", "zeros move as base pages when no unit is free",
	  huge_zero_err },
	{ "huge_free", "MADV_FREE keeps a unit's data", huge_free },
	/* S3.5 */
	{ "huge_fault", "a CPU that touches one page gets the huge page back",
	  huge_fault },
	/* S3.5 */
	{ "huge_fault_collapse", "so it does of one made by MADV_COLLAPSE",
	  huge_fault_collapse },
	{ "collapse_device_pages", "MADV_COLLAPSE takes pages off the device",
	  collapse_device_pages },
	/* S3.3 */
	{ "huge_err", "a failed allocation splits, to the device and back",
	  huge_err },
	/* S3.3 */
	{ "huge_fault_err", "and in a fault", huge_fault_err },
	{ "huge_counts", "MIGRATE_TO_SYS counts a whole unit once",
	  huge_counts },
	/* S3.2 */
	{ "huge_partly_covered", "a range that covers parts moves base pages",
	  huge_partly_covered },
	/* S3.2 */
	{ "huge_by_ptes", "a huge page that PTEs map moves as base pages",
	  huge_by_ptes },
	/* S3.2 */
	{ "mthp", "so do folios of 64 KiB, whole and in part", mthp },
	/* S3.4 */
	{ "huge_mprotect", "mprotect keeps a whole unit and splits a part",
	  huge_mprotect },
	/* S3.4 */
	{ "partial_unmap_fault", "what munmap leaves of a unit keeps its data",
	  partial_unmap_fault },
	/* S3.2, S3.4 */
	{ "remap_fault", "mremap before or after, aligned or not: 24 ways",
	  remap_fault },
	{ "remap_keeps_unit", "a unit moves whole to an aligned place only",
	  remap_keeps_unit },
	{ "ping_pong", "sizes of the benchmark, there and back", ping_pong },
	{ "coherent_huge_empty", "coherent: untouched 2 MiB",
	  coherent_huge_empty },
	{ "coherent_huge_zero", "coherent: the huge zero page",
	  coherent_huge_zero },
	{ "coherent_huge_zero_err", "coherent: with failed allocations",
	  coherent_huge_zero_err },
	{ "coherent_huge_free", "coherent: MADV_FREE", coherent_huge_free },
	{ "coherent_huge_fault", "coherent: a huge page", coherent_huge_fault },
	{ "coherent_huge_err", "coherent: a failed allocation back is ENOMEM",
	  coherent_huge_err },
	{ "coherent_partial_unmap_fault", "coherent: partial munmap",
	  coherent_partial_unmap_fault },
	{ "coherent_remap_fault", "coherent: mremap in 24 ways",
	  coherent_remap_fault },
	{ "coherent_ping_pong", "coherent: sizes of the benchmark",
	  coherent_ping_pong },
};

CONF_MAIN("conf_thp", set_up, cases)
