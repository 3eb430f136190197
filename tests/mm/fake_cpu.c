/* SPDX-License-Identifier: MIT */
/* fake_cpu.c - a CPU that touches pages of a program (fake_mm.h) */
#include <errno.h>
#include <string.h>

#include <uhmm/cpu_fault.h>

#include "fake_mm.h"

/* A CPU that faults so often at one page will never get through. */
#define TRIES 1000

static bool is_allowed(const struct fake_pte *pte, bool write)
{
	const struct fake_kind *kind = &pte->kind;

	if (!pte->mapped || !(write ? kind->write : kind->read))
		return false;
	return !kind->file_npages || pte->offset < kind->file_npages;
}

/* What the kernel does at an empty entry that nobody trapped. */
static void fill(struct fake_pte *pte, bool write)
{
	if (pte->file)
		fake_hold(pte, pte->file->page[pte->offset],
			  UHMM_PTE_PRESENT | UHMM_PTE_FILE);
	else if (write)
		fake_hold(pte, fake_page_new(NULL), UHMM_PTE_PRESENT);
	else
		fake_hold(pte, NULL, UHMM_PTE_PRESENT | UHMM_PTE_ZERO);
}

/* The CPU stops; src/mm lets it go on. */
static int stop(struct fake_mm *m, uint64_t vpn, bool write)
{
	struct uhmm_mm *mm = m->mm;
	int err;

	uhmm_mm_get(mm);
	err = uhmm_cpu_fault(mm, UHMM_VPN(vpn), write);
	uhmm_mm_put(mm);
	unit_expect(err == 0 || err == -ESRCH);
	return err;
}

/* Return: 1 to look again, else as fake_touch() */
static int touch_once(struct fake_mm *m, uint64_t vpn, bool write)
{
	struct fake_pte *pte = &m->pte[vpn];
	int err = 0;

	if (m->dead)
		return -ESRCH;
	if (vpn >= FAKE_NPAGES || !is_allowed(pte, write))
		return -EFAULT;
	if (pte->bits & UHMM_PTE_SWAP)
		pte->bits = UHMM_PTE_PRESENT | (pte->bits & UHMM_PTE_WP);
	if (!(pte->bits & UHMM_PTE_PRESENT)) {
		if (pte->trapped)
			err = stop(m, vpn, write);
		else
			fill(pte, write);
		return err ? err : 1;
	}
	if (pte->fenced || (write && (pte->bits & UHMM_PTE_WP))) {
		err = stop(m, vpn, write);
		return err ? err : 1;
	}
	if (write)
		fake_pte_write(m, vpn);
	return 0;
}

int fake_touch(struct fake_mm *m, uint64_t vpn, bool write)
{
	for (int i = 0; i < TRIES; i++) {
		int err = touch_once(m, vpn, write);

		if (err <= 0)
			return err;
	}
	ck_abort_msg("the CPU never gets through at page %#" PRIx64, vpn);
	return -EFAULT;
}

static const void *bytes_of(const struct fake_pte *pte)
{
	static const unsigned char zeros[FAKE_PAGE_BYTES];

	return pte->page ? pte->page->bytes : zeros;
}

int fake_cpu_read(struct fake_mm *m, uint64_t vpn, uint64_t *value)
{
	int err = fake_touch(m, vpn, false);

	if (!err)
		*value = fake_value(bytes_of(&m->pte[vpn]));
	return err;
}

int fake_cpu_write(struct fake_mm *m, uint64_t vpn, uint64_t value)
{
	int err = fake_touch(m, vpn, true);

	if (!err)
		fake_fill(m->pte[vpn].page->bytes, value);
	return err;
}

uint64_t fake_get(struct fake_mm *m, uint64_t vpn)
{
	uint64_t value = 0;

	unit_expect(fake_cpu_read(m, vpn, &value) == 0);
	return value;
}

void fake_put(struct fake_mm *m, uint64_t vpn, uint64_t npages, uint64_t value)
{
	for (uint64_t i = 0; i < npages; i++)
		unit_expect(fake_cpu_write(m, vpn + i, value + i) == 0);
}

void fake_expect(struct fake_mm *m, uint64_t vpn, uint64_t npages,
		 uint64_t value)
{
	for (uint64_t i = 0; i < npages; i++) {
		uint64_t want = value ? value + i : 0;
		uint64_t got = fake_get(m, vpn + i);

		if (got != want)
			ck_abort_msg("page %#" PRIx64 " holds %" PRIu64
				     ", not %" PRIu64, vpn + i, got, want);
	}
}

uint64_t fake_peek(struct fake_mm *m, uint64_t vpn)
{
	const struct fake_pte *pte = &m->pte[vpn];
	uhmm_softleaf_t leaf = uhmm_mm_leaf(m->mm, UHMM_VPN(vpn));

	if (pte->page)
		return fake_value(pte->page->bytes);
	if (uhmm_softleaf_has_dpfn(leaf))
		return fake_value(fake_device_bytes(
			m->f, uhmm_softleaf_to_dpfn(leaf)));
	if (pte->file && !(pte->bits & UHMM_PTE_PRESENT))
		return fake_value(pte->file->page[pte->offset]->bytes);
	return 0;
}
