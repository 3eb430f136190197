/* SPDX-License-Identifier: MIT */
/*
 * remap_keeps - with EVENT_REMAP, what mremap() moves keeps its registration,
 * its write-protection and its markers; with DONTUNMAP the old place stays
 * registered too, empty. Without EVENT_REMAP all three are lost.
 */
#include "fact_uffd.h"

struct remap {
	char *from, *to;
	int flags;
};

static long remap(void *arg)
{
	struct remap *r = arg;

	size_t len = 2 * FACT_PAGE_SIZE;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | r->flags;
	void *got = mremap(r->from, len, len, flags, r->to);

	return got == r->to ? 0 : -errno;
}

/* Move a write-protected page and a marker, reading what events come. */
static struct remap moved(int uffd, int flags)
{
	struct remap r = { fact_map_registered(uffd, 2), fact_reserve(2),
			   flags };
	char *fill = fact_fill(1);
	struct uffd_msg msg;
	struct fact_thread t;

	NEED(!fact_copy(uffd, r.from, fill, 1), "copy");
	NEED(!fact_wp(uffd, r.from, 2), "write-protect");
	fact_start(&t, remap, &r);
	while (!fact_done_within(&t, 1))
		if (fact_readable(uffd, 0))
			NEED(read(uffd, &msg, sizeof(msg)) > 0, "read");
	NEED(!t.ret, "mremap");
	return r;
}

static void kept(int uffd, char *p)
{
	FACT_STATE(p, FACT_PRESENT_WP, "a move keeps the mark of a page");
	FACT_STATE(fact_page(p, 1), FACT_MARKER, "a move keeps a marker");
	FACT_IS(fact_unwp(uffd, p, 2), 0, "a move keeps the registration");
}

int main(void)
{
	struct remap r;
	int uffd;

	fact_begin();
	uffd = fact_uffd(FACT_FEATURE_EVENTS | FACT_FEATURE_WP_UNPOPULATED);
	r = moved(uffd, 0);
	kept(uffd, r.to);

	r = moved(uffd, MREMAP_DONTUNMAP);
	kept(uffd, r.to);
	FACT_STATE(r.from, FACT_HOLE, "DONTUNMAP leaves nothing behind");
	FACT_STATE(fact_page(r.from, 1), FACT_HOLE, "DONTUNMAP leaves nothing");
	FACT_IS(fact_wp(uffd, r.from, 2), 0,
		"DONTUNMAP leaves the old place registered");

	uffd = fact_uffd(FACT_FEATURE_WP_UNPOPULATED);
	r = moved(uffd, 0);
	FACT_STATE(r.to, FACT_PRESENT, "without EVENT_REMAP the mark is lost");
	FACT_STATE(fact_page(r.to, 1), FACT_HOLE,
		   "without EVENT_REMAP a marker is lost");
	FACT_IS(fact_wp(uffd, r.to, 2), -ENOENT,
		"without EVENT_REMAP the registration is lost");
	return 0;
}
