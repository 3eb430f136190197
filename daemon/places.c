/* SPDX-License-Identifier: MIT */
/* places.c - memory of a program that a policy may take (places.h) */
#include "places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "co.h"
#include "session.h"
#include "sys/pagesize.h"

/* How old the list of mappings may be. */
#define REFRESH_NS UINT64_C(100000000)
/* How long what changed is left alone. */
#define CHANGED_NS UINT64_C(1000000000)
/* A mapping counts as so many pages at most when one is chosen. */
#define NPAGES_MOST (UINT64_C(1) << 18)
/* Below a stack lies an inaccessible mapping of so many bytes at most. */
#define GUARD_BYTES_MOST (UINT64_C(1) << 20)
/* libc's arenas begin at such addresses, a guarded stack does not. */
#define ARENA_BYTES (UINT64_C(64) << 20)
/* Pages around a control block that it may be in, thread-local data before. */
#define BLOCK_BEFORE 4
#define BLOCK_AFTER 2
/* Mappings looked at between two pauses. */
#define BATCH 64

void places_init(struct places *p, struct session *s)
{
	memset(p, 0, sizeof(*p));
	p->s = s;
	uhmm_ptes_init(&p->ptes, s->fds.pagemap, s->fds.mem);
	uhmm_maps_init(&p->maps, s->fds.maps);
	p->pid = uhmm_threads_pid(s->fds.pidfd);
}

void places_fini(struct places *p)
{
	free(p->map);
	free(p->kept);
	uhmm_threads_fini(&p->threads);
}

/* ---- mappings ---- */

static int add(struct uhmm_range **list, unsigned int *n, unsigned int *room,
	       struct uhmm_range r)
{
	if (*n == *room) {
		unsigned int more = *room ? 2 * *room : 64;
		struct uhmm_range *new = realloc(*list, more * sizeof(*new));

		if (!new)
			return -ENOMEM;
		*list = new;
		*room = more;
	}
	(*list)[(*n)++] = r;
	return 0;
}

static bool is_guard(const struct uhmm_vma *vma)
{
	return !vma->read && !vma->write && vma->anon && !vma->shared &&
	       uhmm_bytes_of(uhmm_range_npages(vma->range)) <=
		       GUARD_BYTES_MOST;
}

/* Does @vma, right above @below, look like the stack of a thread? */
static bool is_stack(const struct uhmm_vma *vma, const struct uhmm_vma *below)
{
	return vma->stack ||
	       (below->range.end.val == vma->range.start.val &&
		is_guard(below) &&
		uhmm_addr_of(vma->range.start) % ARENA_BYTES);
}

static bool is_candidate(const struct places *p, const struct uhmm_vma *vma,
			 const struct uhmm_vma *below)
{
	return vma->read && vma->write && !vma->exec && vma->anon &&
	       !vma->shared && !vma->hugetlb && !vma->special &&
	       !is_stack(vma, below) &&
	       !uhmm_range_overlaps(vma->range, p->s->own) &&
	       !(p->s->engine && uhmm_engine_owns(p->s->engine, vma->range));
}

static uint64_t weight(struct uhmm_range r)
{
	uint64_t n = uhmm_range_npages(r);

	return n < NPAGES_MOST ? n : NPAGES_MOST;
}

/* Return: 0 the list is new; or -errno */
static int refresh(struct places *p)
{
	struct uhmm_vma vma, below = { .read = true };
	uhmm_vpn_t at = UHMM_VPN(0);
	int err = 0;

	p->nmaps = 0;
	p->npages = 0;
	for (unsigned int i = 1; !err; i++) {
		if (p->s->mm->gone)
			return -ESRCH;
		err = uhmm_maps_find(&p->maps, at, &vma);
		if (!err && is_candidate(p, &vma, &below)) {
			err = add(&p->map, &p->nmaps, &p->room, vma.range);
			p->npages += weight(vma.range);
		}
		at = vma.range.end;
		below = vma;
		if (i % BATCH == 0)
			co_pause();
	}
	p->refreshed_ns = co_now_ns();
	return err == -ENOENT ? 0 : err;
}

struct uhmm_range places_at(const struct places *p, uint64_t at)
{
	for (unsigned int i = 0; i < p->nmaps; i++) {
		if (at < weight(p->map[i]))
			return p->map[i];
		at -= weight(p->map[i]);
	}
	return uhmm_range_of(UHMM_VPN(0), 0);
}

/* ---- threads ---- */

/* What of the candidate that holds the block is the thread's: all below it,
 * but for the first thread, whose block is somewhere among other things. */
static int keep_block(struct places *p, const struct uhmm_thread *t)
{
	uhmm_vpn_t at = uhmm_vpn_of(t->block);
	struct uhmm_range r = { UHMM_VPN(at.val - BLOCK_BEFORE),
				UHMM_VPN(at.val + BLOCK_AFTER) };

	if (!t->block || at.val <= BLOCK_BEFORE)
		return 0;
	for (unsigned int i = 0; i < p->nmaps; i++)
		if (uhmm_range_has(p->map[i], at) && t->tid != (uint32_t)p->pid)
			r.start = p->map[i].start;
	return add(&p->kept, &p->nkept, &p->kept_room, r);
}

int places_threads(struct places *p)
{
	int err = p->pid > 0 ? uhmm_threads_list(&p->threads, p->pid) : -EPERM;

	p->nkept = 0;
	for (unsigned int i = 0; !err && i < p->threads.n; i++)
		err = keep_block(p, &p->threads.thread[i]);
	return err == -EACCES ? -EPERM : err;
}

int places_look(struct places *p)
{
	int err = 0;

	if (!p->refreshed_ns || co_now_ns() - p->refreshed_ns > REFRESH_NS)
		err = refresh(p);
	return err ? err : places_threads(p);
}

/* ---- changes ---- */

void places_changed(struct places *p, struct uhmm_range r)
{
	uint64_t now = co_now_ns();
	unsigned int i = p->last_change;

	if (p->change[i].until_ns > now && p->change[i].range.end.val &&
	    uhmm_range_overlaps(p->change[i].range, r)) {
		/* often the same again and again */
		if (r.start.val < p->change[i].range.start.val)
			p->change[i].range.start = r.start;
		if (r.end.val > p->change[i].range.end.val)
			p->change[i].range.end = r.end;
		p->change[i].until_ns = now + CHANGED_NS;
		return;
	}
	i = (i + 1) % PLACES_CHANGES;
	if (p->change[i].until_ns > now)
		p->blind_until_ns = p->change[i].until_ns;
	p->change[i].range = r;
	p->change[i].until_ns = now + CHANGED_NS;
	p->last_change = i;
}

/* ---- choice ---- */

/* What of @run lies in @out goes, from its front if need be. */
static void cut(struct uhmm_range *run, struct uhmm_range out)
{
	if (!uhmm_range_overlaps(*run, out))
		return;
	if (out.start.val > run->start.val)
		run->end = out.start;
	else
		run->start = out.end.val < run->end.val ? out.end : run->end;
}

/* Take out of @run what must not be taken; from its front if need be. */
static void cut_all(const struct places *p, struct uhmm_range *run)
{
	uint64_t now = co_now_ns();

	for (unsigned int i = 0; i < p->nkept; i++)
		cut(run, p->kept[i]);
	for (unsigned int i = 0; i < PLACES_CHANGES; i++)
		if (p->change[i].until_ns > now)
			cut(run, p->change[i].range);
}

int places_next(struct places *p, struct uhmm_range r, uint64_t max,
		struct uhmm_range *run)
{
	if (co_now_ns() < p->blind_until_ns)
		return -ENOENT;
	while (r.start.val < r.end.val) {
		uhmm_vpn_t end;
		int err = uhmm_ptes_next(&p->ptes, r, max, run);

		if (err)
			return err;
		end = run->end;
		cut_all(p, run);
		if (uhmm_range_npages(*run))
			return 0;
		r.start = end;
	}
	return -ENOENT;
}

bool places_allow(const struct places *p, struct uhmm_range r)
{
	struct uhmm_range run = r;

	cut_all(p, &run);
	return co_now_ns() >= p->blind_until_ns &&
	       uhmm_range_npages(run) == uhmm_range_npages(r);
}
