/* SPDX-License-Identifier: MIT */
/* engine_write.c - pages that are written so that they can be moved, and are
 * locked meanwhile (engine_base.h)
 *
 * The program's hands write them, as if each byte were replaced by itself. A
 * fork in the middle protects such a page again, or the program drops it: then
 * the hands fault, and would wait for the migration that waits for them. So
 * what is being written is known, and a fault on it is let through at once
 * (uhmm_engine_let_write): nobody takes the page before the hands answer.
 */
#include <errno.h>

#include "sys/engine_base.h"

/* Pages of the largest folio, and how many sizes there are. */
#define HEAD_MOST 512
#define HEADS_MAX 10
/* A page that others fork away again and again is written so often. */
#define UNSHARE_TRIES 4

/* Ranges that hands are writing now; in engine.writes. */
struct writes {
	struct uhmm_list link;
	const struct uhmm_range *range;
	unsigned int n;
};

static int write_by_hands(struct uhmm_engine *e, const struct uhmm_range *r,
			  unsigned int n)
{
	struct writes writes = { .range = r, .n = n };
	int err;

	uhmm_list_add_tail(&e->writes, &writes.link);
	err = uhmm_engine_ask_hands(e, UHMM_ENGINE_POPULATE_WRITE, r, n);
	uhmm_list_del(&writes.link);
	return err;
}

int uhmm_engine_write(struct uhmm_engine *e, struct uhmm_range r)
{
	return write_by_hands(e, &r, 1);
}

static bool is_being_written(const struct uhmm_engine *e, uhmm_vpn_t vpn)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &e->writes) {
		const struct writes *w =
			UHMM_CONTAINER_OF(node, struct writes, link);

		for (unsigned int i = 0; i < w->n; i++)
			if (uhmm_range_has(w->range[i], vpn))
				return true;
	}
	return false;
}

int uhmm_engine_let_write(struct uhmm_engine *e, uhmm_vpn_t vpn)
{
	struct uhmm_range r = uhmm_range_of(vpn, 1);
	uint8_t pte;
	int err;

	if (!is_being_written(e, vpn))
		return -ENOENT;
	err = uhmm_ptes_scan(&e->ptes, r, &pte);
	if (err)
		return err;
	err = pte & (UHMM_PTE_PRESENT | UHMM_PTE_SWAP) ?
		      uhmm_engine_op_unprotect(e, r) :
		      uhmm_engine_op_give_zero(e, vpn, true);
	/* others ran: who faulted looks again */
	return err == -EAGAIN ? uhmm_engine_op_wake(e, r) : err;
}

/* @n pages behind those that are done are not shared any more, but the kernel
 * has not noticed: a write makes it notice. Or they are pinned: then they are
 * written by now. */
int uhmm_engine_write_shared(struct uhmm_engine *e, struct uhmm_run *run,
			     uint64_t n)
{
	struct uhmm_range r = uhmm_range_of(uhmm_run_vpn(run, run->done), n);
	int err = uhmm_engine_op_unprotect(e, r);

	if (!err)
		err = write_by_hands(e, &r, 1);
	run->error = err && err != -EAGAIN ? -EBUSY : -EAGAIN;
	return err == -ESRCH ? err : 0;
}

/* The first pages of the large folios that page @vpn could be of, as far as
 * they are there and not shared; @wp: protected. Return: how many */
static unsigned int find_heads(struct uhmm_engine *e, uhmm_vpn_t vpn,
			       struct uhmm_range *r, bool *wp)
{
	const uint8_t ours = UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE;
	unsigned int n = 0;

	for (uint64_t size = HEAD_MOST; size > 1; size /= 2) {
		struct uhmm_range head =
			uhmm_range_of(UHMM_VPN(vpn.val & -size), 1);
		uint8_t pte;

		if (head.start.val == vpn.val ||
		    (n && head.start.val == r[n - 1].start.val) ||
		    uhmm_ptes_scan(&e->ptes, head, &pte) ||
		    (pte & (ours | UHMM_PTE_FILE)) != ours)
			continue;
		wp[n] = pte & UHMM_PTE_WP;
		r[n++] = head;
	}
	return n;
}

/* Write them as if nobody had: whoever does it next is told as before. */
static int write_quietly(struct uhmm_engine *e, const struct uhmm_range *r,
			 const bool *wp, unsigned int n)
{
	int err = 0, written;

	for (unsigned int i = 0; i < n && !err; i++)
		if (wp[i])
			err = uhmm_engine_op_unprotect(e, r[i]);
	written = err ? err : write_by_hands(e, r, n);
	for (unsigned int i = 0; i < n && written != -ESRCH; i++)
		if (wp[i] && uhmm_engine_op_protect(e, r[i]) == -ESRCH)
			return -ESRCH;
	return written;
}

/* @npages pages are not shared any more, but were, by a fork that nobody
 * announced: the kernel notices when they are written. And it looks whether the
 * first page of a large folio is shared, whichever it is to move (Linux 6.18):
 * have that split, and where it cannot be write that page, too. Nothing gained:
 * the page is pinned. */
int uhmm_engine_write_open(struct uhmm_engine *e, struct uhmm_run *run,
			   uint64_t npages)
{
	struct uhmm_range r[HEADS_MAX];
	bool wp[HEADS_MAX];
	uhmm_vpn_t vpn = uhmm_run_vpn(run, run->done);
	unsigned int n;
	int err;

	run->error = -EBUSY;
	if (e->unshared.val != vpn.val)
		e->unshare_tries = 0;
	e->unshared = vpn;
	if (++e->unshare_tries > UNSHARE_TRIES)
		return 0;
	r[0] = uhmm_range_of(vpn, npages);
	wp[0] = false;
	err = uhmm_engine_split(e, r[0], false);
	if (err)
		return err;
	n = 1 + find_heads(e, vpn, &r[1], &wp[1]);
	err = write_quietly(e, r, wp, n);
	run->error = -EAGAIN;
	return err == -ESRCH ? err : 0;
}
