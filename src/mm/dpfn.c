/* SPDX-License-Identifier: MIT */
/* dpfn.c - reserve, release, look up ranges of device page numbers */
#include "mm/dpfn.h"

#include <errno.h>
#include <string.h>

static_assert(sizeof(struct uhmm_dpfn_range) <= UHMM_RANGE_BYTES,
	      "struct uhmm_dpfn_range is one object");

static uint32_t *order_of(const struct uhmm_store *store)
{
	return (uint32_t *)(void *)(store->base +
				    store->hdr->layout.range_order);
}

static const struct uhmm_dpfn_range *nth_range(const struct uhmm_store *store,
					       uint32_t n)
{
	return uhmm_slab_at(store, UHMM_SLAB_RANGE, order_of(store)[n]);
}

/* Pages a range keeps others away from: whole units. */
static uint64_t span_of(uint64_t npages)
{
	return (npages + UHMM_UNIT_NPAGES - 1) & -UHMM_UNIT_NPAGES;
}

/*
 * The first place from @from on where @span numbers are free.
 * Return: true with *@start and the position in the order, *@n
 */
static bool find_gap(const struct uhmm_store *store, uint64_t from,
		     uint64_t span, uint64_t *start, uint32_t *n)
{
	uint32_t nranges = store->hdr->nranges;
	uint64_t at = from;

	for (uint32_t i = 0; i <= nranges; i++) {
		uint64_t gap_end = store->hdr->layout.dpfns;
		const struct uhmm_dpfn_range *r = NULL;

		if (i < nranges) {
			r = nth_range(store, i);
			gap_end = r->start;
		}
		if (at < gap_end && span <= gap_end - at) {
			*start = at;
			*n = i;
			return true;
		}
		if (r && at < r->start + span_of(r->npages))
			at = r->start + span_of(r->npages);
	}
	return false;
}

static void order_insert(struct uhmm_store *store, uint32_t n, uint32_t index)
{
	uint32_t *order = order_of(store);

	memmove(order + n + 1, order + n,
		(store->hdr->nranges - n) * sizeof(*order));
	order[n] = index;
	store->hdr->nranges++;
}

static void order_remove(struct uhmm_store *store, uint32_t n)
{
	uint32_t *order = order_of(store);

	store->hdr->nranges--;
	memmove(order + n, order + n + 1,
		(store->hdr->nranges - n) * sizeof(*order));
}

static void set_generation(struct uhmm_dpfn_range *r, uint32_t generation)
{
	__atomic_store_n(&r->generation, generation, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

int64_t uhmm_dpfn_reserve(struct uhmm_store *store, uint64_t npages,
			  const uint8_t owner[16], uint32_t kind)
{
	struct uhmm_store_header *hdr = store->hdr;
	uint64_t span = span_of(npages), start;
	struct uhmm_dpfn_range *r;
	uint32_t index, n;

	if (!npages || span < npages)
		return -EINVAL;
	if (!find_gap(store, hdr->dpfn_cursor, span, &start, &n) &&
	    !find_gap(store, UHMM_UNIT_NPAGES, span, &start, &n))
		return -ENOSPC;
	index = uhmm_slab_alloc(store, UHMM_SLAB_RANGE);
	if (!index)
		return -ENOSPC;
	r = uhmm_slab_at(store, UHMM_SLAB_RANGE, index);
	r->start = start;
	r->npages = npages;
	memcpy(r->owner, owner, sizeof(r->owner));
	r->kind = kind;
	order_insert(store, n, index);
	hdr->dpfn_cursor = start + span;
	if (!++hdr->generation)
		hdr->generation = 1;
	set_generation(r, hdr->generation);
	return index;
}

/* The number of ranges that start at or before @dpfn. */
static uint32_t upper_bound(const struct uhmm_store *store, uint64_t dpfn)
{
	uint32_t low = 0, high = store->hdr->nranges;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (nth_range(store, mid)->start <= dpfn)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int uhmm_dpfn_release(struct uhmm_store *store, uint32_t range)
{
	struct uhmm_dpfn_range *r;

	if (!uhmm_slab_has(store, UHMM_SLAB_RANGE, range))
		return -EINVAL;
	r = uhmm_dpfn_range(store, range);
	if (r->used)
		return -EBUSY;
	set_generation(r, 0);
	order_remove(store, upper_bound(store, r->start) - 1);
	uhmm_slab_free(store, UHMM_SLAB_RANGE, range);
	return 0;
}

void uhmm_dpfn_mend(struct uhmm_store *store)
{
	uint32_t index = 0;

	store->hdr->nranges = 0;
	while ((index = uhmm_slab_next(store, UHMM_SLAB_RANGE, index))) {
		const struct uhmm_dpfn_range *r = uhmm_dpfn_range(store, index);

		if (r->generation)
			order_insert(store, upper_bound(store, r->start),
				     index);
		else
			uhmm_slab_free(store, UHMM_SLAB_RANGE, index);
	}
}

struct uhmm_dpfn_range *uhmm_dpfn_range(const struct uhmm_store *store,
					uint32_t index)
{
	assert(uhmm_slab_has(store, UHMM_SLAB_RANGE, index));
	return uhmm_slab_at(store, UHMM_SLAB_RANGE, index);
}

uint32_t uhmm_dpfn_lookup(const struct uhmm_store *store, uhmm_dpfn_t dpfn)
{
	uint32_t n = upper_bound(store, dpfn.val);
	const struct uhmm_dpfn_range *r;

	if (!n)
		return 0;
	r = nth_range(store, n - 1);
	return dpfn.val - r->start < r->npages ? order_of(store)[n - 1] : 0;
}
