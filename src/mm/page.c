/* SPDX-License-Identifier: MIT */
/* page.c - allocation of device pages, and their reverse map
 *
 * What follows from what: the words are the truth; the record of a unit, its
 * two bits and the counts of its range follow. A page is counted before its
 * word says so, and until after, so no unit with a page in use is an unused one.
 */
#include "mm/page.h"

#include <errno.h>

#include "mm/dpfn.h"
#include "mm/page_word.h"

static uint64_t load(const struct uhmm_store *store, uhmm_dpfn_t dpfn)
{
	return *uhmm_page_word_at(store, dpfn);
}

static void put(struct uhmm_store *store, uhmm_dpfn_t dpfn, uint64_t word)
{
	uhmm_store_put(uhmm_page_word_at(store, dpfn), word);
}

/* What else a word says, without that the page was used. */
static uint64_t rest_of(uint64_t word)
{
	return word & ~UHMM_PAGE_ACCESSED;
}

/* Another word for the same page, which is not free, before or after. */
static void change(struct uhmm_store *store, uhmm_dpfn_t dpfn, uint64_t word)
{
	put(store, dpfn, word | (load(store, dpfn) & UHMM_PAGE_ACCESSED));
}

/* Units. */

/* Remember that memory of @unit was used, for metadata_bytes. */
static void touch(struct uhmm_store *store, uint64_t unit)
{
	struct uhmm_store_header *hdr = store->hdr;
	const struct uhmm_bitmap *b = &hdr->layout.unit_touched;
	uint64_t first = unit - unit % UHMM_STORE_UNITS_PER_PAGE;

	if (uhmm_bitmap_test(store->base, b, unit))
		return;
	hdr->touched_units++;
	if (!uhmm_bitmap_next_set(store->base, b, &first,
				  first + UHMM_STORE_UNITS_PER_PAGE))
		hdr->touched_records++;
	uhmm_bitmap_set(store->base, b, unit);
}

void uhmm_unit_record_set(struct uhmm_store *store, uint64_t unit,
			  struct uhmm_unit_record record)
{
	const struct uhmm_store_layout *l = &store->hdr->layout;

	__atomic_store_n(uhmm_unit_record_at(store, unit),
			 (uint32_t)record.used << 16 | record.first,
			 __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (!record.used) {
		uhmm_bitmap_clear(store->base, &l->unit_used, unit);
		uhmm_bitmap_clear(store->base, &l->unit_begun, unit);
		return;
	}
	uhmm_bitmap_set(store->base, &l->unit_used, unit);
	if (record.used == UHMM_UNIT_NPAGES)
		uhmm_bitmap_clear(store->base, &l->unit_begun, unit);
	else
		uhmm_bitmap_set(store->base, &l->unit_begun, unit);
}

static bool is_free(const struct uhmm_store *store, uint64_t page)
{
	return uhmm_page_word_tag(load(store, UHMM_DPFN(page))) ==
	       UHMM_PAGE_TAG_FREE;
}

/* The first free page of @unit in front of @end; @end when there is none. */
static uint64_t free_page_of(const struct uhmm_store *store, uint64_t unit,
			     uint64_t end)
{
	uint64_t first = unit * UHMM_UNIT_NPAGES;
	uint64_t page = first + uhmm_unit_record(store, unit).first;

	for (; page < first + UHMM_UNIT_NPAGES && page < end; page++)
		if (is_free(store, page))
			return page;
	return end;
}

/* @page, the first free one of its unit, is about to be one in use. */
static void note_used(struct uhmm_store *store, uint64_t page)
{
	uint64_t unit = page / UHMM_UNIT_NPAGES;
	struct uhmm_unit_record record = uhmm_unit_record(store, unit);

	record.used++;
	record.first = (uint16_t)(page % UHMM_UNIT_NPAGES + 1);
	uhmm_unit_record_set(store, unit, record);
}

/* @page is free now. */
static void note_free(struct uhmm_store *store, uint64_t page)
{
	uint64_t unit = page / UHMM_UNIT_NPAGES;
	struct uhmm_unit_record record = uhmm_unit_record(store, unit);

	record.used--;
	if (record.first > page % UHMM_UNIT_NPAGES)
		record.first = (uint16_t)(page % UHMM_UNIT_NPAGES);
	uhmm_unit_record_set(store, unit, record);
}

/* Allocation. */

static void count_used(struct uhmm_dpfn_range *r, uint64_t npages)
{
	r->used += npages;
	if (r->peak < r->used)
		r->peak = r->used;
}

static bool alloc_base(struct uhmm_store *store, struct uhmm_dpfn_range *r,
		       uint64_t *page)
{
	const struct uhmm_store_layout *l = &store->hdr->layout;
	uint64_t unit = r->start / UHMM_UNIT_NPAGES, first = unit;
	uint64_t end = r->start + r->npages;
	uint64_t end_unit = (end + UHMM_UNIT_NPAGES - 1) / UHMM_UNIT_NPAGES;

	*page = end;
	if (uhmm_bitmap_next_set(store->base, &l->unit_begun, &unit, end_unit))
		*page = free_page_of(store, unit, end);
	/* a begun unit without a page for us is the last one, cut by @end */
	if (*page == end) {
		unit = first;
		if (!uhmm_bitmap_next_clear(store->base, &l->unit_used, &unit,
					    end_unit))
			return false;
		*page = unit * UHMM_UNIT_NPAGES;
		touch(store, unit);
	}
	note_used(store, *page);
	put(store, UHMM_DPFN(*page),
	    uhmm_page_word_mk(UHMM_PAGE_TAG_ALLOCATED, 0));
	count_used(r, 1);
	return true;
}

static bool alloc_unit(struct uhmm_store *store, struct uhmm_dpfn_range *r,
		       uint64_t *page)
{
	const struct uhmm_store_layout *l = &store->hdr->layout;
	uint64_t unit = r->start / UHMM_UNIT_NPAGES;
	uint64_t end_unit = (r->start + r->npages) / UHMM_UNIT_NPAGES;

	if (!uhmm_bitmap_next_clear(store->base, &l->unit_used, &unit,
				    end_unit))
		return false;
	*page = unit * UHMM_UNIT_NPAGES;
	touch(store, unit);
	uhmm_unit_record_set(store, unit,
			     (struct uhmm_unit_record){ UHMM_UNIT_NPAGES,
							UHMM_UNIT_NPAGES });
	for (unsigned int i = 0; i < UHMM_UNIT_NPAGES; i++)
		put(store, UHMM_DPFN(*page + i),
		    uhmm_page_word_mk(UHMM_PAGE_TAG_ALLOCATED, 0));
	count_used(r, UHMM_UNIT_NPAGES);
	return true;
}

int uhmm_page_alloc(struct uhmm_store *store, uint32_t range,
		    unsigned int order, uhmm_dpfn_t *dpfn)
{
	struct uhmm_dpfn_range *r;
	uint64_t page;
	bool found;

	if (!uhmm_slab_has(store, UHMM_SLAB_RANGE, range) ||
	    (order != 0 && order != UHMM_UNIT_ORDER))
		return -EINVAL;
	r = uhmm_dpfn_range(store, range);
	found = order ? alloc_unit(store, r, &page) :
			alloc_base(store, r, &page);
	if (!found)
		return -ENOMEM;
	*dpfn = UHMM_DPFN(page);
	return 0;
}

/* @dpfn, whatever it was, is free now. */
static void release(struct uhmm_store *store, uhmm_dpfn_t dpfn)
{
	put(store, dpfn, uhmm_page_word_mk(UHMM_PAGE_TAG_FREE, 0));
	note_free(store, dpfn.val);
	uhmm_dpfn_range(store, uhmm_dpfn_lookup(store, dpfn))->used--;
}

void uhmm_page_free(struct uhmm_store *store, uhmm_dpfn_t dpfn)
{
	assert(uhmm_page_state(store, dpfn) == UHMM_PAGE_ALLOCATED);
	release(store, dpfn);
}

enum uhmm_page_state uhmm_page_state(const struct uhmm_store *store,
				     uhmm_dpfn_t dpfn)
{
	const struct uhmm_store_layout *l = &store->hdr->layout;

	if (dpfn.val >= l->dpfns ||
	    !uhmm_bitmap_test(store->base, &l->unit_used,
			      dpfn.val / UHMM_UNIT_NPAGES))
		return UHMM_PAGE_FREE;
	switch (uhmm_page_word_tag(load(store, dpfn))) {
	case UHMM_PAGE_TAG_FREE:
		return UHMM_PAGE_FREE;
	case UHMM_PAGE_TAG_ALLOCATED:
		return UHMM_PAGE_ALLOCATED;
	case UHMM_PAGE_TAG_ONCE:
	case UHMM_PAGE_TAG_SHARED:
		break;
	}
	return UHMM_PAGE_MAPPED;
}

/* Reverse map. */

static struct uhmm_rmap *rmap_at(const struct uhmm_store *store,
				 uint32_t index)
{
	return uhmm_slab_at(store, UHMM_SLAB_RMAP, index);
}

static uint32_t new_rmap(struct uhmm_store *store, uint64_t mapping,
			 uint32_t next, uint32_t count)
{
	uint32_t index = uhmm_slab_alloc(store, UHMM_SLAB_RMAP);

	assert(index);
	*rmap_at(store, index) = (struct uhmm_rmap){ mapping, next, count };
	return index;
}

static uint64_t once_word(uint64_t mapping)
{
	return uhmm_page_word_mk(UHMM_PAGE_TAG_ONCE, mapping);
}

/* One more mapping of the page whose word is @word. */
static int share(struct uhmm_store *store, uhmm_dpfn_t dpfn, uint64_t word,
		 uint64_t mapping)
{
	bool once = uhmm_page_word_tag(word) == UHMM_PAGE_TAG_ONCE;
	uint32_t first = uhmm_page_word_chain(word), count = 1;

	if (uhmm_slab_room(store, UHMM_SLAB_RMAP) < (once ? 2 : 1))
		return -ENOMEM;
	if (once)
		first = new_rmap(store, uhmm_page_pack(uhmm_page_unpack(word)),
				 0, 1);
	else
		count = rmap_at(store, first)->count;
	first = new_rmap(store, mapping, first, count + 1);
	change(store, dpfn, uhmm_page_word_mk(UHMM_PAGE_TAG_SHARED, first));
	return 0;
}

int uhmm_page_map(struct uhmm_store *store, uhmm_dpfn_t dpfn,
		  struct uhmm_mapping at)
{
	uint64_t word = rest_of(load(store, dpfn));
	uint64_t mapping = uhmm_page_pack(at);

	switch (uhmm_page_word_tag(word)) {
	case UHMM_PAGE_TAG_FREE:
		break;
	case UHMM_PAGE_TAG_ALLOCATED:
		change(store, dpfn, once_word(mapping));
		return 0;
	case UHMM_PAGE_TAG_ONCE:
		assert(word != once_word(mapping));
		return share(store, dpfn, word, mapping);
	case UHMM_PAGE_TAG_SHARED:
		return share(store, dpfn, word, mapping);
	}
	assert(!"a free device page cannot be mapped");
	return -EINVAL;
}

/* The object of @mapping in the chain from @first, and the one before it. */
static uint32_t find_rmap(const struct uhmm_store *store, uint32_t first,
			  uint64_t mapping, uint32_t *before)
{
	uint32_t index = first;

	*before = 0;
	while (rmap_at(store, index)->mapping != mapping) {
		*before = index;
		index = rmap_at(store, index)->next;
	}
	return index;
}

/* The chain from @first is @count long; said before it becomes shorter. */
static void set_count(struct uhmm_store *store, uint32_t first, uint32_t count)
{
	__atomic_store_n(&rmap_at(store, first)->count, count,
			 __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Take the object behind @before, or the first, out of a chain of three or
 * more. */
static void unlink_rmap(struct uhmm_store *store, uhmm_dpfn_t dpfn,
			uint32_t first, uint32_t before, uint32_t after)
{
	uint32_t count = rmap_at(store, first)->count - 1;

	if (before) {
		set_count(store, first, count);
		rmap_at(store, before)->next = after;
		return;
	}
	set_count(store, after, count);
	change(store, dpfn, uhmm_page_word_mk(UHMM_PAGE_TAG_SHARED, after));
}

/* One mapping less of a page whose chain begins with @first. */
static void unshare(struct uhmm_store *store, uhmm_dpfn_t dpfn, uint32_t first,
		    uint64_t mapping)
{
	uint32_t before, index = find_rmap(store, first, mapping, &before);
	uint32_t after = rmap_at(store, index)->next, other;

	if (rmap_at(store, first)->count > 2) {
		unlink_rmap(store, dpfn, first, before, after);
	} else {
		other = before ? before : after;
		change(store, dpfn, once_word(rmap_at(store, other)->mapping));
		uhmm_slab_free(store, UHMM_SLAB_RMAP, other);
	}
	uhmm_slab_free(store, UHMM_SLAB_RMAP, index);
}

bool uhmm_page_unmap(struct uhmm_store *store, uhmm_dpfn_t dpfn,
		     struct uhmm_mapping at)
{
	uint64_t word = rest_of(load(store, dpfn));
	uint64_t mapping = uhmm_page_pack(at);

	if (uhmm_page_word_tag(word) == UHMM_PAGE_TAG_SHARED) {
		unshare(store, dpfn, uhmm_page_word_chain(word), mapping);
		return false;
	}
	assert(word == once_word(mapping));
	release(store, dpfn);
	return true;
}

void uhmm_page_remap(struct uhmm_store *store, uhmm_dpfn_t dpfn,
		     struct uhmm_mapping from, struct uhmm_mapping to)
{
	uint64_t word = rest_of(load(store, dpfn));
	uint64_t old = uhmm_page_pack(from), mapping = uhmm_page_pack(to);
	uint32_t index, before;

	if (uhmm_page_word_tag(word) == UHMM_PAGE_TAG_SHARED) {
		index = find_rmap(store, uhmm_page_word_chain(word), old,
				  &before);
		uhmm_store_put(&rmap_at(store, index)->mapping, mapping);
		return;
	}
	assert(word == once_word(old));
	change(store, dpfn, once_word(mapping));
}

/* Age. */

void uhmm_page_mark_accessed(struct uhmm_store *store, uhmm_dpfn_t dpfn)
{
	assert(uhmm_page_state(store, dpfn) != UHMM_PAGE_FREE);
	put(store, dpfn, load(store, dpfn) | UHMM_PAGE_ACCESSED);
}

bool uhmm_page_test_clear_accessed(struct uhmm_store *store, uhmm_dpfn_t dpfn)
{
	uint64_t word = load(store, dpfn);

	if (!(word & UHMM_PAGE_ACCESSED))
		return false;
	put(store, dpfn, rest_of(word));
	return true;
}

uint32_t uhmm_page_mapcount(const struct uhmm_store *store, uhmm_dpfn_t dpfn)
{
	uint64_t word = load(store, dpfn);

	if (uhmm_page_word_tag(word) == UHMM_PAGE_TAG_SHARED)
		return rmap_at(store, uhmm_page_word_chain(word))->count;
	return uhmm_page_word_tag(word) == UHMM_PAGE_TAG_ONCE;
}

bool uhmm_page_mapping(const struct uhmm_store *store, uhmm_dpfn_t dpfn,
		       uint32_t nth, struct uhmm_mapping *at)
{
	uint64_t word = load(store, dpfn);
	uint32_t index = uhmm_page_word_chain(word);

	if (nth >= uhmm_page_mapcount(store, dpfn))
		return false;
	if (uhmm_page_word_tag(word) == UHMM_PAGE_TAG_ONCE) {
		*at = uhmm_page_unpack(word);
		return true;
	}
	while (nth--)
		index = rmap_at(store, index)->next;
	*at = uhmm_page_unpack(rmap_at(store, index)->mapping);
	return true;
}

/* The first page of @unit at or after @page that is not free. */
static bool used_page_of(const struct uhmm_store *store, uint64_t unit,
			 uint64_t *page)
{
	for (; *page < (unit + 1) * UHMM_UNIT_NPAGES; ++*page)
		if (!is_free(store, *page))
			return true;
	return false;
}

bool uhmm_page_next(const struct uhmm_store *store, uhmm_dpfn_t *dpfn,
		    uhmm_dpfn_t end)
{
	const struct uhmm_store_layout *l = &store->hdr->layout;
	uint64_t page = dpfn->val, unit = page / UHMM_UNIT_NPAGES;

	while (uhmm_bitmap_next_set(store->base, &l->unit_used, &unit,
				    l->dpfns / UHMM_UNIT_NPAGES)) {
		if (page < unit * UHMM_UNIT_NPAGES)
			page = unit * UHMM_UNIT_NPAGES;
		if (page >= end.val)
			return false;
		if (used_page_of(store, unit, &page)) {
			dpfn->val = page;
			return page < end.val;
		}
		unit++;
	}
	return false;
}
