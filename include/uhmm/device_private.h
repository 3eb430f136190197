/* SPDX-License-Identifier: MIT */
/* device_private.h - the memory of one device as the core knows it (S1.2)
 *
 * Kernel: struct dev_pagemap, memremap_device_private_pagemap().
 */
#ifndef UHMM_DEVICE_PRIVATE_H
#define UHMM_DEVICE_PRIVATE_H

#include <uhmm/list.h>
#include <uhmm/mm.h>

enum uhmm_memory_type {
	UHMM_MEMORY_DEVICE_PRIVATE = 1,
	UHMM_MEMORY_DEVICE_COHERENT = 2,
	/* no device's: where pages are that one has for itself (exclusive.h) */
	UHMM_MEMORY_EXCLUSIVE = 3,
};

/** A CPU touched device pages. What a driver's migrate_to_ram is told. */
struct uhmm_device_fault {
	struct uhmm_mm *mm;
	struct uhmm_pagemap *pgmap;
	uhmm_vpn_t vpn;
	bool write;
};

struct uhmm_pagemap_ops {
	/**
	 * migrate_to_ram() - (yields) bring the page at fault->vpn back, at
	 * least; usually by uhmm_migrate_to_ram()
	 * Return: 0; -ENOMEM: the CPU will try again; -ESRCH
	 */
	int (*migrate_to_ram)(struct uhmm_device_fault *fault);
};

/** struct uhmm_pagemap - caller's storage; (in) fields set before memremap */
struct uhmm_pagemap {
	struct uhmm_list link;
	struct uhmm_core *core;
	enum uhmm_memory_type type;	/* (in) */
	uint64_t npages;		/* (in) */
	uint8_t owner[16];		/* (in) uuid; pages of one owner are
					 * its devices' own */
	const struct uhmm_pagemap_ops *ops; /* (in) */
	void *driver;			/* (in) the driver's */
	uint32_t range;			/* its range of device page numbers */
	bool unplugged;			/* it has no memory any more */
	uint64_t hand;			/* where uhmm_pagemap_make_room() goes on */
};

UHMM_EXPORTS_BEGIN

/**
 * uhmm_memremap_device_private_pagemap() - reserve pgmap->npages numbers
 * Return: 0; -EINVAL zero, overflow, no ops; -ENOSPC
 */
UHMM_CHECKED int uhmm_memremap_device_private_pagemap(
	struct uhmm_core *core, struct uhmm_pagemap *pgmap);

/**
 * uhmm_memunmap_device_private_pagemap() - (yields) evict, then give back. An mm
 * that cannot be given its pages, however often, is told that it is gone.
 */
void uhmm_memunmap_device_private_pagemap(struct uhmm_pagemap *pgmap);

/**
 * uhmm_pagemap_unplug() - (yields) the memory goes while programs use it: every
 * page goes back, as of uhmm_memunmap_device_private_pagemap(), also those that
 * somebody is just bringing here, and from now on none is allocated. The numbers
 * are nobody else's until that is called, too. Pages that were allocated are in
 * the hands of a migration, or given back, when somebody yields.
 * Kernel: what drivers do in remove(): drm_dev_unplug(), evict, percpu_ref_kill()
 * of the pagemap.
 */
void uhmm_pagemap_unplug(struct uhmm_pagemap *pgmap);

/**
 * uhmm_pagemap_alloc() - 2^@order free pages of @pgmap, aligned to their size;
 * @order is 0 or UHMM_UNIT_ORDER. A migration maps them, or gives them back when
 * it does not; until then they are the caller's.
 * Return: 0 with *@dpfn; -ENOMEM; -EINVAL no such order; -ENODEV unplugged
 */
UHMM_CHECKED int uhmm_pagemap_alloc(struct uhmm_pagemap *pgmap,
				    unsigned int order, uhmm_dpfn_t *dpfn);

/** struct uhmm_device_page - what is known of one device page number */
struct uhmm_device_page {
	uhmm_dpfn_t dpfn;
	struct uhmm_pagemap *pgmap;	/* whose it is */
	bool used;			/* it is not free */
	uint32_t mapcount;		/* entries that map it */
};

/**
 * uhmm_device_private_offset_to_page() - look number @offset up
 * Return: 0; -ENXIO no device has it
 * Cost: O(log ranges).
 * Kernel: device_private_offset_to_page().
 */
UHMM_CHECKED int uhmm_device_private_offset_to_page(
	struct uhmm_core *core, uint64_t offset, struct uhmm_device_page *page);

/** uhmm_device_private_page_to_offset() - and back */
static inline uint64_t uhmm_device_private_page_to_offset(
	const struct uhmm_device_page *page)
{
	return page->dpfn.val;
}

/**
 * uhmm_device_private_read() - the bytes of [@dpfn, +@npages), pages of one
 * device that are in use, to @buf
 * uhmm_device_private_write() - and @buf to them
 * Device memory need not be in this process: there is no pointer to it.
 * Return: pages done; fewer when the program that has the bytes of the next one
 * is gone
 */
uint64_t uhmm_device_private_read(struct uhmm_core *core, uhmm_dpfn_t dpfn,
				  uint64_t npages, void *buf);
uint64_t uhmm_device_private_write(struct uhmm_core *core, uhmm_dpfn_t dpfn,
				   uint64_t npages, const void *buf);

/**
 * uhmm_device_private_mark_accessed() - the driver used page @dpfn, which is in
 * use: it is not among the first that uhmm_pagemap_make_room() evicts. A page
 * that was just allocated counts as used.
 * Kernel: folio_mark_accessed().
 */
void uhmm_device_private_mark_accessed(struct uhmm_core *core,
				       uhmm_dpfn_t dpfn);

/** uhmm_pagemap_has() - is @leaf the entry of a page of @pgmap, which is not on
 *  its way? */
bool uhmm_pagemap_has(const struct uhmm_pagemap *pgmap, uhmm_softleaf_t leaf);

/** uhmm_pagemap_of() - the pagemap that @dpfn is of, or NULL */
struct uhmm_pagemap *uhmm_pagemap_of(struct uhmm_core *core, uhmm_dpfn_t dpfn);

/** uhmm_pagemap_type_of() - what memory @dpfn is of, which is of some */
enum uhmm_memory_type uhmm_pagemap_type_of(const struct uhmm_core *core,
					   uhmm_dpfn_t dpfn);

/**
 * uhmm_pagemap_leaf() - the entry that stands for device page @dpfn, which
 * kind follows from whose page it is (S1.7)
 */
uhmm_softleaf_t uhmm_pagemap_leaf(struct uhmm_core *core, uhmm_dpfn_t dpfn,
				  bool write);

/** uhmm_pagemap_first(), _end() - its numbers */
uhmm_dpfn_t uhmm_pagemap_first(const struct uhmm_pagemap *pgmap);
uhmm_dpfn_t uhmm_pagemap_end(const struct uhmm_pagemap *pgmap);

/** uhmm_pagemap_used() - pages allocated now; _peak(): at most so far */
uint64_t uhmm_pagemap_used(const struct uhmm_pagemap *pgmap);
uint64_t uhmm_pagemap_peak(const struct uhmm_pagemap *pgmap);

UHMM_EXPORTS_END

#endif
