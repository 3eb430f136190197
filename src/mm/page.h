/* SPDX-License-Identifier: MIT */
/* page.h - records of device pages: allocated or not, and who maps them
 *
 * A record is one 64-bit word per device page number, so that a resident page
 * costs 8 bytes here and 8 in the shadow table. It is free, allocated and
 * unmapped, mapped once (mm slot and page number are in the word), or mapped
 * several times (the word names a chain of UHMM_SLAB_RMAP objects). The number
 * of mappings is the page's reference count. A bit says that the page was used
 * lately. How a word is laid out: page_word.h.
 *
 * Life:  alloc (unmapped, held by its allocator) -> map ... -> unmap; the
 *        unmap that removes the last mapping frees the page. A page that was
 *        never mapped is given back by uhmm_page_free().
 * Units: 512 pages, aligned. A unit is used when one of its pages is not free,
 *        and begun when another one is: base pages are taken from begun units,
 *        PMD-sized ones from unused ones, each found in O(log64). Which page of
 *        a unit is free its words say; a record per unit says how many, and
 *        where to begin to look (page_word.h). A bit per page would be quicker
 *        by some loads, and the one thing above two words a page.
 * Owns:  the page words, unit records and bitmaps of the store, UHMM_SLAB_RMAP,
 *        uhmm_dpfn_range.used and .peak.
 */
#ifndef UHMM_MM_PAGE_H
#define UHMM_MM_PAGE_H

#include "arena/store.h"

/** One place a device page is mapped at. */
struct uhmm_mapping {
	uint32_t mm;		/* slot of the mm (mm.h) */
	uhmm_vpn_t vpn;
};

enum uhmm_page_state {
	UHMM_PAGE_FREE,
	UHMM_PAGE_ALLOCATED,	/* not mapped yet */
	UHMM_PAGE_MAPPED,
};

/**
 * uhmm_page_alloc() - 2^@order free pages of range @range, aligned to their
 * size; the lowest that fit. @order is 0 or 9 (a PMD-sized unit). Base pages
 * are taken from units already begun first.
 * Return: 0 with *@dpfn; -ENOMEM; -EINVAL no such range or order
 */
UHMM_CHECKED int uhmm_page_alloc(struct uhmm_store *store, uint32_t range,
				 unsigned int order, uhmm_dpfn_t *dpfn);

/** uhmm_page_free() - give back a page that is allocated and not mapped */
void uhmm_page_free(struct uhmm_store *store, uhmm_dpfn_t dpfn);

/** uhmm_page_state() - FREE also for a number that is in no range */
enum uhmm_page_state uhmm_page_state(const struct uhmm_store *store,
				     uhmm_dpfn_t dpfn);

/**
 * uhmm_page_map() - note that @at maps @dpfn
 * Return: 0; -ENOMEM no chain object (only when it is mapped already)
 */
UHMM_CHECKED int uhmm_page_map(struct uhmm_store *store, uhmm_dpfn_t dpfn,
			       struct uhmm_mapping at);

/**
 * uhmm_page_unmap() - @at maps @dpfn no longer; it must have
 * Return: true when that was the last one and the page is free now
 */
bool uhmm_page_unmap(struct uhmm_store *store, uhmm_dpfn_t dpfn,
		     struct uhmm_mapping at);

/** uhmm_page_remap() - mapping @from is now at @to; cannot fail */
void uhmm_page_remap(struct uhmm_store *store, uhmm_dpfn_t dpfn,
		     struct uhmm_mapping from, struct uhmm_mapping to);

/** uhmm_page_mark_accessed() - @dpfn, which is not free, was used; it stays so
 *  whoever maps it, until somebody asks.
 *  Kernel: folio_mark_accessed(). */
void uhmm_page_mark_accessed(struct uhmm_store *store, uhmm_dpfn_t dpfn);

/** uhmm_page_test_clear_accessed() - was it, since this was asked last? */
bool uhmm_page_test_clear_accessed(struct uhmm_store *store, uhmm_dpfn_t dpfn);

/** uhmm_page_mapcount() - number of mappings */
uint32_t uhmm_page_mapcount(const struct uhmm_store *store, uhmm_dpfn_t dpfn);

/**
 * uhmm_page_mapping() - mapping number @nth (0 ..)
 * Return: false when there are not that many
 * Kernel: rmap_walk() of an anonymous folio.
 */
bool uhmm_page_mapping(const struct uhmm_store *store, uhmm_dpfn_t dpfn,
		       uint32_t nth, struct uhmm_mapping *at);

/**
 * uhmm_page_next() - first page in [*@dpfn, @end) that is not free
 * Cost: a load for each page skipped of a used unit, O(log) over larger holes.
 */
bool uhmm_page_next(const struct uhmm_store *store, uhmm_dpfn_t *dpfn,
		    uhmm_dpfn_t end);

#endif
