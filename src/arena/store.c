/* SPDX-License-Identifier: MIT */
/* store.c - layout, format, attach; slabs */
#include "arena/store.h"

#include <errno.h>
#include <string.h>

#define PAGE_BYTES ((uint64_t)UHMM_STORE_PAGE_BYTES)
#define MAX_DPFNS (UINT64_C(1) << 40)
#define DEFAULT_DPFNS (UINT64_C(1) << 33)

static_assert(sizeof(struct uhmm_store_header) <= UHMM_STORE_PAGE_BYTES,
	      "the header is one page");

static const struct {
	uint32_t bytes;
	uint32_t objects;
} slab_defaults[UHMM_NR_SLABS] = {
	/* nodes enough for every device page to be in a table */
	[UHMM_SLAB_NODE] = { UHMM_NODE_BYTES, 1 << 24 },
	[UHMM_SLAB_RMAP] = { UHMM_RMAP_BYTES, 1 << 28 },
	[UHMM_SLAB_MM] = { UHMM_MM_BYTES, UHMM_MM_MAX_SLOT },
	[UHMM_SLAB_RANGE] = { UHMM_RANGE_BYTES, 1024 },
	[UHMM_SLAB_FLIGHT] = { UHMM_FLIGHT_BYTES, 4096 },
};

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* The next @bytes from *@at on become a window. */
static uint64_t place(uint64_t *at, uint64_t bytes)
{
	uint64_t start = *at;

	*at = round_up(start + bytes, PAGE_BYTES);
	return start;
}

static void place_bitmap(uint64_t *at, struct uhmm_bitmap *b, uint64_t nbits)
{
	*at = round_up(uhmm_bitmap_layout(b, nbits, *at), PAGE_BYTES);
}

static void place_slab(uint64_t *at, struct uhmm_slab_layout *l,
		       uint32_t object_bytes, uint32_t objects)
{
	l->object_bytes = object_bytes;
	l->objects = objects;
	/* one more of each: index 0 is never used */
	place_bitmap(at, &l->used, (uint64_t)objects + 1);
	l->objects_at = place(at, ((uint64_t)objects + 1) * object_bytes);
}

static int lay_out(struct uhmm_store_layout *l,
		   const struct uhmm_store_limits *limits)
{
	static const struct uhmm_store_limits defaults;
	uint64_t at = PAGE_BYTES, nunits;
	uint32_t objects[UHMM_NR_SLABS];

	if (!limits)
		limits = &defaults;
	memset(l, 0, sizeof(*l));
	l->dpfns = limits->dpfns ? limits->dpfns : DEFAULT_DPFNS;
	if (l->dpfns > MAX_DPFNS ||
	    limits->objects[UHMM_SLAB_MM] > UHMM_MM_MAX_SLOT)
		return -EINVAL;
	l->dpfns = round_up(l->dpfns, UHMM_UNIT_NPAGES);
	nunits = l->dpfns / UHMM_UNIT_NPAGES;

	for (int i = 0; i < UHMM_NR_SLABS; i++) {
		objects[i] = limits->objects[i] ? limits->objects[i] :
						  slab_defaults[i].objects;
		place_slab(&at, &l->slab[i], slab_defaults[i].bytes,
			   objects[i]);
	}
	l->range_order = place(&at, (uint64_t)objects[UHMM_SLAB_RANGE] *
					    sizeof(uint32_t));
	place_bitmap(&at, &l->unit_used, nunits);
	place_bitmap(&at, &l->unit_begun, nunits);
	place_bitmap(&at, &l->unit_touched, nunits);
	l->unit_records = place(&at, nunits * sizeof(uint32_t));
	l->page_words = place(&at, l->dpfns * sizeof(uint64_t));
	l->bytes = at;
	return 0;
}

size_t uhmm_store_bytes(const struct uhmm_store_limits *limits)
{
	struct uhmm_store_layout l;

	return lay_out(&l, limits) < 0 ? 0 : l.bytes;
}

static bool is_page_aligned(const void *mem)
{
	return (uintptr_t)mem % PAGE_BYTES == 0;
}

static void use(struct uhmm_store *store, void *mem)
{
	store->hdr = mem;
	store->base = mem;
	store->bytes = store->hdr->layout.bytes;
	memset(store->leaf, 0, sizeof(store->leaf));
}

int uhmm_store_format(struct uhmm_store *store, void *mem, size_t bytes,
		      const struct uhmm_store_limits *limits)
{
	struct uhmm_store_header *hdr = mem;
	struct uhmm_store_layout l;

	if (lay_out(&l, limits) < 0 || bytes < l.bytes ||
	    !is_page_aligned(mem))
		return -EINVAL;
	hdr->layout = l;
	hdr->version = UHMM_STORE_VERSION;
	hdr->header_bytes = sizeof(*hdr);
	hdr->dpfn_cursor = UHMM_UNIT_NPAGES;
	for (int i = 0; i < UHMM_NR_SLABS; i++)
		hdr->slab[i].hint = 1;
	/* last: a store whose formatting was cut short is none */
	__atomic_store_n(&hdr->magic, UHMM_STORE_MAGIC, __ATOMIC_RELEASE);
	use(store, mem);
	return 0;
}

/* Does the layout in @hdr follow from the limits that it names? */
static bool layout_is_ours(const struct uhmm_store_header *hdr, size_t bytes)
{
	struct uhmm_store_limits limits = { .dpfns = hdr->layout.dpfns };
	struct uhmm_store_layout l;

	for (int i = 0; i < UHMM_NR_SLABS; i++)
		limits.objects[i] = hdr->layout.slab[i].objects;
	return lay_out(&l, &limits) == 0 && l.bytes <= bytes &&
	       memcmp(&l, &hdr->layout, sizeof(l)) == 0;
}

static bool state_is_possible(const struct uhmm_store_header *hdr)
{
	for (int i = 0; i < UHMM_NR_SLABS; i++) {
		const struct uhmm_slab_state *s = &hdr->slab[i];

		if (s->used > s->high || s->hint == 0 ||
		    s->hint > s->high + 1 ||
		    s->high > hdr->layout.slab[i].objects)
			return false;
	}
	return hdr->nranges <= hdr->layout.slab[UHMM_SLAB_RANGE].objects;
}

int uhmm_store_attach(struct uhmm_store *store, void *mem, size_t bytes)
{
	const struct uhmm_store_header *hdr = mem;

	if (!is_page_aligned(mem) || bytes < PAGE_BYTES ||
	    hdr->magic != UHMM_STORE_MAGIC ||
	    hdr->version != UHMM_STORE_VERSION ||
	    hdr->header_bytes != sizeof(*hdr))
		return -EINVAL;
	if (!layout_is_ours(hdr, bytes) || !state_is_possible(hdr))
		return -EINVAL;
	use(store, mem);
	return 0;
}

uint32_t uhmm_slab_alloc(struct uhmm_store *store, enum uhmm_slab slab)
{
	const struct uhmm_slab_layout *l = &store->hdr->layout.slab[slab];
	struct uhmm_slab_state *s = &store->hdr->slab[slab];
	uint64_t index = s->hint;

	if (s->used == l->objects ||
	    !uhmm_bitmap_next_clear(store->base, &l->used, &index,
				    (uint64_t)l->objects + 1))
		return 0;
	/* first, so that no object in use is ever above it */
	if (s->high < index)
		s->high = (uint32_t)index;
	uhmm_bitmap_set(store->base, &l->used, index);
	s->used++;
	s->hint = (uint32_t)index + 1;
	return (uint32_t)index;
}

void uhmm_slab_free_clean(struct uhmm_store *store, enum uhmm_slab slab,
			  uint32_t index)
{
	struct uhmm_slab_state *s = &store->hdr->slab[slab];

	assert(uhmm_slab_has(store, slab, index));
	uhmm_bitmap_clear(store->base, &store->hdr->layout.slab[slab].used,
			  index);
	s->used--;
	if (s->hint > index)
		s->hint = index;
}

void uhmm_slab_free(struct uhmm_store *store, enum uhmm_slab slab,
		    uint32_t index)
{
	memset(uhmm_slab_at(store, slab, index), 0,
	       store->hdr->layout.slab[slab].object_bytes);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	uhmm_slab_free_clean(store, slab, index);
}

bool uhmm_slab_has(const struct uhmm_store *store, enum uhmm_slab slab,
		   uint32_t index)
{
	const struct uhmm_store_header *hdr = store->hdr;

	return index > 0 && index <= hdr->slab[slab].high &&
	       uhmm_bitmap_test(store->base, &hdr->layout.slab[slab].used,
				index);
}

uint32_t uhmm_slab_next(const struct uhmm_store *store, enum uhmm_slab slab,
			uint32_t index)
{
	const struct uhmm_store_header *hdr = store->hdr;
	uint64_t next = (uint64_t)index + 1;

	if (!uhmm_bitmap_next_set(store->base, &hdr->layout.slab[slab].used,
				  &next, (uint64_t)hdr->slab[slab].high + 1))
		return 0;
	return (uint32_t)next;
}

void uhmm_slab_mend(struct uhmm_store *store, enum uhmm_slab slab)
{
	const struct uhmm_slab_layout *l = &store->hdr->layout.slab[slab];
	struct uhmm_slab_state *s = &store->hdr->slab[slab];
	uint64_t index;

	for (index = 0; index <= s->high; index += 64)
		uhmm_bitmap_mend(store->base, &l->used, index);
	s->used = 0;
	for (index = 1; uhmm_bitmap_next_set(store->base, &l->used, &index,
					     (uint64_t)s->high + 1); index++)
		s->used++;
	index = 1;
	if (!uhmm_bitmap_next_clear(store->base, &l->used, &index,
				    (uint64_t)s->high + 1))
		index = (uint64_t)s->high + 1;
	s->hint = (uint32_t)index;
}

static uint64_t slab_bytes(const struct uhmm_store_header *hdr,
			   enum uhmm_slab slab)
{
	uint64_t high = hdr->slab[slab].high;

	if (!high)
		return 0;
	return round_up(high * hdr->layout.slab[slab].object_bytes,
			PAGE_BYTES) +
	       round_up(high / 8 + 1, PAGE_BYTES);
}

uint64_t uhmm_store_metadata_bytes(const struct uhmm_store *store)
{
	const struct uhmm_store_header *hdr = store->hdr;
	uint64_t bytes = PAGE_BYTES;

	for (int i = 0; i < UHMM_NR_SLABS; i++)
		bytes += slab_bytes(hdr, i);
	bytes += round_up(hdr->slab[UHMM_SLAB_RANGE].high * sizeof(uint32_t),
			  PAGE_BYTES);
	/* the words of a unit are a page */
	bytes += hdr->touched_units * PAGE_BYTES;
	bytes += hdr->touched_records * PAGE_BYTES;
	return bytes;
}
