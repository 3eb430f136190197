/* SPDX-License-Identifier: MIT */
/* test_repair.c - src/mm/repair.c: kill the owner of a store, many times */
#include "mm/repair.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mm/check.h"
#include "mm/dpfn.h"
#include "mm/page_word.h"
#include "mm/shadow.h"
#include "unit.h"

#define NVPNS 3000
#define NMMS 3
#define HELD 3			/* a page that a flight holds, so to say */

static const struct uhmm_store_limits small = {
	.dpfns = 1 << 14,
	.objects = { 60, 4000, NMMS, 4, 2 },
};

static const uint8_t owner[16];

static void setup(struct uhmm_store *store)
{
	size_t bytes = uhmm_store_bytes(&small);
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(mem, MAP_FAILED);
	ck_assert_int_eq(uhmm_store_format(store, mem, bytes, &small), 0);
	ck_assert_int_eq(uhmm_dpfn_reserve(store, 2000, owner, 1), 1);
	for (uint32_t slot = 1; slot <= NMMS; slot++)
		ck_assert_uint_eq(uhmm_slab_alloc(store, UHMM_SLAB_MM), slot);
}

/* What the owner does: share a page of another mm, or begin a new one. */
static void fill(struct uhmm_store *store, uint32_t slot, uhmm_vpn_t vpn)
{
	uhmm_softleaf_t leaf = uhmm_shadow_get(store, slot % NMMS + 1, vpn);
	uhmm_dpfn_t dpfn;

	if (uhmm_softleaf_has_dpfn(leaf)) {
		if (uhmm_shadow_set(store, slot, vpn, leaf))
			return;
	} else if (!uhmm_page_alloc(store, 1, 0, &dpfn)) {
		leaf = uhmm_softleaf_from_dpfn(dpfn, true);
		if (uhmm_shadow_set(store, slot, vpn, leaf))
			uhmm_page_free(store, dpfn);
	}
}

static void churn_range(struct uhmm_store *store)
{
	int64_t range = uhmm_dpfn_reserve(store, 600, owner, 1);

	if (range > 0 && uhmm_dpfn_release(store, (uint32_t)range))
		abort();
}

/* A life of changes, until it is killed. */
static void live(struct uhmm_store *store, struct unit_random r)
{
	for (;;) {
		uint32_t slot = 1 + (uint32_t)unit_below(&r, NMMS);
		uhmm_vpn_t vpn = UHMM_VPN(unit_below(&r, NVPNS));

		if (unit_below(&r, 20) == 0)
			churn_range(store);
		else if (uhmm_softleaf_is_none(
				 uhmm_shadow_get(store, slot, vpn)))
			fill(store, slot, vpn);
		else
			uhmm_shadow_clear(store, slot, vpn);
	}
}

static void live_and_die(struct uhmm_store *store, struct unit_random *r)
{
	struct timespec life = {
		.tv_nsec = 200000 + (long)unit_below(r, 2000000),
	};
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	r->state += 12345;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		live(store, *r);
	}
	nanosleep(&life, NULL);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* All leaves of a store as one number. */
static uint64_t digest(const struct uhmm_store *store)
{
	uint64_t sum = 0;

	for (uint32_t slot = 1; slot <= NMMS; slot++) {
		uhmm_vpn_t vpn = UHMM_VPN(0);
		uhmm_softleaf_t leaf;

		for (; uhmm_shadow_next(store, slot, &vpn,
					UHMM_VPN(UINT64_MAX), &leaf);
		     vpn.val++)
			sum = (sum ^ leaf.val ^ vpn.val ^ slot) *
			      UINT64_C(0x100000001b3);
	}
	return sum;
}

static void must_check(const struct uhmm_store *store, uint64_t unmapped)
{
	uint64_t got = 0;
	char why[160];

	if (uhmm_store_check(store, &got, why, sizeof(why)))
		ck_abort_msg("%s", why);
	ck_assert_uint_eq(got, unmapped);
}

/* The owner may have died while it had one. */
static void release_second_range(struct uhmm_store *store)
{
	uint32_t second = uhmm_slab_next(store, UHMM_SLAB_RANGE, 1);

	if (second)
		ck_assert_int_eq(uhmm_dpfn_release(store, second), 0);
	ck_assert_uint_eq(uhmm_slab_used(store, UHMM_SLAB_RANGE), 1);
}

START_TEST(test_store_repair_after_kill)
{
	struct unit_random r = unit_random(1);
	struct uhmm_store store, next;
	uint64_t before;
	int wrong = 0;

	setup(&store);
	for (int round = 0; round < 100; round++) {
		char why[160];

		live_and_die(&store, &r);
		before = digest(&store);
		ck_assert_int_eq(uhmm_store_attach(&next, store.base,
						   store.bytes), 0);
		wrong += uhmm_store_check(&next, &(uint64_t){ 0 }, why,
					  sizeof(why)) != 0;
		ck_assert_int_eq(uhmm_store_repair(&next, NULL, NULL), 0);
		must_check(&next, 0);
		ck_assert_uint_eq(digest(&next), before);
		release_second_range(&next);
	}
	printf("%d of 100 stores were in need of repair\n", wrong);
	for (uint32_t slot = 1; slot <= NMMS; slot++)
		uhmm_shadow_fini(&store, slot);
	must_check(&store, 0);
	ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_NODE), 0);
	unit_store_fini(&store);
}
END_TEST

static bool is_held(void *ctx, uhmm_dpfn_t dpfn)
{
	return dpfn.val == *(const uint64_t *)ctx;
}

START_TEST(test_store_repair_keeps_what_is_held)
{
	struct uhmm_store store;
	uhmm_dpfn_t dpfn[5];

	setup(&store);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(uhmm_page_alloc(&store, 1, 0, &dpfn[i]), 0);
	ck_assert_int_eq(uhmm_store_repair(&store, is_held, &dpfn[HELD].val),
			 0);
	must_check(&store, 1);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(uhmm_page_state(&store, dpfn[i]),
				 i == HELD ? UHMM_PAGE_ALLOCATED :
					     UHMM_PAGE_FREE);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_store_repair_is_no_change_of_a_sound_store)
{
	struct unit_random r = unit_random(2);
	struct uhmm_store store;
	uint64_t metadata_bytes, before;

	setup(&store);
	for (int i = 0; i < 5000; i++)
		fill(&store, 1 + (uint32_t)unit_below(&r, NMMS),
		     UHMM_VPN(unit_below(&r, NVPNS)));
	before = digest(&store);
	metadata_bytes = uhmm_store_metadata_bytes(&store);
	ck_assert_int_eq(uhmm_store_repair(&store, NULL, NULL), 0);
	must_check(&store, 0);
	ck_assert_uint_eq(digest(&store), before);
	ck_assert_uint_eq(uhmm_store_metadata_bytes(&store), metadata_bytes);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_store_repair_refuses_a_leaf_of_a_free_page)
{
	struct uhmm_store store;
	uhmm_dpfn_t dpfn;

	setup(&store);
	ck_assert_int_eq(uhmm_page_alloc(&store, 1, 0, &dpfn), 0);
	ck_assert_int_eq(uhmm_shadow_set(&store, 1, UHMM_VPN(1),
					 uhmm_softleaf_from_dpfn(dpfn, true)),
			 0);
	*uhmm_page_word_at(&store, dpfn) = 0;
	ck_assert_int_eq(uhmm_store_repair(&store, NULL, NULL), -EUCLEAN);
	unit_store_fini(&store);
}
END_TEST

UNIT_MAIN("repair", UNIT_TEST(test_store_repair_after_kill),
	  UNIT_TEST(test_store_repair_keeps_what_is_held),
	  UNIT_TEST(test_store_repair_is_no_change_of_a_sound_store),
	  UNIT_TEST(test_store_repair_refuses_a_leaf_of_a_free_page))
