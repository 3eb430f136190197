/* SPDX-License-Identifier: MIT */
/* engine_fault.c - pages that come into being: give_zero() and fault_in(), the
 * same for every engine (engine_base.h)
 */
#include <errno.h>
#include <stdlib.h>

#include "sys/engine_base.h"
#include "sys/pagesize.h"
#include "sys/procmem.h"

#define BATCH 512		/* pages looked at at once */

/* Source of the pages of zeros that are given; never written. */
#define ZEROS_BYTES 65536
static _Alignas(ZEROS_BYTES) unsigned char zeros[ZEROS_BYTES];

/* One call for the front of @r; @done pages. */
static int zeros_once(struct uhmm_engine *e, struct uhmm_range r, bool write,
		      uint64_t *done)
{
	uint64_t most = ZEROS_BYTES / uhmm_page_bytes();
	int err;

	if (write && uhmm_range_npages(r) > most)
		r.end.val = r.start.val + most;
	e->env.unlock(e->env.ctx);
	err = write ? uhmm_uffd_copy(e->fds.uffd, r, zeros, 0, done) :
		      uhmm_uffd_zeropage(e->fds.uffd, r, 0, done);
	e->env.lock(e->env.ctx);
	return err;
}

/*
 * Fill the empty pages @r, which wakes; private pages when @write, else the
 * zero page. A page that is there is left alone and its waiters woken.
 * Return: 0; -EAGAIN others ran, a page may not be free any more; -ENOENT not
 * registered; -ENOMEM; -ESRCH
 */
static int fill_zeros(struct uhmm_engine *e, struct uhmm_range r, bool write)
{
	struct uhmm_range part = r;

	while (part.start.val < r.end.val) {
		uint64_t done;
		int err = zeros_once(e, part, write, &done);

		e->stats.pages_zero += done;
		if (!done && err == -EEXIST) {
			done = 1;
			err = uhmm_uffd_wake(e->fds.uffd,
					     uhmm_range_of(part.start, 1));
		} else if (!done && err == -EAGAIN) {
			err = uhmm_engine_catch_up(e);
			return err ? err : -EAGAIN;
		} else if (!done && err) {
			err = uhmm_engine_fill_error(e, err, &part);
		} else {
			err = 0;
		}
		if (err)
			return err;
		part.start.val += done;
		if (part.start.val == part.end.val)
			part.end = r.end;
	}
	return 0;
}

/*
 * The zero page does not go where a marker is; a private page does. Waking is
 * left to what comes next.
 */
static int drop_markers(struct uhmm_engine *e, struct uhmm_range r)
{
	int err = uhmm_engine_writeprotect(
		e, r, UFFDIO_WRITEPROTECT_MODE_DONTWAKE);

	return err == -ENOENT ? 0 : err;
}

/*
 * A page of ours that we did not know of: a trapped mapping grew. All of the
 * mapping is trapped, for one that is not never merges with one that is.
 */
static void learn(struct uhmm_engine *e, uhmm_vpn_t vpn)
{
	struct uhmm_vma vma;

	if (uhmm_maps_find(&e->maps, vpn, &vma) < 0 ||
	    !uhmm_range_has(vma.range, vpn) ||
	    uhmm_trapset_reserve(&e->trapped) < 0)
		return;
	uhmm_trapset_add(&e->trapped, vma.range);
}

/* Is the page there? Else a marker that is in the zero page's way is gone. */
static int make_room(struct uhmm_engine *e, struct uhmm_range r, bool *there)
{
	uint8_t pte;
	int err = uhmm_ptes_scan(&e->ptes, r, &pte);

	if (err)
		return err;
	*there = pte & (UHMM_PTE_PRESENT | UHMM_PTE_SWAP);
	return !*there && (pte & UHMM_PTE_WP) ? drop_markers(e, r) : 0;
}

int uhmm_engine_op_give_zero(void *ctx, uhmm_vpn_t vpn, bool write)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_range r = uhmm_range_of(vpn, 1);
	bool there = false;
	int err = write ? 0 : make_room(e, r, &there);

	if (err)
		return err;
	if (there)
		return uhmm_uffd_wake(e->fds.uffd, r);
	err = fill_zeros(e, r, write);
	if (!err && !uhmm_engine_op_is_watched(e, vpn))
		learn(e, vpn);
	return err;
}

/* Pages the program is going to be asked for. */
struct request {
	struct uhmm_engine *e;
	bool write;
	unsigned int n;
	struct uhmm_range range[UHMM_ENGINE_HANDS_MAX];
};

/*
 * Kernels before 5.14: a read through mem faults a page in. For @write the
 * page may stay the zero page or a shared one; writing it through mem later
 * breaks that by itself. (Writing a byte back here would lose the program's
 * own write to it.)
 */
static int touch(const struct uhmm_engine *e, struct uhmm_range r)
{
	for (uhmm_vpn_t vpn = r.start; vpn.val < r.end.val; vpn.val++) {
		char byte;
		int64_t n = uhmm_procmem_read(e->fds.mem, uhmm_addr_of(vpn),
					      &byte, 1);

		if (n <= 0)
			return n < 0 ? (int)n : -EFAULT;
	}
	return 0;
}

static bool has_hole(struct uhmm_engine *e, struct uhmm_range r)
{
	while (r.start.val < r.end.val) {
		struct uhmm_range part = r;

		if (uhmm_engine_clip(e, &part) < 0)
			return true;
		r.start = part.end;
	}
	return false;
}

/* What a failed populate means (mm_ops.h). */
static int populate_error(const struct request *req, int err)
{
	if (err != -ENOMEM)
		return err == -ESRCH ? err : -EFAULT;
	for (unsigned int i = 0; i < req->n; i++)
		if (has_hole(req->e, req->range[i]))
			return -EFAULT;
	return -ENOMEM;
}

static int send(struct request *req)
{
	int err = 0;

	if (!req->n)
		return 0;
	if (req->e->populate)
		err = uhmm_engine_ask_hands(
			req->e,
			req->write ? UHMM_ENGINE_POPULATE_WRITE :
				     UHMM_ENGINE_POPULATE_READ,
			req->range, req->n);
	else
		for (unsigned int i = 0; i < req->n && !err; i++)
			err = touch(req->e, req->range[i]);
	if (err)
		err = populate_error(req, err);
	req->n = 0;
	return err;
}

static int ask(struct request *req, struct uhmm_range r)
{
	int err = 0;

	if (req->n && req->range[req->n - 1].end.val == r.start.val) {
		req->range[req->n - 1].end = r.end;
		return 0;
	}
	if (req->n == UHMM_ENGINE_HANDS_MAX)
		err = send(req);
	req->range[req->n++] = r;
	return err;
}

/* What a page needs. */
enum need {
	NEED_NOTHING,
	NEED_ZEROS,		/* trapped and empty */
	NEED_ZEROS_UNMARK,	/* the same with a marker */
	NEED_POPULATE,
	NEED_POPULATE_UNPROTECT,
};

static enum need need_of(const struct request *req, uhmm_vpn_t vpn, uint8_t pte)
{
	bool trapped = uhmm_trapset_has(&req->e->trapped, vpn);
	bool wp = pte & UHMM_PTE_WP;

	if (trapped && !(pte & (UHMM_PTE_PRESENT | UHMM_PTE_SWAP)))
		return wp && !req->write ? NEED_ZEROS_UNMARK : NEED_ZEROS;
	if (!req->write)
		return pte & UHMM_PTE_PRESENT ? NEED_NOTHING : NEED_POPULATE;
	return wp ? NEED_POPULATE_UNPROTECT : NEED_POPULATE;
}

/* Pages @r that all need the same. */
static int serve(struct request *req, struct uhmm_range r, enum need need)
{
	int err = 0;

	switch (need) {
	case NEED_NOTHING:
		return 0;
	case NEED_ZEROS_UNMARK:
		err = drop_markers(req->e, r);	/* -EAGAIN: not dropped */
		/* fallthrough */
	case NEED_ZEROS:
		if (!err)
			err = fill_zeros(req->e, r, req->write);
		/* not trapped after all: the kernel fills it */
		return err == -ENOENT ? ask(req, r) : err;
	case NEED_POPULATE_UNPROTECT:
		err = uhmm_engine_op_unprotect(req->e, r);
		/* fallthrough */
	case NEED_POPULATE:
		return err ? err : ask(req, r);
	default:
		abort();
	}
}

/* Has anybody had a chance to run? Each of these yields. */
static uint64_t yields(const struct uhmm_engine *e)
{
	return e->stats.hands_calls + e->stats.retries;
}

/* Serve pages @r, or the front of them: after others ran they may not be what
 * they were, and what is on its way or away must be left alone. */
static int fault_in_batch(struct request *req, struct uhmm_range r)
{
	uint64_t npages = uhmm_range_npages(r), before = yields(req->e);
	uint8_t pte[BATCH];
	uint64_t end;
	int err = uhmm_ptes_scan(&req->e->ptes, r, pte);

	for (uint64_t i = 0; i < npages && !err; i = end) {
		uhmm_vpn_t vpn = UHMM_VPN(r.start.val + i);
		enum need need = need_of(req, vpn, pte[i]);

		for (end = i + 1; end < npages; end++)
			if (need_of(req, UHMM_VPN(r.start.val + end),
				    pte[end]) != need)
				break;
		err = serve(req, uhmm_range_of(vpn, end - i), need);
		if (!err && end < npages && yields(req->e) != before)
			err = -EAGAIN;
	}
	return err;
}

int uhmm_engine_op_fault_in(void *ctx, struct uhmm_range r, bool write)
{
	struct uhmm_engine *e = ctx;
	struct request req = { .e = e, .write = write };
	struct uhmm_range rest = r, piece;
	uint64_t before = yields(e);
	int err = 0, sent;

	while (rest.start.val < rest.end.val && !err) {
		struct uhmm_range part = uhmm_range_clip(
			uhmm_range_of(rest.start, BATCH), rest);

		err = yields(e) == before ? fault_in_batch(&req, part) :
					    -EAGAIN;
		rest.start = part.end;
	}
	/* What is known to be needed is asked for all the same. */
	sent = err && err != -EAGAIN ? 0 : send(&req);
	/*
	 * A trapped page may have become empty again between the look and the
	 * populate, which then fails where the userfaultfd serves user mode
	 * only.
	 */
	if (sent == -EFAULT && e->env.user_mode_only &&
	    uhmm_trapset_next(&e->trapped, r, &piece))
		sent = -EAGAIN;
	return sent ? sent : err;
}
