/* SPDX-License-Identifier: MIT */
/* dmirror_look.c - entries that nobody takes out of a mirror's table (dmirror.h)
 *
 * Two kinds of pages change without a word. A file on a disk cannot be watched.
 * And a page of a private mapping that still is the file's gets replaced when
 * the program writes, which can be watched, but not without changing how the
 * kernel faults in the pages around it. Entries of both say what was there when
 * they were made, and before a command uses them it looks whether it still is:
 * the same page of the same file, mapped with the same rights, and a copy of it
 * or not, as before.
 */
#include <errno.h>

#include "device/dmirror.h"

/* What tells a page of a mapping from others, in the upper half of a word. */
static uint64_t fingerprint(const struct uhmm_vma *vma, uhmm_vpn_t vpn)
{
	uint64_t page = vma->file_page + (vpn.val - vma->range.start.val);
	uint64_t hash = vma->file * UINT64_C(0x9e3779b97f4a7c15) ^ page;

	hash ^= (uint64_t)(vma->read | vma->write << 1 | vma->shared << 2) << 60;
	hash *= UINT64_C(0xd1342543de82ef95);
	return hash >> 32 << 32;
}

/* Can an entry of a page there, now in state @pte, change unheard? */
static bool is_silent(const struct dmirror *m, const struct uhmm_vma *vma,
		      uhmm_vpn_t vpn, uint8_t pte)
{
	return (!vma->shared && (pte & UHMM_PTE_FILE)) ||
	       !uhmm_mm_is_watched(m->mm, vpn);
}

static uint64_t note(const struct dmirror *m, const struct uhmm_vma *vma,
		     uhmm_vpn_t vpn, uint8_t pte)
{
	uint64_t entry = DMIRROR_ENTRY_LOOK | fingerprint(vma, vpn);

	/* what has an entry in the shadow is told of */
	if (!uhmm_softleaf_is_none(uhmm_mm_leaf(m->mm, vpn)) ||
	    !is_silent(m, vma, vpn, pte))
		return 0;
	if (pte & UHMM_PTE_FILE)
		entry |= DMIRROR_ENTRY_FILE;
	if (pte & UHMM_PTE_EXCLUSIVE)
		entry |= DMIRROR_ENTRY_SINGLE;
	return entry;
}

bool uhmm_dmirror_can_look(const struct uhmm_vma *vma)
{
	return vma->file && !vma->hugetlb;
}

int uhmm_dmirror_note(const struct dmirror *m, const struct uhmm_vma *vma,
		      struct uhmm_range r, uint64_t *entry)
{
	uint8_t pte[DMIRROR_PIECE];
	int err = uhmm_mm_scan(m->mm, r, pte);

	for (uint64_t i = 0; !err && i < uhmm_range_npages(r); i++)
		entry[i] |= note(m, vma, UHMM_VPN(r.start.val + i), pte[i]);
	return err;
}

/* Is what @entry was made for still there? A copy that the device may write is
 * the program's alone; whether another maps it, too, does not matter. */
static bool holds(const struct uhmm_vma *vma, uhmm_vpn_t vpn, uint64_t entry,
		  uint8_t pte)
{
	bool copy = !(entry & DMIRROR_ENTRY_FILE) && !vma->shared;

	if (!(pte & UHMM_PTE_PRESENT) ||
	    entry >> 32 << 32 != fingerprint(vma, vpn))
		return false;
	if (!(entry & DMIRROR_ENTRY_FILE) != !(pte & UHMM_PTE_FILE))
		return false;
	return !copy || (entry & DMIRROR_ENTRY_WRITE) ||
	       !(entry & DMIRROR_ENTRY_SINGLE) == !(pte & UHMM_PTE_EXCLUSIVE);
}

/* Look at the entries of @r, part of @vma. */
static int look_at(struct dmirror *m, const struct uhmm_vma *vma,
		   struct uhmm_range r)
{
	uint8_t pte[DMIRROR_PIECE];
	uhmm_vpn_t at = r.start;
	int err = uhmm_mm_scan(m->mm, r, pte);

	for (; !err && uhmm_dmirror_next(m, &at, r.end); at.val++) {
		uint64_t entry = uhmm_dmirror_entry(m, at);

		if ((entry & DMIRROR_ENTRY_LOOK) &&
		    !holds(vma, at, entry, pte[at.val - r.start.val]))
			uhmm_dmirror_forget(m, uhmm_range_of(at, 1));
	}
	return err;
}

/* The part of @r from its first such entry on that is looked at next. */
static int look_next(struct dmirror *m, struct uhmm_range *r)
{
	struct uhmm_range part = uhmm_range_clip(
		uhmm_range_of(r->start, DMIRROR_PIECE), *r);
	struct uhmm_vma vma;
	int err = uhmm_find_vma(m->mm, r->start, &vma);

	if (err == -ENOENT) {
		uhmm_dmirror_forget(m, uhmm_range_of(r->start, 1));
		r->start.val++;
		return 0;
	}
	if (err)
		return err;
	if (uhmm_range_has(vma.range, r->start)) {
		part = uhmm_range_clip(part, vma.range);
		r->start = part.end;
		return look_at(m, &vma, part);
	}
	part = uhmm_range_clip(part, (struct uhmm_range){ r->start,
							  vma.range.start });
	uhmm_dmirror_forget(m, part);
	r->start = part.end;
	return 0;
}

int uhmm_dmirror_look(struct dmirror *m, struct uhmm_range r)
{
	int err = 0;

	if (!m->looks)
		return 0;
	while (!err && !uhmm_mm_is_gone(m->mm) &&
	       uhmm_dmirror_next(m, &r.start, r.end)) {
		if (uhmm_dmirror_entry(m, r.start) & DMIRROR_ENTRY_LOOK)
			err = look_next(m, &r);
		else
			r.start.val++;
	}
	return err == -ESRCH ? 0 : err;
}
