/* SPDX-License-Identifier: MIT */
#include "sys/window.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "sys/bits.h"
#include "sys/pagesize.h"
#include "sys/procmem.h"

#define SOME_BITS 4096		/* bits of held[] that one bit of some[] is of */

int uhmm_window_init(struct uhmm_window *w, uhmm_vpn_t base, uhmm_dpfn_t first,
		     uint64_t npages, int mem)
{
	int saved = errno;
	uint64_t words = uhmm_bits_words(npages);
	size_t bytes = (words + uhmm_bits_words(npages / SOME_BITS + 1)) *
		       sizeof(uint64_t);
	void *bits = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	errno = saved;
	if (bits == MAP_FAILED)
		return -ENOMEM;
	*w = (struct uhmm_window){
		.base = base,
		.first = first,
		.npages = npages,
		.mem = mem,
		.held = bits,
		.some = (uint64_t *)bits + words,
		.bitmap_bytes = bytes,
	};
	uhmm_list_init(&w->link);
	return 0;
}

void uhmm_window_fini(struct uhmm_window *w)
{
	int saved = errno;

	if (!uhmm_window_exists(w))
		return;
	uhmm_list_del(&w->link);
	for (unsigned int i = 0; i < w->nhints; i++)
		if (w->hint[i] == w)
			w->hint[i] = NULL;
	munmap(w->held, w->bitmap_bytes);
	uhmm_trapset_fini(&w->stale);
	uhmm_trapset_fini(&w->tables);
	*w = (struct uhmm_window){ .npages = 0 };
	errno = saved;
}

bool uhmm_window_covers(const struct uhmm_window *w, uhmm_dpfn_t dpfn,
			uint64_t npages)
{
	return uhmm_window_exists(w) && dpfn.val >= w->first.val &&
	       dpfn.val - w->first.val <= w->npages &&
	       npages <= w->npages - (dpfn.val - w->first.val);
}

struct uhmm_range uhmm_window_places(const struct uhmm_window *w,
				     uhmm_dpfn_t dpfn, uint64_t npages)
{
	assert(uhmm_window_covers(w, dpfn, npages));
	return uhmm_range_of(UHMM_VPN(w->base.val + dpfn.val - w->first.val),
			     npages);
}

uint64_t uhmm_window_run(const struct uhmm_window *w, uhmm_dpfn_t dpfn,
			 uint64_t npages, bool *held)
{
	uint64_t i, n = 0;

	*held = uhmm_window_covers(w, dpfn, 1) &&
		uhmm_bits_test(w->held, dpfn.val - w->first.val);
	while (++n < npages) {
		i = dpfn.val + n - w->first.val;
		if ((uhmm_window_covers(w, UHMM_DPFN(dpfn.val + n), 1) &&
		     uhmm_bits_test(w->held, i)) != *held)
			break;
	}
	return n;
}

bool uhmm_window_next_held(const struct uhmm_window *w, uhmm_dpfn_t *dpfn)
{
	uint64_t i = dpfn->val < w->first.val ? 0 : dpfn->val - w->first.val;
	uint64_t nsome = w->npages / SOME_BITS + 1;

	if (!uhmm_window_exists(w))
		return false;
	while (i < w->npages) {
		uint64_t group = uhmm_bits_next(w->some, i / SOME_BITS, nsome);
		uint64_t end = (group + 1) * SOME_BITS;

		if (group == nsome)
			return false;
		if (group != i / SOME_BITS)
			i = group * SOME_BITS;
		if (end > w->npages)
			end = w->npages;
		i = uhmm_bits_next(w->held, i, end);
		if (i < end) {
			*dpfn = UHMM_DPFN(w->first.val + i);
			return true;
		}
	}
	return false;
}

/* Page @i is not held any more; was it? */
static bool let_go(struct uhmm_window *w, uint64_t i)
{
	uint64_t group = i / SOME_BITS * SOME_BITS;
	uint64_t end = group + SOME_BITS;

	if (!uhmm_bits_test(w->held, i))
		return false;
	uhmm_bits_clear(w->held, i);
	w->nheld--;
	if (end > w->npages)
		end = w->npages;
	if (uhmm_bits_next(w->held, group, end) == end)
		uhmm_bits_clear(w->some, i / SOME_BITS);
	return true;
}

/* Pages of @r in the set of stale ones. */
static uint64_t count_stale(const struct uhmm_window *w, struct uhmm_range r)
{
	struct uhmm_range piece;
	uint64_t n = 0;

	for (; uhmm_trapset_next(&w->stale, r, &piece); r.start = piece.end)
		n += uhmm_range_npages(piece);
	return n;
}

static void unlitter(struct uhmm_window *w, struct uhmm_range r)
{
	uint64_t n = count_stale(w, r);

	if (!n)
		return;
	uhmm_trapset_remove(&w->stale, r);
	w->nstale -= n - count_stale(w, r);
}

/* Without memory it is not known; whoever wants the place finds it taken. */
static void litter(struct uhmm_window *w, struct uhmm_range r)
{
	if (uhmm_trapset_reserve(&w->stale))
		return;
	w->nstale += uhmm_range_npages(r) - count_stale(w, r);
	uhmm_trapset_add(&w->stale, r);
}

void uhmm_window_hold(struct uhmm_window *w, uhmm_dpfn_t dpfn, uint64_t npages)
{
	unlitter(w, uhmm_window_places(w, dpfn, npages));
	for (uint64_t k = 0; k < npages; k++) {
		uint64_t i = dpfn.val - w->first.val + k;

		w->nheld += !uhmm_bits_test(w->held, i);
		uhmm_bits_set(w->held, i);
		uhmm_bits_set(w->some, i / SOME_BITS);
	}
}

void uhmm_window_drop(struct uhmm_window *w, uhmm_dpfn_t dpfn, uint64_t npages)
{
	while (npages) {
		bool held;
		uint64_t n = uhmm_window_run(w, dpfn, npages, &held);

		for (uint64_t k = 0; held && k < n; k++)
			let_go(w, dpfn.val - w->first.val + k);
		if (held)
			litter(w, uhmm_window_places(w, dpfn, n));
		dpfn.val += n;
		npages -= n;
	}
}

void uhmm_window_litter(struct uhmm_window *w, uhmm_dpfn_t dpfn,
			uint64_t npages)
{
	litter(w, uhmm_window_places(w, dpfn, npages));
}

void uhmm_window_emptied(struct uhmm_window *w, uhmm_dpfn_t dpfn,
			 uint64_t npages)
{
	for (uint64_t k = 0; k < npages; k++)
		let_go(w, dpfn.val - w->first.val + k);
	unlitter(w, uhmm_window_places(w, dpfn, npages));
}

/* Without memory it is not known: then what could be moved whole is not. */
void uhmm_window_note_table(struct uhmm_window *w, uhmm_dpfn_t dpfn,
			    uint64_t npages, bool there)
{
	if (uhmm_trapset_reserve(&w->tables))
		return;
	if (there)
		uhmm_trapset_add(&w->tables, uhmm_window_places(w, dpfn, npages));
	else
		uhmm_trapset_remove(&w->tables,
				    uhmm_window_places(w, dpfn, npages));
}

bool uhmm_window_has_table(const struct uhmm_window *w, uhmm_dpfn_t dpfn,
			   uint64_t npages)
{
	struct uhmm_range piece;

	return uhmm_trapset_next(&w->tables, uhmm_window_places(w, dpfn, npages),
				 &piece);
}

int64_t uhmm_window_read(const struct uhmm_window *w, uhmm_dpfn_t dpfn,
			 uint64_t npages, void *buf)
{
	struct uhmm_range r = uhmm_window_places(w, dpfn, npages);
	int64_t n = uhmm_procmem_read(w->mem, uhmm_addr_of(r.start), buf,
				      uhmm_bytes_of(npages));

	return n < 0 ? n : n / (int64_t)uhmm_page_bytes();
}

int64_t uhmm_window_write(const struct uhmm_window *w, uhmm_dpfn_t dpfn,
			  uint64_t npages, const void *buf)
{
	struct uhmm_range r = uhmm_window_places(w, dpfn, npages);
	int64_t n = uhmm_procmem_write(w->mem, uhmm_addr_of(r.start), buf,
				       uhmm_bytes_of(npages));

	return n < 0 ? n : n / (int64_t)uhmm_page_bytes();
}
