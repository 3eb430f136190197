/* SPDX-License-Identifier: MIT */
/* kin.h - which pages of several mms are the same one
 *
 * Theory of operation. After a fork both map the same pages, read-only, until
 * one of them writes. Who else maps a page the kernel finds by its reverse map.
 * A daemon has to know it by itself: physical page numbers are for root alone,
 * and they would not do: a page that came back from a device to several mms is
 * one page to the kernel, and with us a copy in each.
 * So pages have numbers. Before a fork each page of the parent that has none
 * gets one (number), the child gets those of its parent (fork), and two places
 * with the same number have the same page. A number goes when something else
 * takes the page's place: a write (the page is protected, so it is told), or
 * the end of the mapping. It stays while the page is on a device: there the
 * entries say the same.
 * A number also says in which mm the page came into being. The kernel looks for
 * the page in the mappings that descend from that mm's, the older mm first, and
 * no further when nobody is left who has it. Mirrors of the mms where it looked
 * forget the page, whether it was there or not (tell).
 * What is known here is never trusted with data: two pages that are not alike
 * byte by byte are not one (share.h).
 *
 * A number:  63      48 47                 0
 *           |   birth  |      serial        |
 *
 * Owns:   uhmm_mm_record.kin, the table vpn -> number; uhmm_mm.kin.
 * Locks:  caller holds the core's lock.
 * Kernel: folio->mapping, anon_vma, rmap_walk_anon().
 */
#ifndef UHMM_MM_KIN_H
#define UHMM_MM_KIN_H

#include <uhmm/types.h>

struct uhmm_mm;
struct uhmm_store;

/** struct uhmm_kin - where an mm comes from; in struct uhmm_mm */
struct uhmm_kin {
	uint16_t *line;		/* first ancestor ... this one; ids repeat after
				 * 65535 mms, which costs a needless fault */
	uint32_t depth;
	uint32_t born;		/* after those with a smaller one */
	bool mirrored;		/* it, or an ancestor, was once: it may be again */
	bool moved;		/* numbers of it, or of an ancestor, moved
				 * (mremap): a page may be at two addresses */
};

/** uhmm_kin_last() - the last serial that was given out in @store */
uint64_t uhmm_kin_last(const struct uhmm_store *store);

/** uhmm_kin_init() - @mm descends from nobody. 0; -ENOMEM */
UHMM_CHECKED int uhmm_kin_init(struct uhmm_mm *mm);

/** uhmm_kin_fini() - forget all */
void uhmm_kin_fini(struct uhmm_mm *mm);

/**
 * uhmm_kin_fork() - @child, new, has the pages of @parent that a fork copies
 * Return: 0; -ENOMEM: some pages are not known to be the same
 */
UHMM_CHECKED int uhmm_kin_fork(struct uhmm_mm *parent, struct uhmm_mm *child);

/** uhmm_kin_number() - the page at @vpn is about to be shared: it has a number
 *  from now on, if there is memory for one */
void uhmm_kin_number(struct uhmm_mm *mm, uhmm_vpn_t vpn);

/** uhmm_kin_get() - the number of what is at @vpn; 0: nobody else's */
uint64_t uhmm_kin_get(const struct uhmm_mm *mm, uhmm_vpn_t vpn);

/** uhmm_kin_count() - pages of @mm that have one */
uint64_t uhmm_kin_count(const struct uhmm_mm *mm);

/** uhmm_kin_next() - the first number in [*@vpn, @end) of @mm; false: none */
bool uhmm_kin_next(const struct uhmm_mm *mm, uhmm_vpn_t *vpn, uhmm_vpn_t end,
		   uint64_t *number);

/** uhmm_kin_drop() - something else is in @r now */
void uhmm_kin_drop(struct uhmm_mm *mm, struct uhmm_range r);

/** uhmm_kin_move() - what was in @from is at @to now (mremap) */
void uhmm_kin_move(struct uhmm_mm *mm, struct uhmm_range from, uhmm_vpn_t to);

/**
 * uhmm_kin_tell() - the reverse map was walked for what is at @vpn of @mm:
 * mirrors forget the page of who descends from where it came into being
 * @until: born of the youngest who had it: the walk has ended there. The one
 * who migrates does not count: its page table was the first to be looked at
 * Kernel: MMU_NOTIFY_CLEAR of try_to_migrate_one(), folio_not_mapped().
 */
void uhmm_kin_tell(struct uhmm_mm *mm, uhmm_vpn_t vpn, uint32_t until);

/** uhmm_kin_is_shared() - does another mm have the page at @vpn of @mm? Seen at
 *  the same address only. */
bool uhmm_kin_is_shared(const struct uhmm_mm *mm, uhmm_vpn_t vpn);

/** uhmm_kin_is_family() - have @a and @b a common ancestor? */
bool uhmm_kin_is_family(const struct uhmm_mm *a, const struct uhmm_mm *b);

/** uhmm_kin_is_wanted() - does anybody of the family of @mm mirror it, or have
 *  entries? Else nobody asks now who shares what. */
bool uhmm_kin_is_wanted(const struct uhmm_mm *mm);

#endif
