/* SPDX-License-Identifier: MIT */
#include "sys/devmem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sys/bits.h"
#include "sys/pagesize.h"

#define MEMFD_NAME "uhmm-devmem"

void uhmm_devmem_init(struct uhmm_devmem *dm)
{
	*dm = (struct uhmm_devmem){ .n = 0 };
	uhmm_list_init(&dm->windows);
}

static void fini_range(struct uhmm_devmem_range *r)
{
	if (r->held)
		munmap(r->held, r->held_bytes);
	uhmm_memfd_fini(&r->mem);
}

void uhmm_devmem_fini(struct uhmm_devmem *dm)
{
	for (unsigned int i = 0; i < dm->n; i++)
		fini_range(&dm->range[i]);
	free(dm->range);
	uhmm_devmem_init(dm);
}

/* Index of the first range that ends above @dpfn; dm->n when none does. */
static unsigned int search(const struct uhmm_devmem *dm, uint64_t dpfn)
{
	unsigned int low = 0;
	unsigned int high = dm->n;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;
		const struct uhmm_devmem_range *r = &dm->range[mid];

		if (r->first.val + r->npages > dpfn)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static int grow(struct uhmm_devmem *dm)
{
	unsigned int room = dm->room ? dm->room * 2 : 8;
	struct uhmm_devmem_range *range;

	if (dm->n < dm->room)
		return 0;
	range = realloc(dm->range, room * sizeof(*range));
	if (!range)
		return -ENOMEM;
	dm->range = range;
	dm->room = room;
	return 0;
}

/* Is [@first, +@npages) a range, and free? Makes room for one more. */
static int prepare(struct uhmm_devmem *dm, uhmm_dpfn_t first, uint64_t npages,
		   unsigned int *at)
{
	uint64_t most = SIZE_MAX / uhmm_page_bytes();

	if (!first.val || !npages || npages > most ||
	    first.val + npages < first.val)
		return -EINVAL;
	*at = search(dm, first.val);
	if (*at < dm->n && dm->range[*at].first.val < first.val + npages)
		return -EEXIST;
	return grow(dm);
}

static void insert(struct uhmm_devmem *dm, unsigned int at,
		   struct uhmm_devmem_range range)
{
	memmove(&dm->range[at + 1], &dm->range[at],
		(dm->n - at) * sizeof(range));
	dm->range[at] = range;
	dm->n++;
}

int uhmm_devmem_add(struct uhmm_devmem *dm, uhmm_dpfn_t first, uint64_t npages)
{
	struct uhmm_devmem_range range = { .first = first, .npages = npages };
	unsigned int at;
	int err = prepare(dm, first, npages, &at);

	if (!err)
		err = uhmm_memfd_init(&range.mem, MEMFD_NAME,
				      uhmm_bytes_of(npages));
	if (!err)
		insert(dm, at, range);
	return err;
}

int uhmm_devmem_attach(struct uhmm_devmem *dm, uhmm_dpfn_t first,
		       uint64_t npages, int fd)
{
	struct uhmm_devmem_range range = { .first = first, .npages = npages };
	unsigned int at;
	int err = prepare(dm, first, npages, &at);

	if (!err)
		err = uhmm_memfd_attach(&range.mem, fd);
	if (err)
		return err;
	if (range.mem.bytes != uhmm_bytes_of(npages)) {
		uhmm_memfd_detach(&range.mem);
		return -EINVAL;
	}
	insert(dm, at, range);
	return 0;
}

int uhmm_devmem_remove(struct uhmm_devmem *dm, uhmm_dpfn_t first)
{
	unsigned int at = search(dm, first.val);

	if (at == dm->n || dm->range[at].first.val != first.val)
		return -ENOENT;
	fini_range(&dm->range[at]);
	dm->n--;
	memmove(&dm->range[at], &dm->range[at + 1],
		(dm->n - at) * sizeof(dm->range[0]));
	return 0;
}

/* The range that holds all of [@dpfn, +@npages), and the offset there. */
static struct uhmm_devmem_range *locate(const struct uhmm_devmem *dm,
					uhmm_dpfn_t dpfn, uint64_t npages,
					size_t *offset)
{
	unsigned int at = search(dm, dpfn.val);
	struct uhmm_devmem_range *r = &dm->range[at];

	if (at == dm->n || dpfn.val < r->first.val ||
	    npages > r->first.val + r->npages - dpfn.val)
		return NULL;
	*offset = uhmm_bytes_of(dpfn.val - r->first.val);
	return r;
}

void *uhmm_devmem_span(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
		       uint64_t npages)
{
	size_t offset;
	struct uhmm_devmem_range *r = locate(dm, dpfn, npages, &offset);

	return r ? r->mem.base + offset : NULL;
}

void *uhmm_devmem_ptr(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn)
{
	return uhmm_devmem_span(dm, dpfn, 1);
}

/* ---- who may hold what: known beside the windows, which say for certain ---- */

static struct uhmm_devmem_range *range_at(const struct uhmm_devmem *dm,
					  uhmm_dpfn_t dpfn)
{
	size_t offset;

	return locate(dm, dpfn, 1, &offset);
}

static struct uhmm_window **hint_of(const struct uhmm_devmem *dm,
				    uhmm_dpfn_t dpfn)
{
	struct uhmm_devmem *d = (struct uhmm_devmem *)(uintptr_t)dm;

	return &d->hint[dpfn.val / UHMM_DEVMEM_BLOCK % UHMM_DEVMEM_HINTS];
}

/* What is not touched takes no memory. */
static void make_held(struct uhmm_devmem_range *r)
{
	size_t bytes = uhmm_bits_words(r->npages) * sizeof(uint64_t);
	int saved = errno;
	void *bits = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	errno = saved;
	if (bits != MAP_FAILED) {
		r->held = bits;
		r->held_bytes = bytes;
	} else {
		r->unknown = true;
	}
}

static void note_held(struct uhmm_devmem *dm, uhmm_dpfn_t dpfn, uint64_t npages)
{
	for (; npages; dpfn.val++, npages--) {
		struct uhmm_devmem_range *r = range_at(dm, dpfn);

		if (r && !r->held && !r->unknown)
			make_held(r);
		if (r && r->held)
			uhmm_bits_set(r->held, dpfn.val - r->first.val);
	}
}

static void note_free(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
		      uint64_t npages)
{
	for (; npages; dpfn.val++, npages--) {
		const struct uhmm_devmem_range *r = range_at(dm, dpfn);

		if (r && r->held)
			uhmm_bits_clear(r->held, dpfn.val - r->first.val);
	}
}

void uhmm_devmem_add_window(struct uhmm_devmem *dm, struct uhmm_window *w)
{
	uhmm_list_add_tail(&dm->windows, &w->link);
	w->hint = dm->hint;
	w->nhints = UHMM_DEVMEM_HINTS;
}

/* No window but @but has the bytes of [@dpfn, +@npages). */
static void drop(struct uhmm_devmem *dm, const struct uhmm_window *but,
		 uhmm_dpfn_t dpfn, uint64_t npages)
{
	while (npages) {
		struct uhmm_window *w;
		uint64_t n = uhmm_devmem_place(dm, dpfn, npages, &w);

		if (w && w != but)
			uhmm_window_drop(w, dpfn, n);
		dpfn.val += n;
		npages -= n;
	}
}

void uhmm_devmem_forget(struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
			uint64_t npages)
{
	drop(dm, NULL, dpfn, npages);
}

void *uhmm_devmem_fill(struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
		       uint64_t npages)
{
	drop(dm, NULL, dpfn, npages);
	return uhmm_devmem_span(dm, dpfn, npages);
}

void uhmm_devmem_hold(struct uhmm_devmem *dm, struct uhmm_window *w,
		      uhmm_dpfn_t dpfn, uint64_t npages)
{
	drop(dm, w, dpfn, npages);
	uhmm_window_hold(w, dpfn, npages);
	note_held(dm, dpfn, npages);
	*hint_of(dm, dpfn) = w;
}

/* Pages from @dpfn on, @npages at most, that no window holds, or that one may. */
static uint64_t run_of(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
		       uint64_t npages, bool *may)
{
	const struct uhmm_devmem_range *r = range_at(dm, dpfn);
	uint64_t i, end, first;

	*may = true;
	if (!r || r->unknown)
		return npages;
	i = dpfn.val - r->first.val;
	end = npages < r->npages - i ? i + npages : r->npages;
	first = r->held ? uhmm_bits_next(r->held, i, end) : end;
	*may = first == i;
	return *may ? end - i : first - i;
}

/* All windows are asked. */
static uint64_t search_windows(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
			       uint64_t npages, struct uhmm_window **w)
{
	struct uhmm_list *node;

	*w = NULL;
	assert(dm->windows.next);	/* init() was called */
	UHMM_LIST_EACH(node, &dm->windows) {
		struct uhmm_window *one =
			UHMM_CONTAINER_OF(node, struct uhmm_window, link);
		bool held;
		uint64_t n = uhmm_window_run(one, dpfn, npages, &held);

		npages = n;
		if (!held)
			continue;
		*w = one;
		break;
	}
	return npages;
}

uint64_t uhmm_devmem_place(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
			   uint64_t npages, struct uhmm_window **w)
{
	bool held;
	uint64_t n;

	*w = NULL;
	npages = run_of(dm, dpfn, npages, &held);
	if (!held)
		return npages;
	/* no two windows hold one page */
	*w = *hint_of(dm, dpfn);
	n = *w ? uhmm_window_run(*w, dpfn, npages, &held) : 0;
	if (*w && held)
		return n;
	npages = search_windows(dm, dpfn, npages, w);
	if (*w)
		*hint_of(dm, dpfn) = *w;
	else
		note_free(dm, dpfn, npages);
	return npages;
}

/* Pages at the front of [@dpfn, +@npages) that are in one place. */
static uint64_t copy_some(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
			  uint64_t *npages, unsigned char *buf, bool write)
{
	struct uhmm_window *w;
	unsigned char *span;
	int64_t n;

	*npages = uhmm_devmem_place(dm, dpfn, *npages, &w);
	if (w) {
		n = write ? uhmm_window_write(w, dpfn, *npages, buf) :
			    uhmm_window_read(w, dpfn, *npages, buf);
		return n < 0 ? 0 : (uint64_t)n;
	}
	span = uhmm_devmem_span(dm, dpfn, *npages);
	if (!span)
		return 0;
	memcpy(write ? span : buf, write ? buf : span, uhmm_bytes_of(*npages));
	return *npages;
}

static uint64_t copy_all(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
			 uint64_t npages, unsigned char *buf, bool write)
{
	uint64_t done = 0;

	while (done < npages) {
		uint64_t want = npages - done;
		uint64_t n = copy_some(dm, UHMM_DPFN(dpfn.val + done), &want,
				       buf + uhmm_bytes_of(done), write);

		done += n;
		if (n < want)
			break;
	}
	return done;
}

uint64_t uhmm_devmem_read(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
			  uint64_t npages, void *buf)
{
	return copy_all(dm, dpfn, npages, buf, false);
}

uint64_t uhmm_devmem_write(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
			   uint64_t npages, const void *buf)
{
	/* written from, not to */
	return copy_all(dm, dpfn, npages, (unsigned char *)(uintptr_t)buf,
			true);
}

int uhmm_devmem_discard(struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
			uint64_t npages)
{
	size_t offset;
	struct uhmm_devmem_range *r = locate(dm, dpfn, npages, &offset);

	if (!r)
		return -ENOENT;
	drop(dm, NULL, dpfn, npages);
	return uhmm_memfd_discard(&r->mem, offset, uhmm_bytes_of(npages));
}

uint64_t uhmm_devmem_resident_bytes(const struct uhmm_devmem *dm)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < dm->n; i++)
		bytes += uhmm_memfd_resident_bytes(&dm->range[i].mem);
	return bytes;
}
