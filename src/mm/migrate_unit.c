/* SPDX-License-Identifier: MIT */
/* migrate_unit.c - a migration of one PMD-sized unit (migrate_unit.h) */
#include "mm/migrate_unit.h"

#include <string.h>

#include "mm/flight.h"
#include "mm/mm.h"
#include "mm/page.h"
#include "mm/restore.h"
#include "mm/unit.h"

#define COMPOUND ((uint64_t)UHMM_MIGRATE_PFN_COMPOUND)

bool uhmm_migrate_unit_fits(const struct uhmm_migrate_vma *args)
{
	return (args->flags & UHMM_MIGRATE_VMA_SELECT_COMPOUND) &&
	       args->mm->core->pmd_npages == UHMM_UNIT_NPAGES &&
	       uhmm_range_npages(args->range) == UHMM_UNIT_NPAGES &&
	       args->range.start.val % UHMM_UNIT_NPAGES == 0;
}

/* Of what a unit can be made, and of these, which. */
#define KIND (UHMM_PTE_PRESENT | UHMM_PTE_SWAP | UHMM_PTE_ZERO | UHMM_PTE_HUGE)

static bool is_kind(uint8_t pte)
{
	return (pte & KIND) == 0 || (pte & UHMM_PTE_HUGE);
}

void uhmm_migrate_unit_collect(struct uhmm_migrate_vma *args,
			       const uint8_t *pte)
{
	if (!uhmm_migrate_unit_fits(args) || !is_kind(pte[0]) ||
	    !(args->src[0] & UHMM_MIGRATE_PFN_MIGRATE))
		return;
	for (uint64_t i = 1; i < UHMM_UNIT_NPAGES; i++)
		if (args->src[i] != args->src[0] ||
		    (pte[i] & KIND) != (pte[0] & KIND))
			return;
	args->unit = uhmm_unit_join(&args->mm->core->store, args->mm->slot,
				    args->range.start);
}

/* Word of page @i of the unit whose first page has @first. */
static uint64_t word_of(uint64_t first, uint64_t i)
{
	first &= ~COMPOUND;
	return uhmm_migrate_pfn_is_device(first) ?
		       first + (i << UHMM_MIGRATE_PFN_SHIFT) :
		       first;
}

static void unpack(uint64_t *word)
{
	for (uint64_t i = UHMM_UNIT_NPAGES; i-- > 0;)
		word[i] = word_of(word[0], i);
}

/* @word[0] is to stand for all, if it can. */
static bool can_pack(const uint64_t *word)
{
	for (uint64_t i = 1; i < UHMM_UNIT_NPAGES; i++)
		if (word[i] != word_of(word[0], i))
			return false;
	return true;
}

static void pack(uint64_t *word)
{
	if (word[0])
		word[0] |= COMPOUND;
	memset(word + 1, 0, (UHMM_UNIT_NPAGES - 1) * sizeof(*word));
}

void uhmm_migrate_unit_pack(struct uhmm_migrate_vma *args)
{
	args->unit = args->unit && can_pack(args->src);
	if (!args->unit)
		return;
	pack(args->src);
	pack(args->dst);
}

void uhmm_migrate_unit_unpack(struct uhmm_migrate_vma *args)
{
	if (!args->unit)
		return;
	unpack(args->src);
	unpack(args->dst);
}

/* Neither the pages nor their entries are a unit any more. */
static void split(struct uhmm_migrate_vma *args)
{
	struct uhmm_mm *mm = args->mm;
	uhmm_vpn_t head;

	unpack(args->src);
	if (uhmm_migrate_unit_lands(args, &head))
		uhmm_unit_split(&mm->core->store, mm->slot, head);
	uhmm_restore_split(&args->restore);
	args->unit = false;
}

/* What a driver allocated for a unit goes to no base page. */
static void refuse(struct uhmm_migrate_vma *args, uint64_t i)
{
	struct uhmm_store *store = &args->mm->core->store;
	uint64_t mpfn = args->dst[i];

	args->src[i] &= ~(uint64_t)UHMM_MIGRATE_PFN_MIGRATE;
	args->dst[i] = 0;
	for (uint64_t k = 0; uhmm_migrate_pfn_is_device(mpfn) &&
			     k < UHMM_UNIT_NPAGES; k++)
		uhmm_page_free(store,
			       uhmm_migrate_pfn_to_dpfn(word_of(mpfn, k)));
}

void uhmm_migrate_unit_accept(struct uhmm_migrate_vma *args)
{
	uint64_t npages = uhmm_range_npages(args->range);

	if (!args->unit) {
		for (uint64_t i = 0; i < npages; i++)
			if (args->dst[i] & COMPOUND)
				refuse(args, i);
	} else if (!args->dst[0] || (args->dst[0] & COMPOUND)) {
		uhmm_migrate_unit_unpack(args);
	} else {
		split(args);
	}
}

bool uhmm_migrate_unit_lands(const struct uhmm_migrate_vma *args,
			     uhmm_vpn_t *head)
{
	const struct uhmm_core *core = args->mm->core;

	if (!args->unit || !args->flight)
		return false;
	if (head)
		head->val = uhmm_flight_at(core, args->flight)->page[0].vpn;
	return uhmm_unit_has(uhmm_flight_entry(args->mm, args->flight, 0));
}
