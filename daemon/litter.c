/* SPDX-License-Identifier: MIT */
/* litter.c - when, and which (litter.h) */
#include "litter.h"

#include <errno.h>

#include "daemon.h"
#include "mm/page.h"
#include "session.h"

/* Pages that nobody needs, at most, before they are dropped. */
#define LITTER_MOST 512
/* The same for free device pages, of which we only know how many there are: to
 * find them costs a look at each. One in four, but not if they are few. */
#define FREE_MOST 1024
#define FREE_SHARE 4
/* How long one leaves it when it did not work. */
#define REST_NS UINT64_C(1000000000)

/* Is device page @dpfn of this program, or on its way to somebody? */
static bool lives(void *ctx, uhmm_dpfn_t dpfn)
{
	const struct session *s = ctx;
	const struct uhmm_store *store = &s->d->core.hmm.store;
	struct uhmm_mapping at;

	if (uhmm_page_state(store, dpfn) != UHMM_PAGE_MAPPED)
		return uhmm_page_state(store, dpfn) == UHMM_PAGE_ALLOCATED;
	for (uint32_t i = 0; uhmm_page_mapping(store, dpfn, i, &at); i++)
		if (at.mm == s->mm->slot)
			return true;
	return false;
}

static bool is_time(const struct session *s)
{
	uint64_t entries = uhmm_shadow_count(&s->mm->core->store, s->mm->slot);
	uint64_t free_most = entries / FREE_SHARE;

	if (free_most < FREE_MOST)
		free_most = FREE_MOST;
	return uhmm_engine_litter(s->engine) >= LITTER_MOST ||
	       uhmm_engine_held(s->engine) > entries + free_most;
}

static uint64_t amount(const struct session *s)
{
	return uhmm_engine_litter(s->engine) + uhmm_engine_held(s->engine);
}

/* Who looked meanwhile was sent away: if it went well, look again. */
static void clean(void *arg)
{
	struct session *s = arg;
	uint64_t before = amount(s);
	int err = uhmm_engine_clean(s->engine, lives, s);

	if (err && err != -ESRCH)
		co_yield_until(co_now_ns() + REST_NS);
	s->cleaning = false;
	if (!err && amount(s) < before)
		litter_look(s);
	session_put(s);
}

void litter_look(struct session *s)
{
	if (s->cleaning || !s->agent || !session_is_open(s) || !is_time(s))
		return;
	s->cleaning = true;
	session_get(s);
	if (co_spawn(&s->w->sched, clean, s)) {
		s->cleaning = false;
		session_put(s);
	}
}
