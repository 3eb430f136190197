/* SPDX-License-Identifier: MIT */
/* engine_fence.c - trap pages by their protection, through the program's hands
 * (engine_base.h, fence.h)
 *
 * Theory of operation. What no userfaultfd can trap is private memory of a
 * file, for a page that is dropped comes back from the file without asking
 * anybody; and all memory where a userfaultfd is not to be had. There hands
 * take away the protection (mprotect) before bytes are read, and give it back
 * when they have been written: through the program's mem descriptor, which
 * minds no protection, so that nobody ever sees half a page. A thread of the
 * program that touches a fence gets SIGSEGV; the library in it asks us.
 *
 * The kernel tells nothing of what happens to such a mapping. Hooks do; and as
 * not every change passes a hook, each look at a fence compares the kernel's
 * protection with the one it should have: if it differs the mapping has been
 * replaced, and what was known of it is dropped.
 *
 * One change at a time: between the decision and the program's mprotect others
 * run, and two that cross would leave the set and the kernel apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/engine_base.h"
#include "sys/pagesize.h"

static const struct uhmm_range everything = { { 0 }, { UINT64_MAX } };

static uint8_t prot_of(const struct uhmm_vma *vma)
{
	return (uint8_t)((vma->read ? PROT_READ : 0) |
			 (vma->write ? PROT_WRITE : 0) |
			 (vma->exec ? PROT_EXEC : 0));
}

bool uhmm_engine_can_fence(const struct uhmm_engine *e,
			   const struct uhmm_vma *vma)
{
	return !vma->shared && !vma->hugetlb && !vma->special &&
	       (!vma->anon || e->fences_all);
}

/* ---- what is there ---- */

static void lose(struct uhmm_engine *e, struct uhmm_range r)
{
	uhmm_dbg(UHMM_LOG_ENGINE, "fence lost addr=%#llx pages=%llu",
		 (unsigned long long)uhmm_addr_of(r.start),
		 (unsigned long long)uhmm_range_npages(r));
	uhmm_fences_clear(&e->fences, r);
	e->env.lost(e->env.ctx, r);
}

/* No mapping is in @r: neither is a fence. */
static void lose_unmapped(struct uhmm_engine *e, struct uhmm_range r)
{
	struct uhmm_fence f;

	while (uhmm_fences_next(&e->fences, r, &f)) {
		lose(e, f.range);
		r.start = f.range.end;
	}
}

/* Is the fence @f, of which @vma holds a part, really there? */
static bool is_there(const struct uhmm_engine *e, const struct uhmm_fence *f,
		     const struct uhmm_vma *vma)
{
	return uhmm_range_overlaps(e->changing, f->range) ||
	       (uhmm_engine_can_fence(e, vma) && prot_of(vma) == uhmm_fence_now(f));
}

/* @vma begins at @start, and not before. */
static void begin_at(struct uhmm_vma *vma, uhmm_vpn_t start)
{
	vma->file_page += start.val - vma->range.start.val;
	vma->range.start = start;
}

/* Make of @vma, which holds @at, what the program takes it for. */
static void see_fences(struct uhmm_engine *e, uhmm_vpn_t at,
		       struct uhmm_vma *vma)
{
	uhmm_vpn_t before = uhmm_fences_before(&e->fences, at);
	struct uhmm_range rest = { at, vma->range.end }, part;
	struct uhmm_fence f;

	while (uhmm_fences_at(&e->fences, at, &f) && !is_there(e, &f, vma))
		lose(e, uhmm_range_clip(f.range, vma->range));
	if (!uhmm_fences_at(&e->fences, at, &f)) {
		if (before.val > vma->range.start.val)
			begin_at(vma, before);
		if (uhmm_fences_next(&e->fences, rest, &f))
			vma->range.end = f.range.start;
		return;
	}
	part = uhmm_range_clip(f.range, vma->range);
	begin_at(vma, part.start);
	vma->range.end = part.end;
	vma->read = f.prot & PROT_READ;
	vma->write = f.prot & PROT_WRITE;
	vma->exec = f.prot & PROT_EXEC;
	vma->fenced = true;
}

int uhmm_engine_find_fenced(struct uhmm_engine *e, uhmm_vpn_t vpn,
			    struct uhmm_vma *vma)
{
	int err = e->ops->vma_find(e, vpn, vma);

	if (!err)
		vma->by_fence = uhmm_engine_can_fence(e, vma);
	if (!e->fences.n || (err && err != -ENOENT))
		return err;
	if (err) {
		lose_unmapped(e, (struct uhmm_range){ vpn, everything.end });
		return err;
	}
	if (!uhmm_range_has(vma->range, vpn)) {
		lose_unmapped(e, (struct uhmm_range){ vpn, vma->range.start });
		vpn = vma->range.start;
	}
	see_fences(e, vpn, vma);
	return 0;
}

bool uhmm_engine_fences(const struct uhmm_engine *engine)
{
	return engine->told;
}

bool uhmm_engine_has_fences(const struct uhmm_engine *engine,
			    struct uhmm_range r)
{
	struct uhmm_fence f;

	return uhmm_fences_next(&engine->fences, r, &f);
}

bool uhmm_engine_is_shut(const struct uhmm_engine *engine, uhmm_vpn_t vpn)
{
	struct uhmm_fence f;

	return uhmm_fences_at(&engine->fences, vpn, &f) &&
	       f.less == UHMM_FENCE_ALL;
}

int uhmm_engine_next_fence(struct uhmm_engine *engine, struct uhmm_range within,
			   struct uhmm_range *r)
{
	struct uhmm_fence f;
	struct uhmm_vma vma;

	while (uhmm_fences_next(&engine->fences, within, &f)) {
		int err = uhmm_engine_find_fenced(engine, f.range.start, &vma);

		if (err && err != -ENOENT)
			return err;
		within.start = f.range.start;
		if (err || !vma.fenced)
			continue;	/* it was lost */
		*r = uhmm_range_clip(f.range, vma.range);
		if (uhmm_range_npages(*r))
			return 1;
	}
	return 0;
}

void uhmm_engine_forget_fences(struct uhmm_engine *engine, struct uhmm_range r)
{
	uhmm_fences_clear(&engine->fences, r);
	uhmm_trapset_remove(&engine->fenceable, r);
}

int uhmm_engine_note_fenceable(struct uhmm_engine *e, struct uhmm_range r)
{
	int err = uhmm_trapset_reserve(&e->fenceable);

	if (!err)
		uhmm_trapset_add(&e->fenceable, r);
	return err;
}

int uhmm_engine_note_memory_files(struct uhmm_engine *engine)
{
	struct uhmm_vma vma = { .range = { { 0 }, { 0 } } };
	int err = 0;

	if (!engine->memfd_device)
		engine->memfd_device = uhmm_memfs_kernels();
	while (!err &&
	       !(err = uhmm_engine_find_fenced(engine, vma.range.end, &vma)))
		if (vma.by_fence && vma.write && !vma.anon && vma.device &&
		    vma.device == engine->memfd_device)
			err = uhmm_engine_note_fenceable(engine, vma.range);
	return err == -ENOENT ? 0 : err;
}

bool uhmm_engine_next_fenceable(const struct uhmm_engine *engine,
				struct uhmm_range within,
				struct uhmm_range *piece)
{
	return uhmm_trapset_next(&engine->fenceable, within, piece);
}

/* ---- one change at a time ---- */

static void lock(struct uhmm_engine *e)
{
	while (e->changing_any)
		e->env.wait(e->env.ctx);
	e->changing_any = true;
}

static void unlock(struct uhmm_engine *e)
{
	e->changing_any = false;
	e->env.wake(e->env.ctx);
}

bool uhmm_engine_is_changing(struct uhmm_engine *e)
{
	if (!e->changing_any)
		return false;
	e->env.wait(e->env.ctx);
	return true;
}

/* ---- changes ---- */

/** Pieces that hands change in one call, and what they were and become. */
struct batch {
	struct uhmm_engine *e;
	unsigned int n;
	struct uhmm_range range[UHMM_ENGINE_HANDS_MAX];
	struct uhmm_fence was[UHMM_ENGINE_HANDS_MAX];	/* less 0: no fence */
	struct uhmm_fence to[UHMM_ENGINE_HANDS_MAX];
};

/* Add @was, which is to become @to. Return: false: another call must do it. */
static bool add(struct batch *b, struct uhmm_fence was, struct uhmm_fence to)
{
	if (b->n == UHMM_ENGINE_HANDS_MAX ||
	    (b->n && uhmm_fence_now(&b->to[0]) != uhmm_fence_now(&to)))
		return false;
	b->range[b->n] = to.range;
	b->was[b->n] = was;
	b->to[b->n++] = to;
	return true;
}

/* Hands give pieces [@first, +@n) this protection. Until they have, either one
 * may be found. */
static int change(struct batch *b, unsigned int first, unsigned int n,
		  uint8_t prot)
{
	struct uhmm_engine *e = b->e;
	int err;

	e->changing = (struct uhmm_range){ b->range[first].start,
					   b->range[first + n - 1].end };
	err = uhmm_engine_ask_hands(e, UHMM_ENGINE_MPROTECT + prot,
				    &b->range[first], n);
	e->changing = (struct uhmm_range){ .start = { 0 } };
	return err;
}

static int note(struct batch *b, const struct uhmm_fence *f)
{
	struct uhmm_fences *set = &b->e->fences;
	int err;

	if (!f->less) {
		uhmm_fences_clear(set, f->range);
		return 0;
	}
	err = uhmm_fences_reserve(set);
	if (!err)
		uhmm_fences_set(set, *f);
	return err;
}

/* Piece by piece back to what it was: hands may have stopped anywhere. */
static void undo(struct batch *b)
{
	for (unsigned int i = 0; i < b->n; i++) {
		if (change(b, i, 1, uhmm_fence_now(&b->was[i])))
			uhmm_err("cannot give a protection back at %#llx",
				 (unsigned long long)uhmm_addr_of(
					 b->range[i].start));
		(void)!note(b, &b->was[i]);
	}
}

/* Guard the pieces of @b. In the set first: who is stopped asks at once. */
static int guard(struct batch *b)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < b->n && !err; i++)
		err = note(b, &b->to[i]);
	if (err) {
		while (i--)
			(void)!note(b, &b->was[i]);
		return err;
	}
	err = change(b, 0, b->n, uhmm_fence_now(&b->to[0]));
	if (err && err != -ESRCH)
		undo(b);
	return err;
}

/* Leave out what is the library's own. Return: false: all of @part is. */
static bool spare(const struct uhmm_engine *e, struct uhmm_range *part)
{
	struct uhmm_range own = e->keep_off;

	if (!uhmm_range_overlaps(*part, own))
		return true;
	if (part->start.val < own.start.val) {
		part->end = own.start;
		return true;
	}
	part->end = uhmm_range_clip(*part, own).end;
	return false;
}

/* Put into @b what is to be guarded at @r->start, which moves on. Return: 1 go
 * on; 0 @b is full; -errno */
static int collect(struct batch *b, struct uhmm_range *r, uint8_t less)
{
	struct uhmm_fence was = { .less = 0 }, to;
	struct uhmm_range part;
	struct uhmm_vma vma;
	int err = uhmm_engine_find_fenced(b->e, r->start, &vma);

	if (err == -ENOENT || (!err && vma.range.start.val >= r->end.val)) {
		r->start = r->end;
		return 1;
	}
	if (err)
		return err;
	part = uhmm_range_clip(*r, vma.range);
	if (uhmm_engine_can_fence(b->e, &vma) && spare(b->e, &part)) {
		if (!uhmm_fences_next(&b->e->fences, part, &was))
			was.prot = prot_of(&vma);
		was.range = part;
		to = was;
		to.less |= less;
		if (to.less != was.less && !add(b, was, to))
			return 0;
	}
	r->start = part.end;
	return 1;
}

static int fence_locked(struct uhmm_engine *e, struct uhmm_range r,
			uint8_t less)
{
	struct batch b = { .e = e };
	int go_on = 1, err = 0;

	while (!err && go_on >= 0 && r.start.val < r.end.val) {
		b.n = 0;
		do
			go_on = collect(&b, &r, less);
		while (go_on > 0 && r.start.val < r.end.val);
		if (go_on >= 0 && b.n)
			err = guard(&b);
	}
	return go_on < 0 ? go_on : err;
}

int uhmm_engine_fence(struct uhmm_engine *e, struct uhmm_range r, uint8_t less)
{
	int err;

	lock(e);
	e->told = true;
	err = fence_locked(e, r, less);
	unlock(e);
	return err;
}

/* ---- and back ---- */

/* Put into @b what of the fence at @r->start is to be opened; it moves on.
 * Return: 1 go on; 0 @b is full; -errno */
static int collect_open(struct batch *b, struct uhmm_range *r, uint8_t less)
{
	struct uhmm_range part = { .start = r->start };
	struct uhmm_fence was, to;
	int found = uhmm_engine_next_fence(b->e, *r, &part);

	if (found <= 0 || !uhmm_fences_next(&b->e->fences, part, &was)) {
		r->start = r->end;
		return found < 0 ? found : 1;
	}
	to = was;
	to.less &= less;
	if (to.less != was.less && !add(b, was, to))
		return 0;
	r->start = part.end;
	return 1;
}

/* Out of the set last: until then who is stopped is answered. */
static int unguard(struct batch *b)
{
	int err = change(b, 0, b->n, uhmm_fence_now(&b->to[0]));

	for (unsigned int i = 0; i < b->n && !err; i++)
		err = note(b, &b->to[i]);
	return err;
}

static int unfence_locked(struct uhmm_engine *e, struct uhmm_range r,
			  uint8_t less)
{
	struct batch b = { .e = e };
	int go_on = 1, err = 0;

	while (!err && go_on >= 0 && r.start.val < r.end.val) {
		b.n = 0;
		do
			go_on = collect_open(&b, &r, less);
		while (go_on > 0 && r.start.val < r.end.val);
		if (go_on >= 0 && b.n)
			err = unguard(&b);
	}
	return go_on < 0 ? go_on : err;
}

int uhmm_engine_unfence(struct uhmm_engine *e, struct uhmm_range r,
			uint8_t less)
{
	int err;

	lock(e);
	err = unfence_locked(e, r, less);
	unlock(e);
	return err;
}

int uhmm_engine_open(struct uhmm_engine *engine, struct uhmm_range r)
{
	struct uhmm_range part = r;
	int found;

	while ((found = uhmm_engine_next_fence(engine, r, &part)) > 0) {
		int err = uhmm_engine_guard(engine, part, false);

		if (!err)
			err = uhmm_engine_unfence(engine, part, 0);
		if (err)
			return err;
		r.start = part.end;
	}
	return found;
}

/* ---- markers ---- */

/* Does a marker on @page, of a private mapping of a file, show? */
static bool shows_marker(char *page, size_t bytes)
{
	const struct uhmm_ptes ptes = {
		.fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)
	};
	uint64_t word = 0;
	bool shows = ptes.fd >= 0 &&
		     madvise(page, bytes, UHMM_MADV_GUARD_INSTALL) == 0 &&
		     !uhmm_ptes_raw(&ptes,
				    uhmm_range_of(uhmm_vpn_of((uintptr_t)page),
						  1), &word) &&
		     (word & UHMM_PM_GUARD);

	if (ptes.fd >= 0)
		close(ptes.fd);
	return shows;
}

bool uhmm_engine_kernel_guards(void)
{
	size_t bytes = uhmm_page_bytes();
	int saved = errno;
	int fd = memfd_create("uhmm-probe", MFD_CLOEXEC);
	void *page = fd < 0 ? MAP_FAILED :
			      mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE, fd, 0);
	bool has = page != MAP_FAILED && shows_marker(page, bytes);

	if (page != MAP_FAILED)
		munmap(page, bytes);
	if (fd >= 0)
		close(fd);
	errno = saved;
	return has;
}

int uhmm_engine_guard(struct uhmm_engine *e, struct uhmm_range r, bool on)
{
	int err = e->guards ? uhmm_engine_ask_hands(
				      e, on ? UHMM_ENGINE_GUARD :
					      UHMM_ENGINE_UNGUARD, &r, 1) :
			      0;

	return err == -ESRCH ? err : 0;
}

void uhmm_engine_tidy_fences(struct uhmm_engine *engine)
{
	struct uhmm_range rest = everything;
	struct uhmm_fence f;

	lock(engine);
	while (uhmm_fences_next(&engine->fences, rest, &f)) {
		rest.start = f.range.end;
		if (f.less != UHMM_FENCE_ALL &&
		    unfence_locked(engine, f.range, 0) == -ESRCH)
			break;
	}
	unlock(engine);
}

static int set_prot(struct uhmm_engine *e, struct uhmm_range r, uint8_t prot)
{
	struct batch b = { .e = e };
	struct uhmm_range part = { .start = r.start };
	struct uhmm_fence f, to;
	int found = uhmm_engine_next_fence(e, r, &part), err = 0;

	if (found <= 0)
		return found < 0 ? found : -ENOENT;
	if (!uhmm_fences_next(&e->fences, part, &f) ||
	    f.range.start.val != r.start.val || f.range.end.val != r.end.val)
		return -ENOENT;
	to = f;
	to.prot = prot;
	(void)add(&b, f, to);
	if (uhmm_fence_now(&to) != uhmm_fence_now(&f))
		err = change(&b, 0, 1, uhmm_fence_now(&to));
	return err ? err : note(&b, &to);
}

int uhmm_engine_fence_prot(struct uhmm_engine *engine, struct uhmm_range r,
			   uint8_t prot)
{
	int err;

	lock(engine);
	err = set_prot(engine, r, prot);
	unlock(engine);
	return err;
}

int uhmm_engine_tell(struct uhmm_engine *e, struct uhmm_range r)
{
	int err = 0;

	lock(e);
	if (!e->told)
		err = uhmm_engine_ask_hands(e, UHMM_ENGINE_TELL, &r, 1);
	if (!err)
		e->told = true;
	unlock(e);
	return err;
}

void uhmm_engine_keep_off(struct uhmm_engine *engine, struct uhmm_range r)
{
	engine->keep_off = r;
}
