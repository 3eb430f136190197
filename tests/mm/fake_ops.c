/* SPDX-License-Identifier: MIT */
/* fake_ops.c - the engine of programs that are not there (fake_mm.h)
 *
 * Asserts what mm_ops.h demands of its caller.
 */
#include <errno.h>
#include <string.h>

#include "fake_mm.h"
#include "mm/page.h"
#include "mm/unit.h"

/* Others may run now. */
static void yield(struct fake *f)
{
	bool now = f->pause_at && --f->pause_at == 0;

	if (f->pause_one_in)
		now |= !unit_below(&f->random, f->pause_one_in);
	if (!now)
		return;
	f->pauses++;
	fake_task_pause(&f->tasks);
}

/* What a page was when a call began that yields at its start: did anything
 * happen meanwhile that its caller must know? */
struct before {
	uint32_t events;
	uint64_t pauses;
};

static struct before look_before(const struct fake_mm *m)
{
	return (struct before){ m->events, m->f->pauses };
}

static bool is_stale(const struct fake_mm *m, struct before before)
{
	return before.events != m->events || before.pauses != m->f->pauses;
}

static int enter(struct fake_mm *m, enum fake_op op, struct uhmm_range r,
		 uint32_t flags)
{
	int err = fake_enter(m->f, (struct fake_call){
					   op, flags, r.start.val,
					   uhmm_range_npages(r), m });

	return m->dead ? -ESRCH : err;
}

/* The same for one that yields. */
static int enter_yielding(struct fake_mm *m, enum fake_op op,
			  struct uhmm_range r, uint32_t flags)
{
	int err = enter(m, op, r, flags);

	yield(m->f);
	return m->dead ? -ESRCH : err;
}

static int op_vma_find(void *ctx, uhmm_vpn_t vpn, struct uhmm_vma *vma)
{
	struct fake_mm *m = ctx;
	int err = enter(m, FAKE_VMA_FIND, uhmm_range_of(vpn, 1), 0);
	uint64_t end;

	if (err)
		return err;
	while (vpn.val < FAKE_NPAGES && !m->pte[vpn.val].mapped)
		vpn.val++;
	if (vpn.val >= FAKE_NPAGES)
		return -ENOENT;
	while (vpn.val > 0 &&
	       fake_same_mapping(m, uhmm_range_of(UHMM_VPN(vpn.val - 1), 2)))
		vpn.val--;
	for (end = vpn.val + 1; end < FAKE_NPAGES; end++)
		if (!fake_same_mapping(m, uhmm_range_of(UHMM_VPN(end - 1), 2)))
			break;
	*vma = (struct uhmm_vma){
		.range = { vpn, UHMM_VPN(end) },
		.read = m->pte[vpn.val].kind.read,
		.write = m->pte[vpn.val].kind.write,
		.exec = m->pte[vpn.val].kind.exec,
		.shared = m->pte[vpn.val].kind.shared,
		.anon = !m->pte[vpn.val].kind.file,
		.by_fence = fake_by_fence(&m->pte[vpn.val]),
		.hugetlb = m->pte[vpn.val].kind.hugetlb,
		.special = m->pte[vpn.val].kind.special,
		.pfnmap = m->pte[vpn.val].kind.pfnmap,
		.file = (uintptr_t)m->pte[vpn.val].file,
		.file_page = m->pte[vpn.val].offset,
	};
	return 0;
}

static uhmm_vpn_t op_mapping_end(void *ctx, const struct uhmm_vma *vma,
				 uhmm_vpn_t until)
{
	(void)ctx;
	(void)until;
	return vma->range.end;
}

static int op_scan(void *ctx, struct uhmm_range r, uint8_t *pte)
{
	struct fake_mm *m = ctx;
	int err = enter(m, FAKE_SCAN, r, 0);

	if (!err && m->mm->bare)
		err = -EBADF;	/* its page table is not open yet */
	for (uint64_t i = r.start.val; !err && i < r.end.val; i++)
		pte[i - r.start.val] = i < FAKE_NPAGES ? fake_pte_bits(m, i) :
							 0;
	return err;
}

static uhmm_vpn_t op_skip_holes(void *ctx, struct uhmm_range r)
{
	while (r.start.val < r.end.val && r.start.val < FAKE_NPAGES &&
	       !fake_pte_bits(ctx, r.start.val))
		r.start.val++;
	return r.start.val < FAKE_NPAGES ? r.start : r.end;
}

/* The CPU gets at a page that its protection trapped; it may still be guarded
 * against writing. */
static void open_fence(struct fake_pte *pte)
{
	if (!fake_by_fence(pte))
		return;
	pte->watched |= pte->trapped;
	pte->trapped = pte->fenced = false;
}

static int op_trap(void *ctx, struct uhmm_range r)
{
	struct fake_mm *m = ctx;
	const struct fake_kind *kind = &m->pte[r.start.val].kind;
	int err = enter_yielding(m, FAKE_TRAP, r, 0);

	if (!err && (!fake_same_mapping(m, r) || kind->hugetlb ||
		     kind->special || (kind->file && kind->shared)))
		err = -EINVAL;
	if (!err)
		err = kind->trap_error;
	if (!err)
		fake_split_huge(m, r.start.val, uhmm_range_npages(r));
	for (uint64_t i = r.start.val; !err && i < r.end.val; i++) {
		m->pte[i].trapped = true;
		m->pte[i].watched = false;
		m->pte[i].fenced = fake_by_fence(&m->pte[i]);
		m->pte[i].bits |= UHMM_PTE_WP;
	}
	fake_leave(m->f, FAKE_TRAP);
	return m->dead ? -ESRCH : err;
}

static int op_untrap(void *ctx, struct uhmm_range r)
{
	struct fake_mm *m = ctx;
	int err = enter(m, FAKE_UNTRAP, r, 0);

	for (uint64_t i = r.start.val; !err && i < r.end.val; i++) {
		if (i == FAKE_NPAGES)
			break;
		if (!m->pte[i].trapped && !m->pte[i].watched)
			continue;
		m->pte[i].trapped = m->pte[i].watched = false;
		m->pte[i].bits &= (uint8_t)~UHMM_PTE_WP;
		unit_expect(uhmm_softleaf_is_none(
			uhmm_mm_leaf(m->mm, UHMM_VPN(i))));
	}
	return err;
}

static bool can_watch(const struct fake_pte *pte)
{
	return pte->mapped && !pte->trapped && !pte->kind.trap_error &&
	       !(pte->kind.file && pte->kind.shared) && !pte->kind.special;
}

static int op_watch(void *ctx, struct uhmm_range r)
{
	struct fake_mm *m = ctx;
	int err = enter(m, FAKE_WATCH, r, 0);

	for (uint64_t i = r.start.val; !err && i < r.end.val; i++) {
		if (i == FAKE_NPAGES)
			break;
		if (can_watch(&m->pte[i]))
			m->pte[i].watched = true;
	}
	return err;
}

static bool op_is_foreign(void *ctx, struct uhmm_range r)
{
	struct fake_mm *m = ctx;

	for (uint64_t i = r.start.val; i < r.end.val && i < FAKE_NPAGES; i++)
		if (m->pte[i].kind.trap_error == -EBUSY)
			return true;
	return false;
}

static bool op_is_watched(void *ctx, uhmm_vpn_t vpn)
{
	struct fake_mm *m = ctx;

	return vpn.val < FAKE_NPAGES &&
	       (m->pte[vpn.val].watched || m->pte[vpn.val].trapped);
}

static bool op_next_watched(void *ctx, struct uhmm_range r,
			    struct uhmm_range *piece)
{
	uint64_t end = r.end.val < FAKE_NPAGES ? r.end.val : FAKE_NPAGES;
	uint64_t first = r.start.val;

	while (first < end && !op_is_watched(ctx, UHMM_VPN(first)))
		first++;
	*piece = uhmm_range_of(UHMM_VPN(first), 0);
	while (piece->end.val < end && op_is_watched(ctx, piece->end))
		piece->end.val++;
	return first < end;
}

static bool op_is_forked(void *ctx, uhmm_vpn_t vpn)
{
	const struct fake_mm *m = ctx;

	return vpn.val >= FAKE_NPAGES || !m->pte[vpn.val].dontfork;
}

/* The trapped piece from *@vpn on is only watched now, unless a page of it is
 * protected; *@vpn moves behind it. */
static void relax_piece(struct fake_mm *m, uint64_t *vpn)
{
	uint64_t first = *vpn;
	bool stays = false;

	for (; *vpn < FAKE_NPAGES && m->pte[*vpn].trapped; ++*vpn)
		stays |= (m->pte[*vpn].bits & UHMM_PTE_PRESENT) &&
			 (m->pte[*vpn].bits & UHMM_PTE_WP);
	for (uint64_t i = first; i < *vpn && !stays; i++) {
		m->pte[i].trapped = false;
		m->pte[i].watched = true;
		m->pte[i].bits &= (uint8_t)~UHMM_PTE_WP;
	}
}

static int op_relax(void *ctx, struct uhmm_range r)
{
	struct fake_mm *m = ctx;
	int err = enter(m, FAKE_RELAX, r, 0);

	unit_expect(uhmm_shadow_count(&m->f->core.store, m->mm->slot) == 0);
	for (uint64_t i = r.start.val; !err && i < r.end.val; i++) {
		if (i >= FAKE_NPAGES)
			break;
		if (m->pte[i].trapped)
			relax_piece(m, &i);
	}
	return err;
}

static int op_protect(void *ctx, struct uhmm_range r)
{
	struct fake_mm *m = ctx;
	int err = enter_yielding(m, FAKE_PROTECT, r, 0);

	if (!err)
		fake_split_huge(m, r.start.val, uhmm_range_npages(r));
	for (uint64_t i = r.start.val; !err && i < r.end.val; i++)
		if (i < FAKE_NPAGES && op_is_watched(m, UHMM_VPN(i)))
			m->pte[i].bits |= UHMM_PTE_WP;
	fake_leave(m->f, FAKE_PROTECT);
	return m->dead ? -ESRCH : err;
}

static int op_unprotect(void *ctx, struct uhmm_range r)
{
	struct fake_mm *m = ctx;
	struct before before = look_before(m);
	int err = enter_yielding(m, FAKE_UNPROTECT, r, 0);

	if (!err && is_stale(m, before))
		err = -EAGAIN;
	if (!err)
		fake_split_huge(m, r.start.val, uhmm_range_npages(r));
	for (uint64_t i = r.start.val; !err && i < r.end.val; i++) {
		m->pte[i].bits &= (uint8_t)~UHMM_PTE_WP;
		open_fence(&m->pte[i]);
	}
	return err;
}

/* ---- take ---- */

/* A unit is one in both spaces; one PMD maps all of it, or none, if the program
 * has done nothing to it meanwhile. */
static void check_unit(const struct fake_mm *m, const struct uhmm_run *run,
		       bool huge)
{
	if (!(run->flags & UHMM_RUN_UNIT))
		return;
	unit_expect(run->npages == FAKE_PMD_NPAGES);
	unit_expect(run->vpn.val % FAKE_PMD_NPAGES == 0);
	unit_expect(run->dpfn.val % FAKE_PMD_NPAGES == 0);
	if (huge && !(run->flags & UHMM_RUN_ZERO) &&
	    uhmm_unit_of(&m->f->core.store, m->mm->slot, run->vpn))
		unit_expect(fake_count_huge(m, run->vpn.val, run->npages) ==
			    run->npages);
}

static int fetch_page(struct fake_mm *m, const struct uhmm_run *run,
		      uint32_t events)
{
	uhmm_vpn_t vpn = UHMM_VPN(run->vpn.val + run->done);
	uhmm_dpfn_t dpfn = UHMM_DPFN(run->dpfn.val + run->done);
	unsigned char *to = fake_device_bytes(m->f, dpfn);
	const struct fake_pte *pte = &m->pte[vpn.val];
	int err = enter(m, FAKE_TAKE_PAGE, uhmm_range_of(vpn, 1), run->flags);

	if (err)
		return err;
	unit_expect(uhmm_page_state(&m->f->core.store, dpfn) ==
			    UHMM_PAGE_ALLOCATED ||
		    fake_is_coherent(m->f, dpfn));
	if (run->flags & UHMM_RUN_ZERO) {
		unit_expect(events != m->events || !pte->page);
		fake_fill(to, 0);
		return 0;
	}
	if (!pte->page)
		return -EFAULT;
	unit_expect(events != m->events ||
		    (pte->trapped && (pte->bits & UHMM_PTE_WP)));
	if (run->flags & UHMM_RUN_SAME)
		return memcmp(to, pte->page->bytes, FAKE_PAGE_BYTES) ? -EILSEQ :
								       0;
	memcpy(to, pte->page->bytes, FAKE_PAGE_BYTES);
	return 0;
}

/* What has been fetched leaves, or whatever is there by now. */
static void zap(struct fake_mm *m, const struct uhmm_run *run, uint32_t events)
{
	for (uint64_t i = 0; i < run->done; i++) {
		uhmm_vpn_t vpn = UHMM_VPN(run->vpn.val + i);
		struct fake_pte *pte = &m->pte[vpn.val];

		unit_expect(events != m->events ||
			    uhmm_softleaf_is_migration(
				    uhmm_mm_leaf(m->mm, vpn)));
		fake_drop(pte);
		if (pte->trapped)
			pte->bits = UHMM_PTE_WP;
	}
}

static void fetch(struct fake_mm *m, struct uhmm_run *run, uint32_t events,
		  int err)
{
	check_unit(m, run, events == m->events);
	run->error = err;
	while (!run->error && run->done < run->npages) {
		run->error = fetch_page(m, run, events);
		if (!run->error)
			run->done++;
	}
}

/* As a real one does: copy all, then have all that was copied leave. Careful,
 * it looks for changes of the mappings in between. */
static int op_take(void *ctx, struct uhmm_run *run, unsigned int nruns)
{
	struct fake_mm *m = ctx;
	struct uhmm_range r = uhmm_range_of(run->vpn, run->npages);
	uint32_t events = m->events;
	int err = enter_yielding(m, FAKE_TAKE, r, run->flags);

	for (unsigned int i = 0; i < nruns && err != -ESRCH; i++)
		fetch(m, &run[i], events, err);
	if (err != -ESRCH)
		err = enter(m, FAKE_ZAP, r, 0);
	for (unsigned int i = 0; i < nruns && err != -ESRCH; i++) {
		if (err || (events != m->events && !m->f->careless)) {
			run[i].done = 0;
			run[i].error = err ? err : -EAGAIN;
		}
		zap(m, &run[i], events);
	}
	fake_leave(m->f, FAKE_TAKE);
	yield(m->f);
	return m->dead || err == -ESRCH ? -ESRCH : 0;
}

/* ---- give ---- */

static int give_page(struct fake_mm *m, const struct uhmm_run *run,
		     uint32_t events)
{
	uint64_t vpn = run->vpn.val + run->done;
	uhmm_dpfn_t dpfn = UHMM_DPFN(run->dpfn.val + run->done);
	struct fake_pte *pte = &m->pte[vpn];
	int err = enter(m, FAKE_GIVE_PAGE, uhmm_range_of(UHMM_VPN(vpn), 1),
			run->flags);

	if (err)
		return err;
	if (events != m->events)
		return -EAGAIN;
	if (!pte->mapped || !(pte->trapped || pte->watched))
		return -ENOENT;
	if (pte->bits & (UHMM_PTE_PRESENT | UHMM_PTE_SWAP))
		return -EEXIST;
	unit_expect(uhmm_softleaf_is_migration(
		uhmm_mm_leaf(m->mm, UHMM_VPN(vpn))));
	unit_expect(uhmm_page_state(&m->f->core.store, dpfn) ==
			    UHMM_PAGE_MAPPED ||
		    fake_is_coherent(m->f, dpfn));
	fake_hold(pte, fake_page_new(fake_device_bytes(m->f, dpfn)),
		  UHMM_PTE_PRESENT |
			  (run->flags & UHMM_RUN_WP ? UHMM_PTE_WP : 0));
	open_fence(pte);
	return 0;
}

static int op_give(void *ctx, struct uhmm_run *run, unsigned int nruns)
{
	struct fake_mm *m = ctx;
	uint32_t events = m->events;
	int err = enter_yielding(m, FAKE_GIVE,
				 uhmm_range_of(run->vpn, run->npages),
				 run->flags);

	if (err == -ESRCH)
		return err;
	for (unsigned int i = 0; i < nruns; i++) {
		check_unit(m, &run[i], false);
		run[i].error = err;
		while (!run[i].error && run[i].done < run[i].npages) {
			run[i].error = give_page(m, &run[i], events);
			if (!run[i].error)
				run[i].done++;
		}
		if ((run[i].flags & UHMM_RUN_UNIT) && !m->f->no_huge &&
		    run[i].done == run[i].npages)
			fake_set_huge(m, run[i].vpn.val, run[i].npages, false);
		if (run[i].error == -ESRCH)
			return -ESRCH;
	}
	fake_leave(m->f, FAKE_GIVE);
	yield(m->f);
	return m->dead ? -ESRCH : 0;
}

/* ---- pages that come into being ---- */

/* Has the CPU what there is at @vpn? */
static bool is_here(const struct fake_mm *m, uhmm_vpn_t vpn)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(m->mm, vpn);

	return uhmm_softleaf_is_none(leaf) ||
	       uhmm_softleaf_is_device_coherent(leaf);
}

static int op_give_zero(void *ctx, uhmm_vpn_t vpn, bool write)
{
	struct fake_mm *m = ctx;
	struct fake_pte *pte = &m->pte[vpn.val];
	struct before before = look_before(m);
	int err = enter_yielding(m, FAKE_GIVE_ZERO, uhmm_range_of(vpn, 1),
				 write);

	if (err)
		return err;
	if (is_stale(m, before) ||
	    !is_here(m, vpn))
		return -EAGAIN;
	if (!pte->mapped || !pte->trapped)
		return -ENOENT;
	if (pte->bits & (UHMM_PTE_PRESENT | UHMM_PTE_SWAP))
		return 0;
	if (fake_by_fence(pte)) {
		pte->bits = 0;	/* the kernel fills it from the file */
		open_fence(pte);
	} else if (write)
		fake_hold(pte, fake_page_new(NULL), UHMM_PTE_PRESENT);
	else
		fake_hold(pte, NULL, UHMM_PTE_PRESENT | UHMM_PTE_ZERO);
	return 0;
}

static int op_wake(void *ctx, struct uhmm_range r)
{
	return enter(ctx, FAKE_WAKE, r, 0);
}

static int op_let_read(void *ctx, struct uhmm_range r)
{
	struct fake_mm *m = ctx;

	for (uint64_t i = r.start.val; i < r.end.val; i++)
		open_fence(&m->pte[i]);
	return enter(m, FAKE_WAKE, r, 0);
}

static int op_split(void *ctx, struct uhmm_range r)
{
	struct fake_mm *m = ctx;
	int err = enter_yielding(m, FAKE_SPLIT, r, 0);

	if (!err)
		fake_split_huge(m, r.start.val, uhmm_range_npages(r));
	return err == -ESRCH ? err : 0;
}

static int op_fault_in(void *ctx, struct uhmm_range r, bool write)
{
	struct fake_mm *m = ctx;
	int err;

	for (uint64_t i = r.start.val; i < r.end.val; i++)
		unit_expect(is_here(m, UHMM_VPN(i)));
	err = enter_yielding(m, FAKE_FAULT_IN, r, write);
	if (!err && !fake_same_mapping(m, r))
		err = -EFAULT;
	for (uint64_t i = r.start.val; !err && i < r.end.val; i++) {
		open_fence(&m->pte[i]);
		err = fake_touch(m, i, write);
	}
	fake_leave(m->f, FAKE_FAULT_IN);
	return m->dead ? -ESRCH : err;
}

/* ---- copies ---- */

static int64_t op_read(void *ctx, uhmm_vpn_t vpn, uint64_t npages, void *buf)
{
	struct fake_mm *m = ctx;
	int err = enter(m, FAKE_READ, uhmm_range_of(vpn, npages), 0);
	unsigned char *to = buf;
	uint64_t i;

	if (err)
		return err == -ESRCH ? err : 0;
	for (i = 0; i < npages && vpn.val + i < FAKE_NPAGES; i++) {
		struct fake_pte *pte = &m->pte[vpn.val + i];

		if (!(pte->bits & (UHMM_PTE_PRESENT | UHMM_PTE_SWAP)))
			break;
		if (pte->page)
			memcpy(to, pte->page->bytes, FAKE_PAGE_BYTES);
		else
			memset(to, 0, FAKE_PAGE_BYTES);
		to += FAKE_PAGE_BYTES;
	}
	return (int64_t)i;
}

static int64_t op_write(void *ctx, uhmm_vpn_t vpn, uint64_t npages,
			const void *buf)
{
	struct fake_mm *m = ctx;
	int err = enter(m, FAKE_WRITE, uhmm_range_of(vpn, npages), 1);
	const unsigned char *from = buf;
	uint64_t i;

	if (err)
		return err == -ESRCH ? err : 0;
	for (i = 0; i < npages && vpn.val + i < FAKE_NPAGES; i++) {
		struct fake_pte *pte = &m->pte[vpn.val + i];

		if (!(pte->bits & UHMM_PTE_PRESENT) ||
		    (pte->bits & UHMM_PTE_WP))
			break;
		fake_pte_write(m, vpn.val + i);
		memcpy(pte->page->bytes, from, FAKE_PAGE_BYTES);
		from += FAKE_PAGE_BYTES;
	}
	return (int64_t)i;
}

const struct uhmm_mm_ops fake_ops = {
	.vma_find = op_vma_find,
	.mapping_end = op_mapping_end,
	.scan = op_scan,
	.skip_holes = op_skip_holes,
	.trap = op_trap,
	.untrap = op_untrap,
	.watch = op_watch,
	.look = op_watch,
	.is_foreign = op_is_foreign,
	.is_watched = op_is_watched,
	.next_watched = op_next_watched,
	.is_forked = op_is_forked,
	.relax = op_relax,
	.protect = op_protect,
	.unprotect = op_unprotect,
	.take = op_take,
	.give = op_give,
	.give_zero = op_give_zero,
	.let_read = op_let_read,
	.split = op_split,
	.wake = op_wake,
	.fault_in = op_fault_in,
	.read = op_read,
	.write = op_write,
};
