/* SPDX-License-Identifier: MIT */
/* engine_zeros.c - kernels that map no zero page, the same for every engine
 * (engine_base.h)
 *
 * Who only reads an empty page of private memory gets the zero page. A kernel
 * may be set up to give a page of its own instead (guests of some hypervisors,
 * architectures with storage keys), which looks as if it had been written. In
 * memory that no device has had to do with, such a page is told by what is in
 * it: nothing but zeros. One that the program filled with zeros passes for it.
 *
 * When a device begins to look at memory that cannot go on: it may write zeros
 * itself. So then such pages become the zero page, which can be had for the
 * asking, and so does from then on what the program reads of it: it is trapped,
 * not only watched. Memory that may have huge pages stays as it is: nobody can
 * ask for the huge zero page, and what is trapped gets base pages.
 */
#include <errno.h>
#include <string.h>

#include "sys/engine_base.h"
#include "sys/pagesize.h"
#include "sys/procmem.h"
#include "sys/smaps.h"

#define CHUNK_BYTES 65536	/* read at once: a page, or several */
#define CHUNK_NPAGES_MAX (CHUNK_BYTES / 4096)
#define BATCH 512	/* pages looked at at once */

#define PTE_IS_ZERO(pte) \
	((uint8_t)(((pte) & ~UHMM_PTE_EXCLUSIVE) | UHMM_PTE_ZERO))

static bool is_zeros(const unsigned char *bytes, size_t n)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0;
}

/* Which of the first pages of @r, a chunk at most, are nothing but zeros? How many
 * were looked at; 0: they cannot be read. The buffer is the lock's. */
static uint64_t look(const struct uhmm_engine *e, struct uhmm_range r,
		     bool zeros[CHUNK_NPAGES_MAX])
{
	static unsigned char bytes[CHUNK_BYTES];
	size_t page = uhmm_page_bytes();
	uint64_t n = uhmm_range_npages(r);
	int64_t got;

	if (n > CHUNK_BYTES / page)
		n = CHUNK_BYTES / page;
	got = uhmm_procmem_read(e->fds.mem, uhmm_addr_of(r.start), bytes,
				n * page);
	n = got > 0 ? (uint64_t)got / page : 0;
	for (uint64_t i = 0; i < n; i++)
		zeros[i] = is_zeros(bytes + i * page, page);
	return n;
}

/* Pages @r, all of which may be ones that were only read. */
static void see_pages(const struct uhmm_engine *e, struct uhmm_range r,
		      uint8_t *pte)
{
	bool zeros[CHUNK_NPAGES_MAX];
	uint64_t n;

	for (; (n = look(e, r, zeros)); r.start.val += n, pte += n)
		for (uint64_t i = 0; i < n; i++)
			if (zeros[i])
				pte[i] = PTE_IS_ZERO(pte[i]);
}

/* All of the huge page is, or nothing of it. */
static bool is_huge_zero(struct uhmm_engine *e, struct uhmm_range r)
{
	bool zeros[CHUNK_NPAGES_MAX];
	struct uhmm_vma vma;
	uint64_t n;

	if (uhmm_maps_find(&e->maps, r.start, &vma) || vma.hugetlb)
		return false;
	for (; (n = look(e, r, zeros)); r.start.val += n)
		for (uint64_t i = 0; i < n; i++)
			if (!zeros[i])
				return false;
	return r.start.val == r.end.val;
}

/* Pages @r, which PMDs map: those of the first. How many? */
static uint64_t see_huge(struct uhmm_engine *e, struct uhmm_range r,
			 uint8_t *pte)
{
	uint64_t npages = uhmm_pmd_npages(), i;
	struct uhmm_range unit =
		uhmm_range_of(UHMM_VPN(r.start.val & -npages), npages);
	bool zero = is_huge_zero(e, unit);

	npages = uhmm_range_npages(uhmm_range_clip(r, unit));
	for (i = 0; zero && i < npages; i++)
		pte[i] = PTE_IS_ZERO(pte[i]);
	return npages;
}

/* Has a device looked at it? */
static bool is_known(const struct uhmm_engine *e, uhmm_vpn_t vpn)
{
	return uhmm_trapset_has(&e->trapped, vpn) ||
	       uhmm_trapset_has(&e->fenceable, vpn) ||
	       (!uhmm_engine_turns_zeros(e) && uhmm_trapset_has(&e->watched, vpn));
}

/* May it be one that was only read? */
static bool may_be(const struct uhmm_engine *e, uhmm_vpn_t vpn, uint8_t pte)
{
	const uint8_t what = UHMM_PTE_PRESENT | UHMM_PTE_ZERO | UHMM_PTE_FILE;

	return (pte & what) == UHMM_PTE_PRESENT && !is_known(e, vpn);
}

/* Where the pages from page @i of @r end that may be, of one kind. */
static uint64_t run_end(const struct uhmm_engine *e, struct uhmm_range r,
			const uint8_t *pte, uint64_t i)
{
	uint8_t kind = pte[i] & UHMM_PTE_HUGE;

	while (i < uhmm_range_npages(r) && (pte[i] & UHMM_PTE_HUGE) == kind &&
	       may_be(e, UHMM_VPN(r.start.val + i), pte[i]))
		i++;
	return i;
}

void uhmm_engine_see_zeros(struct uhmm_engine *e, struct uhmm_range r,
			   uint8_t *pte)
{
	uint64_t i = 0, end;

	while (i < uhmm_range_npages(r)) {
		struct uhmm_range run;

		end = run_end(e, r, pte, i);
		run = uhmm_range_of(UHMM_VPN(r.start.val + i), end - i);
		if (end == i) {
			i++;
		} else if (pte[i] & UHMM_PTE_HUGE) {
			i += see_huge(e, run, pte + i);
		} else {
			see_pages(e, run, pte + i);
			i = end;
		}
	}
}

/* ---- when a device begins to look ---- */

/* Is it an ordinary page of the program's own, and does a write stop? */
static bool is_protected(uint8_t pte)
{
	const uint8_t not = UHMM_PTE_ZERO | UHMM_PTE_FILE | UHMM_PTE_HUGE;
	const uint8_t both = UHMM_PTE_PRESENT | UHMM_PTE_WP;

	return (pte & (both | not)) == both;
}

/* Of the pages @r, which are protected, those of zeros become the zero page.
 * @pte: if not NULL, only of those that are there and are protected */
static int turn_zeros(struct uhmm_engine *e, struct uhmm_range r,
		      const uint8_t *pte)
{
	struct uhmm_range zero[CHUNK_NPAGES_MAX];
	bool zeros[CHUNK_NPAGES_MAX];
	unsigned int nzero = 0;
	uint64_t n = look(e, r, zeros);
	int err = 0;

	for (uint64_t i = 0; i < n; i++)
		if (zeros[i] && (!pte || is_protected(pte[i])))
			zero[nzero++] = uhmm_range_of(
				UHMM_VPN(r.start.val + i), 1);
	if (nzero)
		err = uhmm_engine_ask_hands(e, UHMM_ENGINE_ZAP_BY_AGENT, zero,
					    nzero);
	/* one that could not be zapped is there still, which is no error */
	for (unsigned int i = 0; i < nzero && err != -ESRCH; i++) {
		do
			err = uhmm_engine_op_give_zero(e, zero[i].start, false);
		while (err == -EAGAIN);
	}
	return err == -ESRCH ? err : 0;
}

/* Pages @r, a chunk at most, that seem to be of zeros. */
static int turn_run(struct uhmm_engine *e, struct uhmm_range r)
{
	int err = uhmm_engine_writeprotect(e, r, UFFDIO_WRITEPROTECT_MODE_WP);

	if (!err)
		err = turn_zeros(e, r, NULL);
	if (err != -ESRCH)
		err = uhmm_engine_writeprotect(e, r, 0);
	return err == -ESRCH ? err : 0;
}

static bool is_ordinary(uint8_t pte)
{
	return (pte & (uint8_t)~UHMM_PTE_EXCLUSIVE) == UHMM_PTE_PRESENT;
}

/* Those of the ordinary pages @r, as scanned, that are of zeros are @zero. */
static int find_zeros(const struct uhmm_engine *e, struct uhmm_range r,
		      bool zero[BATCH])
{
	uint8_t pte[BATCH];
	int err = uhmm_ptes_scan(&e->ptes, r, pte);
	bool zeros[CHUNK_NPAGES_MAX];
	uint64_t npages = uhmm_range_npages(r), i = 0, n;

	memset(zero, 0, BATCH * sizeof(zero[0]));
	while (!err && i < npages) {
		n = 1;
		if (is_ordinary(pte[i])) {
			n = look(e, (struct uhmm_range){
				UHMM_VPN(r.start.val + i), r.end }, zeros);
			for (uint64_t j = 0; j < n; j++)
				zero[i + j] = zeros[j] && is_ordinary(pte[i + j]);
		}
		i += n ? n : 1;
	}
	return err;
}

int uhmm_engine_split_zeros(struct uhmm_engine *e, struct uhmm_range r)
{
	uint8_t pte[CHUNK_NPAGES_MAX];
	int err = 0;

	e->turning++;
	while (!err && r.start.val < r.end.val) {
		struct uhmm_range part = uhmm_range_clip(
			uhmm_range_of(r.start,
				      CHUNK_BYTES / uhmm_page_bytes()), r);

		err = uhmm_ptes_scan(&e->ptes, part, pte);
		if (!err)
			err = turn_zeros(e, part, pte);
		r.start = part.end;
	}
	e->turning--;
	e->env.wake(e->env.ctx);
	return err;
}

static int turn_batch(struct uhmm_engine *e, struct uhmm_range r)
{
	uint64_t npages = uhmm_range_npages(r), i, end;
	bool zero[BATCH];
	int err = find_zeros(e, r, zero);

	for (i = 0; i < npages && !err; i = end) {
		end = i + 1;
		if (!zero[i])
			continue;
		while (end < npages && zero[end] &&
		       end - i < CHUNK_BYTES / uhmm_page_bytes())
			end++;
		err = turn_run(e, uhmm_range_of(UHMM_VPN(r.start.val + i),
						end - i));
	}
	return err;
}

static int turn(struct uhmm_engine *e, struct uhmm_range r)
{
	int err = 0;

	while (!err) {
		struct uhmm_range part;

		r.start = uhmm_ptes_skip_holes(&e->ptes, r);
		if (r.start.val >= r.end.val)
			return 0;
		part = uhmm_range_clip(uhmm_range_of(r.start, BATCH), r);
		err = turn_batch(e, part);
		r.start = part.end;
	}
	return err;
}

/* May a fault in @vma map a huge page? In memory that waits for us none does. The
 * last answer is kept, for to ask takes long; what was trapped of a mapping since
 * is a part of what it was about. */
static bool may_be_huge(struct uhmm_engine *e, const struct uhmm_vma *vma)
{
	uint64_t unit = uhmm_pmd_npages();
	uint64_t first = (vma->range.start.val + unit - 1) & -unit;
	struct uhmm_smaps smaps;

	if (first + unit > vma->range.end.val)
		return false;
	if (!uhmm_range_has(e->thp_asked, vma->range.start)) {
		e->thp = !uhmm_smaps_find(e->maps.fd,
					  uhmm_addr_of(vma->range.start),
					  uhmm_addr_of(vma->range.end),
					  &smaps) &&
			 smaps.thp;
		e->thp_asked = vma->range;
	}
	return e->thp;
}

static bool is_private(const struct uhmm_vma *vma)
{
	return vma->anon && !vma->shared && !vma->hugetlb && !vma->special;
}

/* Trap @r, which is not yet. */
static int trap_piece(struct uhmm_engine *e, struct uhmm_range r)
{
	int err = uhmm_trapset_reserve(&e->trapped);

	if (!err)
		err = uhmm_engine_register(e, r, NULL);
	if (err)
		return err;
	e->turning++;
	err = turn(e, r);
	e->turning--;
	e->env.wake(e->env.ctx);
	return err;
}

/* Trap what is not of @r, a part of one mapping, but for the library's own. */
static int trap_rest(struct uhmm_engine *e, struct uhmm_range r)
{
	struct uhmm_range known, piece = r;
	int err = 0;

	while (!err && r.start.val < r.end.val) {
		piece.start = r.start;
		piece.end = r.end;
		known = (struct uhmm_range){ r.end, r.end };
		if (uhmm_trapset_next(&e->trapped, r, &known))
			piece.end = known.start;
		if (uhmm_range_npages(piece) &&
		    !uhmm_range_overlaps(piece, e->keep_off))
			err = trap_piece(e, piece);
		r.start = known.end;
	}
	return err == -ESRCH || err == -ENOMEM ? err : 0;
}

int uhmm_engine_op_look(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_range rest = r;
	struct uhmm_vma vma;
	int err = 0;

	(void)uhmm_engine_wait_zeros(e);
	while (uhmm_engine_turns_zeros(e) && !err && rest.start.val < rest.end.val) {
		struct uhmm_range part;

		err = uhmm_maps_find(&e->maps, rest.start, &vma);
		if (err)
			break;
		part = uhmm_range_clip(rest, vma.range);
		if (uhmm_range_npages(part) && is_private(&vma) &&
		    !may_be_huge(e, &vma))
			err = trap_rest(e, uhmm_engine_widen(part, &vma));
		rest.start = vma.range.end;
	}
	return err == -ESRCH ? err : uhmm_engine_op_watch(e, r);
}

bool uhmm_engine_wait_zeros(struct uhmm_engine *e)
{
	bool waited = e->turning;

	while (e->turning)
		e->env.wait(e->env.ctx);
	return waited;
}
