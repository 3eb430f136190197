/* SPDX-License-Identifier: MIT */
/* bench_moves.c - floors: pages moved away and back, protected (bench_floor.h)
 *
 * In one process, nobody asks and nobody answers: what the kernel takes for the
 * calls that engine move cannot do without.
 */
#include "bench_floor.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define UNIT_BYTES (UINT64_C(2) << 20)
#define NUNITS 16
#define FEATURES                                                  \
	(UFFD_FEATURE_PAGEFAULT_FLAG_WP | UHMM_UFFD_FEATURE_MOVE | \
	 UHMM_UFFD_FEATURE_WP_UNPOPULATED)
#define BOTH (UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP)

/** A program's memory, and a window that pages go to. */
struct field {
	int uffd;
	unsigned char *mem, *window;
	uint64_t npages;
};

static void move(const struct field *f, unsigned char *to, unsigned char *from,
		 uint64_t npages)
{
	struct uhmm_uffdio_move m = {
		.dst = (uintptr_t)to,
		.src = (uintptr_t)from,
		.len = npages * bench_page(),
	};

	if (ioctl(f->uffd, UHMM_UFFDIO_MOVE, &m) < 0)
		bench_die("UFFDIO_MOVE");
}

/* Out, and a mark where it was. */
static void move_out(const struct field *f, uint64_t at, uint64_t npages)
{
	uint64_t offset = at * bench_page();

	move(f, f->window + offset, f->mem + offset, npages);
	floor_protect(f->uffd, f->mem + offset, npages, true);
}

static void move_back(const struct field *f, uint64_t at, uint64_t npages)
{
	uint64_t offset = at * bench_page();

	floor_protect(f->uffd, f->mem + offset, npages, false);
	move(f, f->mem + offset, f->window + offset, npages);
}

static void trap(struct field *f)
{
	f->uffd = floor_uffd(FEATURES);
	floor_trap(f->uffd, f->mem, f->npages, BOTH);
	floor_trap(f->uffd, f->window, f->npages, UFFDIO_REGISTER_MODE_WP);
}

static void measure_pages(void)
{
	struct field f = { .npages = FLOOR_NPAGES };
	struct bench out = { .name = "bare_move_out" };
	struct bench back = { .name = "bare_move_back" };
	struct bench wp = { .name = "bare_protect" };

	if (!bench_wants(out.name) && !bench_wants(back.name) &&
	    !bench_wants(wp.name))
		return;
	f.mem = bench_map(f.npages);
	f.window = bench_map(f.npages);
	memset(f.mem, 1, f.npages * bench_page());
	trap(&f);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		bench_yardstick(&wp);
		from = bench_now_ns();
		floor_protect(f.uffd, f.mem, f.npages, true);
		bench_add(&wp, from, f.npages);
		floor_protect(f.uffd, f.mem, f.npages, false);
		bench_yardstick(&out);
		from = bench_now_ns();
		move_out(&f, 0, f.npages);
		bench_add(&out, from, f.npages);
		bench_yardstick(&back);
		from = bench_now_ns();
		move_back(&f, 0, f.npages);
		bench_add(&back, from, f.npages);
	}
	bench_print(&out);
	bench_print(&back);
	bench_print(&wp);
}

/* One page at a time, of a window that is open for that long only. */
static void measure_page(void)
{
	struct bench b = { .name = "bare_move_1p" };
	struct field f = { .npages = 256 };

	if (!bench_wants(b.name))
		return;
	f.mem = bench_map(f.npages);
	f.window = bench_map(f.npages);
	memset(f.mem, 1, f.npages * bench_page());
	trap(&f);
	mprotect(f.window, f.npages * bench_page(), PROT_NONE);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		bench_yardstick(&b);
		from = bench_now_ns();
		for (uint64_t at = 0; at < f.npages; at++) {
			unsigned char *slot = f.window + at * bench_page();

			mprotect(slot, bench_page(), PROT_READ | PROT_WRITE);
			move_out(&f, at, 1);
			mprotect(slot, bench_page(), PROT_NONE);
		}
		bench_add(&b, from, f.npages);
		mprotect(f.window, f.npages * bench_page(),
			 PROT_READ | PROT_WRITE);
		/* opened one by one, they may be mappings of their own */
		for (uint64_t at = 0; at < f.npages; at++)
			move_back(&f, at, 1);
		mprotect(f.window, f.npages * bench_page(), PROT_NONE);
	}
	bench_print(&b);
}

static unsigned char *map_units(void)
{
	unsigned char *mem = mmap(NULL, (NUNITS + 1) * UNIT_BYTES,
				  PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		bench_die("mmap");
	mem += -(uintptr_t)mem % UNIT_BYTES;
	madvise(mem, NUNITS * UNIT_BYTES, MADV_HUGEPAGE);
	return mem;
}

/* Huge pages: what makes the way back dear is the page table of the marks. */
static void measure_units(void)
{
	const uint64_t npages = UNIT_BYTES / bench_page();
	struct field f = { .npages = NUNITS * npages };
	struct bench out = { .name = "bare_unit_out", .unit = "unit" };
	struct bench back = { .name = "bare_unit_back", .unit = "unit" };

	if (!bench_wants(out.name) && !bench_wants(back.name))
		return;
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		/* what came back is base pages: new ones */
		f.mem = map_units();
		f.window = map_units();
		memset(f.mem, 1, NUNITS * UNIT_BYTES);
		trap(&f);
		bench_yardstick(&out);
		from = bench_now_ns();
		for (uint64_t u = 0; u < NUNITS; u++)
			move_out(&f, u * npages, npages);
		bench_add(&out, from, NUNITS);
		bench_yardstick(&back);
		from = bench_now_ns();
		for (uint64_t u = 0; u < NUNITS; u++)
			move_back(&f, u * npages, npages);
		bench_add(&back, from, NUNITS);
		close(f.uffd);
		munmap(f.mem, NUNITS * UNIT_BYTES);
		munmap(f.window, NUNITS * UNIT_BYTES);
	}
	bench_print(&out);
	bench_print(&back);
}

void bench_moves(void)
{
	if (!floor_has(FEATURES))
		return;	/* before 6.8 */
	measure_pages();
	measure_page();
	measure_units();
}
