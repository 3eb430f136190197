/* SPDX-License-Identifier: MIT */
/* uaccess.c - buffers of the process that made a call (uaccess.h) */
#include "uaccess.h"

#include <errno.h>

#include <uhmm/cpu_fault.h>

#include "hands.h"
#include "session.h"
#include "sys/pagesize.h"
#include "sys/procmem.h"

/* Bytes moved in one system call. */
#define CHUNK_BYTES (UINT64_C(1) << 20)
/* Fewer are not worth dropping the lock for. */
#define SMALL_BYTES 16384
/* A page that is brought back again and again for so long and is never there is
 * not ours. (A busy program may take one away as often as it comes: 64 threads
 * that do nothing else, on two busy CPUs, for more than a second.) */
#define STUCK_NS UINT64_C(10000000000)

/** One copy: where it is and what it wants. */
struct copy {
	struct session *s;
	uint64_t addr;		/* of the program */
	uint64_t bytes;		/* left */
	unsigned char *buf;
	bool to_user;
	struct uhmm_vma vma;	/* one looked at last */
};

/* May the program itself do this at c->addr? Bytes it may, or -errno. */
static int64_t allowed(struct copy *c)
{
	struct uhmm_mm *mm = c->s->mm;
	uhmm_vpn_t vpn = uhmm_vpn_of(c->addr);
	uint64_t end;
	int err;

	if (mm->gone)
		return -ESRCH;
	err = mm->ops->vma_find(mm->ops_ctx, vpn, &c->vma);
	if (err)
		return err;
	if (!uhmm_range_has(c->vma.range, vpn) || c->vma.pfnmap ||
	    !(c->to_user ? c->vma.write : c->vma.read))
		return -EFAULT;
	end = uhmm_addr_of(c->vma.range.end);
	if (c->vma.fenced)
		end = uhmm_addr_of(UHMM_VPN(vpn.val + 1));
	return (int64_t)(end - c->addr < c->bytes ? end - c->addr : c->bytes);
}

/* As much as goes without waiting. Return: bytes; -ESRCH */
static int64_t transfer(struct copy *c, uint64_t bytes)
{
	int64_t n;
	/* what becomes a fence meanwhile would look like a hole */
	bool outside = bytes > SMALL_BYTES && !c->vma.by_fence;

	if (bytes > CHUNK_BYTES)
		bytes = CHUNK_BYTES;
	if (outside)
		session_unlock(c->s);
	n = c->to_user ?
		    uhmm_procmem_write(c->s->fds.mem, c->addr, c->buf, bytes) :
		    uhmm_procmem_read(c->s->fds.mem, c->addr, c->buf, bytes);
	if (outside)
		session_lock(c->s);
	return n;
}

/* Would the page at c->addr have stopped the CPU, but does not stop us? */
static bool is_fenced(const struct copy *c)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(c->s->mm, uhmm_vpn_of(c->addr));

	return c->vma.fenced &&
	       (c->to_user || uhmm_softleaf_is_migration(leaf) ||
		uhmm_softleaf_is_away(leaf));
}

/* The page at c->addr stopped us: do what its owner's touch would do. */
static int bring(struct copy *c)
{
	struct uhmm_mm *mm = c->s->mm;
	uhmm_vpn_t vpn = uhmm_vpn_of(c->addr);
	int err;

	if (c->vma.fenced || !uhmm_softleaf_is_none(uhmm_mm_leaf(mm, vpn)))
		return uhmm_cpu_fault(mm, vpn, c->to_user);
	err = mm->ops->fault_in(mm->ops_ctx, uhmm_range_of(vpn, 1),
				c->to_user);
	return err == -EAGAIN ? 0 : err;
}

static int copy_all(struct copy *c)
{
	uint64_t stuck_ns = 0;	/* since then */
	int64_t n;

	while (c->bytes) {
		n = allowed(c);
		if (n >= 0)
			n = is_fenced(c) ? 0 : transfer(c, (uint64_t)n);
		if (n < 0)
			return -EFAULT;
		if (n || !stuck_ns)
			stuck_ns = co_now_ns();
		c->addr += (uint64_t)n;
		c->buf += n;
		c->bytes -= (uint64_t)n;
		if (!n && (co_now_ns() - stuck_ns > STUCK_NS || bring(c)))
			return -EFAULT;
	}
	return 0;
}

static struct session *session_of(struct uhmm_user *user)
{
	return UHMM_CONTAINER_OF(user, struct uaccess, user)->s;
}

static int copy_from(struct uhmm_user *user, void *to, uint64_t addr,
		     uint64_t bytes)
{
	struct copy c = { .s = session_of(user), .addr = addr, .bytes = bytes,
			  .buf = to };

	if (addr + bytes < addr)
		return -EFAULT;
	return copy_all(&c);
}

static int copy_to(struct uhmm_user *user, uint64_t addr, const void *from,
		   uint64_t bytes)
{
	struct copy c = { .s = session_of(user), .addr = addr, .bytes = bytes,
			  .buf = (unsigned char *)(uintptr_t)from,
			  .to_user = true };

	if (addr + bytes < addr)
		return -EFAULT;
	return copy_all(&c);
}

/* ---- by the caller's own thread ---- */

/* Is what happens to each of these pages told? Then the caller does not stop for
 * anybody but us there. */
static bool is_told(const struct uhmm_mm *mm, struct uhmm_range r)
{
	struct uhmm_range piece;

	while (uhmm_range_npages(r) &&
	       mm->ops->next_watched(mm->ops_ctx, r, &piece) &&
	       piece.start.val == r.start.val)
		r.start = piece.end;
	return !uhmm_range_npages(r);
}

static uint64_t copy_pages(struct uhmm_user *user, uint64_t addr,
			   uhmm_vpn_t vpn, uint64_t npages, bool write)
{
	struct session *s = session_of(user);
	uint64_t at = uhmm_addr_of(vpn);

	if (addr + uhmm_bytes_of(npages) < addr || s->mm->gone ||
	    !is_told(s->mm, uhmm_range_of(vpn, npages)))
		return 0;
	return write ? hands_copy(s, addr, at, npages) :
		       hands_copy(s, at, addr, npages);
}

static uint64_t copy_device(struct uhmm_user *user, uint64_t addr,
			    uhmm_dpfn_t dpfn, uint64_t npages)
{
	struct session *s = session_of(user);
	uhmm_vpn_t place;
	uint64_t n = uhmm_engine_in_window(s->engine, dpfn, npages, &place);

	if (!n || addr + uhmm_bytes_of(n) < addr)
		return 0;
	n = hands_copy(s, uhmm_addr_of(place), addr, n);
	/* what left the window meanwhile was not copied */
	return n ? uhmm_engine_in_window(s->engine, dpfn, n, &place) : 0;
}

void uaccess_init(struct uaccess *ua, struct session *s)
{
	ua->user.mm = s->mm;
	ua->user.copy_from = copy_from;
	ua->user.copy_to = copy_to;
	ua->user.copy_pages = copy_pages;
	ua->user.copy_device = copy_device;
	ua->s = s;
}
