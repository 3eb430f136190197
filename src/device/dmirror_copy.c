/* SPDX-License-Identifier: MIT */
/* dmirror_copy.c - bytes between pages and the caller's buffer (dmirror.h)
 *
 * Two ways. The caller's own thread copies long runs of pages, when it can
 * reach them: ordinary pages of its own, and device pages that its window holds.
 * Everything else goes by way of a buffer here, piece by piece, for what a CPU
 * has in its cache costs half.
 *
 * While the caller copies others run. A page that left meanwhile was copied
 * from where it is not any more, so what is read is read again unless the
 * mirror still knows all that it knew. What the caller writes it writes to its
 * own memory, as any thread of it may: that is right wherever the page is.
 */
#include <errno.h>

#include "device/dmirror.h"

/* Pages by way of the buffer at once. */
#define PIECE_NPAGES 128
/* To ask the caller to copy fewer costs more than to do it. */
#define ASK_NPAGES 32
/* What it copies before others get their turn at its mappings. */
#define ASK_NPAGES_MOST 4096

/** What one copy goes by. */
struct copy {
	struct dmirror_call *call;
	bool write;		/* to the pages */
	bool ask;		/* may the caller be asked? */
	unsigned char *buf;	/* PIECE_NPAGES pages */
};

/** Pages of one kind, one behind the other. */
struct run {
	uhmm_vpn_t vpn;
	uint64_t npages;
	bool device;
	uhmm_dpfn_t dpfn;	/* of device pages */
};

static bool has_entry(const struct copy *c, uhmm_vpn_t vpn)
{
	return uhmm_dmirror_has(c->call->mirror, vpn, c->write);
}

/* Does page @i behind the start of @run go on with it? */
static bool goes_on(const struct copy *c, const struct run *run, uint64_t i)
{
	uhmm_vpn_t vpn = UHMM_VPN(run->vpn.val + i);
	uhmm_dpfn_t dpfn;

	if (!has_entry(c, vpn) ||
	    uhmm_dmirror_is_own(c->call->mirror, vpn, &dpfn) != run->device)
		return false;
	return !run->device || dpfn.val == run->dpfn.val + i;
}

/* The run at the start of @r, no longer than what is done with it at once.
 * Return: false: its first page has no entry */
static bool find_run(const struct copy *c, struct uhmm_range r, struct run *run)
{
	uint64_t most = c->ask ? ASK_NPAGES_MOST : PIECE_NPAGES;

	if (most > uhmm_range_npages(r))
		most = uhmm_range_npages(r);
	if (!most || !has_entry(c, r.start))
		return false;
	*run = (struct run){ .vpn = r.start, .npages = 1 };
	run->device =
		uhmm_dmirror_is_own(c->call->mirror, r.start, &run->dpfn);
	while (run->npages < most && goes_on(c, run, run->npages))
		run->npages++;
	return true;
}

static uint64_t bytes_of(const struct copy *c, uint64_t npages)
{
	return npages * uhmm_core_page_bytes(c->call->mirror->dev->core);
}

static uint64_t call_bytes(const struct dmirror_call *call)
{
	return uhmm_range_npages(call->range) *
	       uhmm_core_page_bytes(call->mirror->dev->core);
}

/* Where the bytes of @vpn are in the caller's buffer. */
static uint64_t offset_of(const struct copy *c, uhmm_vpn_t vpn)
{
	return bytes_of(c, vpn.val - c->call->range.start.val);
}

/* ---- by the caller ---- */

static uint64_t ask_caller(const struct copy *c, const struct run *run)
{
	const struct dmirror_call *call = c->call;
	struct uhmm_user *user = call->user;
	uint64_t addr = call->cmd.ptr + offset_of(c, run->vpn);

	if (run->device)
		return user->copy_device && !c->write ?
			       user->copy_device(user, addr, run->dpfn,
						 run->npages) :
			       0;
	return user->copy_pages && user->mm == call->mirror->mm ?
		       user->copy_pages(user, addr, run->vpn, run->npages,
					c->write) :
		       0;
}

/* Return: pages done; 0: it is to be done here, and others may have run */
static uint64_t by_caller(struct copy *c, const struct run *run)
{
	const struct dmirror *m = c->call->mirror;
	uint64_t changes = m->changes, done = ask_caller(c, run);

	if (!c->write && m->changes != changes)
		done = 0;
	c->ask = done == run->npages;	/* not twice in vain */
	return done;
}

/* ---- by way of the buffer ---- */

/* Pages of @run to @buf, or from it. Return: pages; -ESRCH */
static int64_t move_pages(const struct copy *c, const struct run *run,
			  unsigned char *buf)
{
	struct uhmm_mm *mm = c->call->mirror->mm;
	struct uhmm_core *core = c->call->mirror->dev->core;

	if (!run->device)
		return c->write ?
			       uhmm_mm_write(mm, run->vpn, run->npages, buf) :
			       uhmm_mm_read(mm, run->vpn, run->npages, buf);
	return (int64_t)(c->write ?
				 uhmm_device_private_write(core, run->dpfn,
							   run->npages, buf) :
				 uhmm_device_private_read(core, run->dpfn,
							  run->npages, buf));
}

/* What the pages of @run are to hold; others run meanwhile. 0; -EFAULT */
static int fetch(const struct copy *c, struct run *run)
{
	const struct dmirror_call *call = c->call;
	struct run now = { .npages = 0 };
	int err = call->user->copy_from(call->user, c->buf,
					call->cmd.ptr + offset_of(c, run->vpn),
					bytes_of(c, run->npages));

	if (!find_run(c, uhmm_range_of(run->vpn, run->npages), &now))
		now.vpn = run->vpn;
	*run = now;
	return err;
}

/* Return: pages done; 0: the first is gone; -EFAULT; -ESRCH */
static int64_t by_buffer(const struct copy *c, struct run *run)
{
	const struct dmirror_call *call = c->call;
	uint64_t at = offset_of(c, run->vpn);
	unsigned char *buf = call->data ? call->data + at : c->buf;
	int64_t done;

	if (!call->data && c->write && fetch(c, run))
		return -EFAULT;
	done = run->npages ? move_pages(c, run, buf) : 0;
	if (done == 0)
		uhmm_dmirror_forget(call->mirror, uhmm_range_of(run->vpn, 1));
	if (done > 0 && !call->data && !c->write &&
	    call->user->copy_to(call->user, call->cmd.ptr + at, buf,
				bytes_of(c, (uint64_t)done)))
		return -EFAULT;
	return done;
}

/* ---- all of it ---- */

static int64_t copy_some(struct copy *c, struct run *run)
{
	uint64_t done;

	if (!c->ask || run->npages < ASK_NPAGES)
		return by_buffer(c, run);
	done = by_caller(c, run);
	if (done)
		return (int64_t)done;
	return find_run(c, uhmm_range_of(run->vpn, run->npages), run) ?
		       by_buffer(c, run) :
		       0;
}

int64_t uhmm_dmirror_copy(struct dmirror_call *call, struct uhmm_range r,
			  bool write)
{
	struct copy c = {
		.call = call,
		.write = write,
		.ask = !call->data,
		.buf = uhmm_dmirror_bounce(call, PIECE_NPAGES),
	};
	uhmm_vpn_t start = r.start;
	int64_t done = 1;
	struct run run;

	if (!c.buf)
		return -ENOMEM;
	while (done > 0 && find_run(&c, r, &run)) {
		done = copy_some(&c, &run);
		r.start.val += done > 0 ? (uint64_t)done : 0;
	}
	uhmm_dmirror_unbounce(call, c.buf, PIECE_NPAGES);
	return done < 0 ? done : (int64_t)(r.start.val - start.val);
}

/* ---- first and last ---- */

/* Bytes [@addr, @end) of the caller, who is of the mirror's mm: can it read them
 * whenever it likes? What is of a file may be missing there. */
static bool is_plain(struct uhmm_mm *mm, uint64_t addr, uint64_t end,
		     uint64_t page)
{
	struct uhmm_vma vma;

	for (; addr < end; addr = vma.range.end.val * page)
		if (uhmm_find_vma(mm, UHMM_VPN(addr / page), &vma) ||
		    vma.range.start.val > addr / page || !vma.read ||
		    !vma.anon || vma.shared || vma.special || vma.by_fence)
			return false;
	return true;
}

/* Can pages and the caller's buffer do without one between them? */
static bool can_be_direct(const struct dmirror_call *call, bool write)
{
	struct uhmm_mm *mm = call->mirror->mm;
	uint64_t page = uhmm_core_page_bytes(call->mirror->dev->core);
	uint64_t npages = uhmm_range_npages(call->range);
	uint64_t addr = call->cmd.ptr, end = addr + npages * page;

	if (call->user->mm != mm)
		return !write;
	if (end < addr ||
	    uhmm_range_overlaps(call->range,
				(struct uhmm_range){ UHMM_VPN(addr / page),
						     UHMM_VPN((end + page - 1) / page) }))
		return false;
	return !write || (npages >= ASK_NPAGES && call->user->copy_pages &&
			  is_plain(mm, addr, end, page));
}

int uhmm_dmirror_copy_begin(struct dmirror_call *call, bool write)
{
	uint64_t npages = uhmm_range_npages(call->range);

	if (!uhmm_dmirror_fits(npages))
		return -ENOMEM;
	if (can_be_direct(call, write))
		return 0;
	call->data = uhmm_dmirror_bounce(call, npages);
	if (!call->data)
		return -ENOMEM;
	return write && call->user->copy_from(call->user, call->data,
					      call->cmd.ptr,
					      call_bytes(call)) ?
		       uhmm_dmirror_copy_end(call, write, -EFAULT) :
		       0;
}

int uhmm_dmirror_copy_end(struct dmirror_call *call, bool write, int err)
{
	if (!call->data)
		return err;
	if (!err && !write &&
	    call->user->copy_to(call->user, call->cmd.ptr, call->data,
				call_bytes(call)))
		err = -EFAULT;
	uhmm_dmirror_unbounce(call, call->data, uhmm_range_npages(call->range));
	call->data = NULL;
	return err;
}
