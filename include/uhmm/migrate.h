/* SPDX-License-Identifier: MIT */
/* migrate.h - move pages between a program and a device, in three phases
 *
 * Theory of operation (kernel: mm/migrate_device.c, migrate_vma_*()).
 *   setup     looks at each page of the range and locks those that can move:
 *             a migration entry is put in the shadow, src[i] says what it is.
 *   (driver)  gives each src[i] with MIGRATE a destination in dst[i], or 0.
 *   pages     moves the bytes. Here the kernel's driver would have copied
 *             already; with us only the engine reaches the program's pages, so
 *             the copy is part of this phase. src[i] loses MIGRATE where it
 *             did not work.
 *   finalize  replaces the migration entries by what is true now and wakes who
 *             waited. Always called when setup returned 0.
 * Partial success is data, not an error: look at src[] after pages.
 *
 * Units. With SELECT_COMPOUND a range that is exactly one PMD-sized unit, be
 * it a huge page, a hole or the huge zero page, or a unit of device pages, is
 * one: src[0] has COMPOUND, the rest of src[] is 0. A destination for all of
 * it has COMPOUND, too (2^9 device pages; an ordinary huge page) and zeros
 * behind; without the flag the unit is split, and every dst[] counts. A unit
 * the range has a part of is split, and moves page by page.
 *
 * From device to device. A destination may be a page of another private device:
 * the bytes go from one to the other, for all who map the page. With pgmap NULL
 * device pages of any device are selected, and every notifier is told.
 *
 * src[] and dst[] hold one word per base page: enum uhmm_migrate_pfn flags and
 * a number above UHMM_MIGRATE_PFN_SHIFT. Which space the number is of is said
 * by DEVICE_PRIVATE (S1.4): set, a device page number; clear, a system page,
 * which has no number a daemon could know (0).
 */
#ifndef UHMM_MIGRATE_H
#define UHMM_MIGRATE_H

#include <uhmm/device_private.h>
#include <uhmm/mm.h>

enum uhmm_migrate_pfn {
	UHMM_MIGRATE_PFN_VALID = 1 << 0,	/* there is a page */
	UHMM_MIGRATE_PFN_MIGRATE = 1 << 1,	/* it can, it did move */
	UHMM_MIGRATE_PFN_WRITE = 1 << 3,	/* entry was writable */
	UHMM_MIGRATE_PFN_COMPOUND = 1 << 4,	/* first of a PMD-sized unit */
	UHMM_MIGRATE_PFN_DEVICE_PRIVATE = 1 << 5, /* number is a device's */
};
#define UHMM_MIGRATE_PFN_SHIFT 6

enum uhmm_migrate_vma_flags {
	UHMM_MIGRATE_VMA_SELECT_SYSTEM = 1 << 0,
	UHMM_MIGRATE_VMA_SELECT_DEVICE_PRIVATE = 1 << 1,
	UHMM_MIGRATE_VMA_SELECT_DEVICE_COHERENT = 1 << 2,
	UHMM_MIGRATE_VMA_SELECT_COMPOUND = 1 << 3,
	/* Ours: to the device only what the program cannot lose, whatever it
	 * does to its mappings meanwhile, because it knows of no migration. */
	UHMM_MIGRATE_VMA_AT_ONCE = 1 << 4,
	/* Ours, of uhmm_migrate_to_dev(): where the device is full, what is
	 * coldest there goes back first. */
	UHMM_MIGRATE_VMA_MAKE_ROOM = 1 << 5,
};

/** uhmm_migrate_pfn() - word for device page @dpfn */
static inline uint64_t uhmm_migrate_pfn(uhmm_dpfn_t dpfn)
{
	return dpfn.val << UHMM_MIGRATE_PFN_SHIFT | UHMM_MIGRATE_PFN_VALID |
	       UHMM_MIGRATE_PFN_DEVICE_PRIVATE;
}

/** uhmm_migrate_pfn_is_device() - does @mpfn name a device page? */
static inline bool uhmm_migrate_pfn_is_device(uint64_t mpfn)
{
	return (mpfn & UHMM_MIGRATE_PFN_VALID) &&
	       (mpfn & UHMM_MIGRATE_PFN_DEVICE_PRIVATE);
}

/** uhmm_migrate_pfn_to_dpfn() - the device page @mpfn names; it names one */
static inline uhmm_dpfn_t uhmm_migrate_pfn_to_dpfn(uint64_t mpfn)
{
	assert(uhmm_migrate_pfn_is_device(mpfn));
	return UHMM_DPFN(mpfn >> UHMM_MIGRATE_PFN_SHIFT);
}

/** dst[] of a device-to-system migration: an ordinary page, please; with
 *  COMPOUND: a huge one, if it can be had */
#define UHMM_MIGRATE_PFN_SYSTEM ((uint64_t)UHMM_MIGRATE_PFN_VALID)

/** Pages one setup may span: a PMD-sized unit of the largest base page size
 *  we know is larger, so callers work in pieces of pmd_npages or this. */
#define UHMM_MIGRATE_NPAGES_MAX 512

struct uhmm_leg;

/** Device pages on their way back to all who map them; the library's (all zero:
 *  none). Does not move in memory while there are some. */
struct uhmm_restore {
	struct uhmm_list link;		/* in the core's list of them */
	struct uhmm_core *core;
	struct uhmm_leg *leg;		/* one mapping of one page each */
	uint32_t nlegs, room;
	uint32_t nsorted;		/* of them are by place; the rest came
					 * by forks */
};

struct uhmm_sharer;

/** Who has pages of a migration, too, by a fork; the library's (all zero: nobody) */
struct uhmm_sharers {
	struct uhmm_sharer *sharer;	/* one page of one mm each */
	uint32_t n, room;
};

/** struct uhmm_migrate_vma - one migration of [start, end), in one VMA */
struct uhmm_migrate_vma {
	struct uhmm_mm *mm;		/* (in) */
	struct uhmm_range range;	/* (in) <= UHMM_MIGRATE_NPAGES_MAX */
	uint64_t *src;			/* (in) room, (out) per page */
	uint64_t *dst;			/* (in) room, zeroed by setup */
	struct uhmm_pagemap *pgmap;	/* (in) whose device pages are
					 * selected; owner of the notification;
					 * NULL: any, none */
	unsigned int flags;		/* (in) uhmm_migrate_vma_flags */
	uint64_t cpages;		/* (out) src[] with MIGRATE after setup */
	struct uhmm_vma vma;		/* (out) the mapping */
	/* internal */
	bool unit;		/* the range moves as one (migrate_unit.h) */
	uint32_t flight;		/* system pages on their way, 0: none */
	/* one bit per page: it left the CPU, its bytes are in dst[] */
	uint64_t taken[UHMM_MIGRATE_NPAGES_MAX / 64];
	/* one bit per page: write-protected by us, so ours to lift */
	uint64_t protected_by_us[UHMM_MIGRATE_NPAGES_MAX / 64];
	/* one bit per page: no fork shares it */
	uint64_t exclusive[UHMM_MIGRATE_NPAGES_MAX / 64];
	/* one bit per page: others have it, too, and give it up as well */
	uint64_t shared[UHMM_MIGRATE_NPAGES_MAX / 64];
	/* one bit per page: it need not be taken to be a coherent device's */
	uint64_t in_place[UHMM_MIGRATE_NPAGES_MAX / 64];
	struct uhmm_restore restore;	/* device pages on their way */
	struct uhmm_sharers sharers;	/* who has pages of the flight, too */
};

UHMM_EXPORTS_BEGIN

/**
 * uhmm_migrate_vma_setup() - (yields) collect and lock
 * Return: 0, then pages and finalize must follow; -EINVAL empty range, not in
 * one VMA, hugetlb, special; -ENOMEM; -ESRCH mm gone
 */
UHMM_CHECKED int uhmm_migrate_vma_setup(struct uhmm_migrate_vma *args);

/** uhmm_migrate_vma_pages() - (yields) move what has a destination */
void uhmm_migrate_vma_pages(struct uhmm_migrate_vma *args);

/** uhmm_migrate_vma_finalize() - (yields) unlock, wake, release what failed */
void uhmm_migrate_vma_finalize(struct uhmm_migrate_vma *args);

/**
 * uhmm_migrate_to_dev() - (yields) ordinary pages of @r, in one mapping, become
 * device pages of @pgmap, as many as can and as it has room for
 * @flags: UHMM_MIGRATE_VMA_AT_ONCE, UHMM_MIGRATE_VMA_MAKE_ROOM, or 0
 * Return: pages that did (>= 0); -EINVAL as uhmm_migrate_vma_setup(); -ENOMEM;
 * -ESRCH
 * Kernel: what a driver does with migrate_vma_*() to prefetch.
 */
UHMM_CHECKED int64_t uhmm_migrate_to_dev(struct uhmm_mm *mm,
					 struct uhmm_range r,
					 struct uhmm_pagemap *pgmap,
					 unsigned int flags);

/**
 * uhmm_migrate_to_ram() - (yields) device pages of @pgmap (NULL: any) in @r
 * become ordinary pages of @mm and of all who share them
 * Return: pages that came back (>= 0); -ESRCH
 * Kernel: what a driver's migrate_to_ram does with migrate_vma_*().
 */
UHMM_CHECKED int64_t uhmm_migrate_to_ram(struct uhmm_mm *mm,
					 struct uhmm_range r,
					 struct uhmm_pagemap *pgmap);

/** uhmm_fault_to_ram() - (yields) migrate_to_ram() of a driver that has nothing
 *  of its own to do then */
int uhmm_fault_to_ram(struct uhmm_device_fault *fault);

/**
 * uhmm_unit_break() - the unit that @vpn is in, if it is in one, is 512
 * pages from now on: what a driver does that cannot move it whole
 * Return: the pages of what was a unit; @vpn alone when it was in none
 */
struct uhmm_range uhmm_unit_break(struct uhmm_mm *mm, uhmm_vpn_t vpn);

/**
 * uhmm_migrate_evict() - (yields) every page of @pgmap goes back to whoever
 * maps it. One pass: a page that is on its way is left to who moves it.
 * Return: pages that came back
 * Pages of a coherent device that one has for itself are left, too.
 * Kernel: migrate_device_range() of all of a device, as a driver's eviction
 * uses it.
 */
uint64_t uhmm_migrate_evict(struct uhmm_pagemap *pgmap);

/**
 * uhmm_migrate_evict_all() - (yields) the same, but such pages are given back
 * to the CPU first, and then evicted
 * Kernel: none; a driver that releases such pages waits for ever.
 */
uint64_t uhmm_migrate_evict_all(struct uhmm_pagemap *pgmap);

/**
 * uhmm_pagemap_make_room() - (yields) the coldest pages of @pgmap go back to
 * whoever maps them, until @npages are free or none is left that can go
 * A CPU that touches one of them meanwhile waits until it is back, as for any
 * page on its way. What cannot be given back stays.
 * Return: pages that came back
 * Kernel: what a driver does when its allocator fails (ttm_bo_evict_first()).
 */
uint64_t uhmm_pagemap_make_room(struct uhmm_pagemap *pgmap, uint64_t npages);

/* ---- chosen by number ---- */

/** struct uhmm_migrate_device - one migration of the device pages [start, +npages)
 *  of one pagemap, whoever maps them */
struct uhmm_migrate_device {
	struct uhmm_core *core;		/* (in) */
	uhmm_dpfn_t start;		/* (in) */
	uint64_t npages;		/* (in) <= UHMM_MIGRATE_NPAGES_MAX */
	uint64_t *src;			/* (in) room, (out) per page */
	uint64_t *dst;			/* (in) room, zeroed by the first phase */
	uint64_t cpages;		/* (out) pages that can go */
	struct uhmm_restore restore;	/* internal */
};

/**
 * uhmm_migrate_device_range() - lock the pages of the range that are mapped and
 * not on their way already; src[] says which, as in uhmm_migrate_vma_setup(). A
 * unit that lies in the range has COMPOUND and zeros behind, others are split.
 * Return: 0, then pages and finalize must follow; -EINVAL the range is empty,
 * too long, or not of one pagemap
 * Kernel: migrate_device_range(). Difference: a struct, which holds the locks.
 */
UHMM_CHECKED int uhmm_migrate_device_range(struct uhmm_migrate_device *args);

/** uhmm_migrate_device_pages() - (yields) move what has a destination:
 *  UHMM_MIGRATE_PFN_SYSTEM, or a page of another private device */
void uhmm_migrate_device_pages(struct uhmm_migrate_device *args);

/** uhmm_migrate_device_finalize() - (yields) unlock, wake */
void uhmm_migrate_device_finalize(struct uhmm_migrate_device *args);

UHMM_EXPORTS_END

#endif
