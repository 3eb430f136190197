/* SPDX-License-Identifier: MIT */
/* remap.c - mremap of several mappings that are one to the program (remap.h) */
#include "remap.h"

#include "device.h"
#include "libc.h"

#define TO_PLACE (MREMAP_MAYMOVE | MREMAP_FIXED)

/** A call, and how much of it is done. */
struct remap {
	char *old, *to;
	size_t old_bytes, new_bytes;
	int flags;
	size_t done;		/* bytes at @old that were dealt with */
	size_t part;		/* bytes behind those that are one mapping */
};

/* ---- what the kernel would say to all of it at once ---- */

/* Does it say EINVAL, or do something that is not for parts? */
static bool is_plain(const struct remap *m, bool fixed)
{
	const int known = TO_PLACE | MREMAP_DONTUNMAP;

	if (!m->new_bytes || (m->flags & ~known) ||
	    ((m->flags & ~MREMAP_MAYMOVE) && !(m->flags & MREMAP_MAYMOVE)) ||
	    ((m->flags & MREMAP_DONTUNMAP) && m->new_bytes != m->old_bytes))
		return true;
	if (!fixed)	/* a shorter one stays where it is */
		return !(m->flags & MREMAP_DONTUNMAP) &&
		       m->new_bytes <= m->old_bytes;
	return (uintptr_t)m->to % getauxval(AT_PAGESZ) ||
	       (uintptr_t)m->to + m->new_bytes < (uintptr_t)m->to ||
	       (m->to < m->old + m->old_bytes && m->old < m->to + m->new_bytes);
}

/* ---- parts ---- */

static bool is_last(const struct remap *m)
{
	return m->done + m->part >= m->old_bytes;
}

/* The next part. The rest is one mapping if nobody says otherwise. */
static void next(struct remap *m)
{
	size_t rest;

	m->done += m->part;
	rest = m->old_bytes - m->done;
	m->part = rest ? uhmm_device_before_remap(m->old + m->done, rest) : 0;
	if (!m->part)
		m->part = rest;
}

/* What has moved goes back; what cannot stays where it is. */
static void take_back(const struct remap *m)
{
	struct remap back = { .old = m->to, .to = m->old,
			      .old_bytes = m->done };
	const int saved = errno;

	for (next(&back); back.part; next(&back))
		if (libc_mremap(back.old + back.done, back.part, back.part,
				TO_PLACE, back.to + back.done) == MAP_FAILED)
			break;
	errno = saved;
}

/* To where it shall be; the last part becomes longer if all does. */
static void *move(struct remap *m)
{
	for (; m->part; next(m)) {
		size_t bytes = is_last(m) ? m->new_bytes - m->done : m->part;

		if (libc_mremap(m->old + m->done, m->part, bytes,
				m->flags | TO_PLACE,
				m->to + m->done) == MAP_FAILED) {
			take_back(m);
			return MAP_FAILED;
		}
	}
	return m->to;
}

static void *move_to(struct remap *m)
{
	if (m->new_bytes < m->old_bytes) {
		if (libc_munmap(m->old + m->new_bytes,
				m->old_bytes - m->new_bytes) < 0)
			return MAP_FAILED;
		m->old_bytes = m->new_bytes;
		if (m->part > m->old_bytes)
			m->part = m->old_bytes;
	}
	return move(m);
}

/* To a place that the kernel chooses. */
static void *move_away(struct remap *m)
{
	m->to = libc_mmap(NULL, m->new_bytes, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->to == MAP_FAILED || move(m) != MAP_FAILED)
		return m->to;
	(void)uhmm_sys2(SYS_munmap, uhmm_ptr(m->to), (long)m->new_bytes);
	return MAP_FAILED;
}

/* Where it is, if there is room behind it. */
static void *grow(struct remap *m)
{
	const struct remap start = *m;
	const int saved = errno;

	while (!is_last(m))
		next(m);
	if (libc_mremap(m->old + m->done, m->part, m->new_bytes - m->done,
			0, NULL) != MAP_FAILED)
		return m->old;
	if (errno != ENOMEM || !(m->flags & MREMAP_MAYMOVE))
		return MAP_FAILED;
	errno = saved;
	*m = start;
	return move_away(m);
}

void *uhmm_remap(char *old, size_t old_bytes, size_t new_bytes, int flags,
		 char *to, size_t part)
{
	const size_t page = getauxval(AT_PAGESZ);
	struct remap m = {
		.old = old,
		.to = to,
		.old_bytes = (old_bytes + page - 1) & -page,
		.new_bytes = (new_bytes + page - 1) & -page,
		.flags = flags,
		.part = part,
	};

	if (is_plain(&m, flags & MREMAP_FIXED))
		return libc_mremap(old, old_bytes, new_bytes, flags, to);
	if (flags & MREMAP_FIXED)
		return move_to(&m);
	return flags & MREMAP_DONTUNMAP ? move_away(&m) : grow(&m);
}
