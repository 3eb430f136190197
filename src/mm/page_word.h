/* SPDX-License-Identifier: MIT */
/* page_word.h - the word of a device page; for page.c, check.c and repair.c
 *
 *   63 62 61 60          45 44                                  0
 *  | tag |A|    mm slot    |                vpn                  |  once
 *  | tag |A|       0       |          0         |  chain index   |  shared
 *
 * A: accessed (page.h), of any page that is not free.
 * The first object of a chain is the mapping that came last. Adding one, and
 * changing from one form to another, is a single store of the page word.
 *
 * A unit of 512 pages has a record. It follows from the words, and is there so
 * that nobody has to look at all of them:
 *
 *   31      16 15       0
 *  |   used   |  first   |  pages that are not free; none below first is
 */
#ifndef UHMM_MM_PAGE_WORD_H
#define UHMM_MM_PAGE_WORD_H

#include "arena/store.h"
#include "mm/page.h"

enum uhmm_page_tag {
	UHMM_PAGE_TAG_FREE,
	UHMM_PAGE_TAG_ALLOCATED,
	UHMM_PAGE_TAG_ONCE,
	UHMM_PAGE_TAG_SHARED,
};

#define UHMM_PAGE_TAG_SHIFT 62
#define UHMM_PAGE_VPN_BITS 45
#define UHMM_PAGE_MAPPING_BITS 61
#define UHMM_PAGE_ACCESSED (UINT64_C(1) << 61)

/** A mapping of a shared page: object of UHMM_SLAB_RMAP. */
struct uhmm_rmap {
	uint64_t mapping;	/* mm slot and vpn as in a page word */
	uint32_t next;		/* 0: none */
	uint32_t count;		/* in the first only: length of the chain */
};

static_assert(sizeof(struct uhmm_rmap) == UHMM_RMAP_BYTES,
	      "struct uhmm_rmap is one object");

static inline uint64_t uhmm_page_word_mk(enum uhmm_page_tag tag,
					 uint64_t payload)
{
	return (uint64_t)tag << UHMM_PAGE_TAG_SHIFT | payload;
}

static inline enum uhmm_page_tag uhmm_page_word_tag(uint64_t word)
{
	return (enum uhmm_page_tag)(word >> UHMM_PAGE_TAG_SHIFT);
}

/** uhmm_page_word_chain() - first chain object of a shared page's @word */
static inline uint32_t uhmm_page_word_chain(uint64_t word)
{
	return (uint32_t)word;
}

/** uhmm_page_pack() - @at as a word and a chain object keep it */
static inline uint64_t uhmm_page_pack(struct uhmm_mapping at)
{
	assert(at.mm > 0 && at.mm <= UHMM_MM_MAX_SLOT);
	assert(at.vpn.val >> UHMM_PAGE_VPN_BITS == 0);
	return (uint64_t)at.mm << UHMM_PAGE_VPN_BITS | at.vpn.val;
}

/** uhmm_page_unpack() - the mapping in @packed; what is above is ignored */
static inline struct uhmm_mapping uhmm_page_unpack(uint64_t packed)
{
	uint64_t vpn_mask = (UINT64_C(1) << UHMM_PAGE_VPN_BITS) - 1;

	return (struct uhmm_mapping){
		.mm = packed >> UHMM_PAGE_VPN_BITS & UHMM_MM_MAX_SLOT,
		.vpn = UHMM_VPN(packed & vpn_mask),
	};
}

/** uhmm_page_word_at() - where the word of @dpfn is, a number in the limit */
static inline uint64_t *uhmm_page_word_at(const struct uhmm_store *store,
					  uhmm_dpfn_t dpfn)
{
	const struct uhmm_store_layout *l = &store->hdr->layout;

	assert(dpfn.val < l->dpfns);
	return (uint64_t *)(void *)(store->base + l->page_words) + dpfn.val;
}

/** What is known of a unit without looking at its pages. */
struct uhmm_unit_record {
	uint16_t used;		/* pages that are not free */
	uint16_t first;		/* of its pages none in front of this is free */
};

/** uhmm_unit_record_at() - where the record of the unit @unit is */
static inline uint32_t *uhmm_unit_record_at(const struct uhmm_store *store,
					    uint64_t unit)
{
	const struct uhmm_store_layout *l = &store->hdr->layout;

	assert(unit < l->dpfns / UHMM_UNIT_NPAGES);
	return (uint32_t *)(void *)(store->base + l->unit_records) + unit;
}

/** uhmm_unit_record() - of @unit */
static inline struct uhmm_unit_record uhmm_unit_record(
	const struct uhmm_store *store, uint64_t unit)
{
	uint32_t word = *uhmm_unit_record_at(store, unit);

	return (struct uhmm_unit_record){ (uint16_t)(word >> 16),
					  (uint16_t)word };
}

/** uhmm_unit_record_set() - and the two bits of @unit, which follow from it */
void uhmm_unit_record_set(struct uhmm_store *store, uint64_t unit,
			  struct uhmm_unit_record record);

#endif
