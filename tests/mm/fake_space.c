/* SPDX-License-Identifier: MIT */
/* fake_space.c - mappings and pages of a program, and what it does to them
 * (fake_mm.h)
 */
#include <string.h>

#include <uhmm/event.h>
#include <uhmm/share.h>

#include "fake_mm.h"

const struct fake_kind fake_rw = { .read = true, .write = true };
const struct fake_kind fake_ro = { .read = true };
const struct fake_kind fake_none;

/* What a page of a file holds when nobody has written it. */
#define FILE_VALUE 0x10000

/* ---- contents ---- */

void fake_fill(void *page, uint64_t value)
{
	uint64_t word[FAKE_PAGE_BYTES / 8];

	for (uint64_t i = 0; i < FAKE_PAGE_BYTES / 8; i++)
		word[i] = value * (2 * i + 1);
	memcpy(page, word, sizeof(word));
}

uint64_t fake_value(const void *page)
{
	uint64_t word[FAKE_PAGE_BYTES / 8];

	memcpy(word, page, sizeof(word));
	for (uint64_t i = 0; i < FAKE_PAGE_BYTES / 8; i++)
		unit_expect(word[i] == word[0] * (2 * i + 1));
	return word[0];
}

/* ---- pages and entries ---- */

struct fake_page *fake_page_new(const void *from)
{
	struct fake_page *page = calloc(1, sizeof(*page));

	unit_expect(page);
	if (from)
		memcpy(page->bytes, from, FAKE_PAGE_BYTES);
	return page;
}

static void put_page(struct fake_page *page)
{
	if (page && --page->refs == 0)
		free(page);
}

void fake_drop(struct fake_pte *pte)
{
	struct fake_page *page = pte->page;

	pte->page = NULL;
	pte->bits = 0;
	put_page(page);
}

void fake_hold(struct fake_pte *pte, struct fake_page *page, uint8_t bits)
{
	if (page)
		page->refs++;
	fake_drop(pte);
	pte->page = page;
	pte->bits = bits;
}

/* The PMD that maps @vpn, if one does, maps base pages. */
static void split_pmd(struct fake_mm *m, uint64_t vpn)
{
	uint64_t first = vpn - vpn % FAKE_PMD_NPAGES;

	if (vpn >= FAKE_NPAGES || m->pte[vpn].kind.hugetlb)
		return;
	for (uint64_t i = first;
	     i < first + FAKE_PMD_NPAGES && i < FAKE_NPAGES; i++)
		m->pte[i].bits &= (uint8_t)~UHMM_PTE_HUGE;
}

void fake_split_huge(struct fake_mm *m, uint64_t vpn, uint64_t npages)
{
	if (vpn % FAKE_PMD_NPAGES)
		split_pmd(m, vpn);
	if ((vpn + npages) % FAKE_PMD_NPAGES)
		split_pmd(m, vpn + npages);
}

void fake_pte_write(struct fake_mm *m, uint64_t vpn)
{
	struct fake_pte *pte = &m->pte[vpn];
	const void *from = pte->page ? pte->page->bytes : NULL;

	if (pte->kind.shared)
		return;
	if (pte->page && !(pte->bits & UHMM_PTE_FILE) && pte->page->refs == 1)
		return;
	split_pmd(m, vpn);
	fake_hold(pte, fake_page_new(from),
		  pte->bits & (uint8_t) ~(UHMM_PTE_ZERO | UHMM_PTE_FILE));
}

uint8_t fake_pte_bits(const struct fake_mm *m, uint64_t vpn)
{
	const struct fake_pte *pte = &m->pte[vpn];
	unsigned int files = (pte->bits & UHMM_PTE_FILE) != 0;

	if (pte->page && (pte->bits & UHMM_PTE_PRESENT) &&
	    pte->page->refs == 1 + files)
		return pte->bits | UHMM_PTE_EXCLUSIVE;
	return pte->bits;
}

bool fake_is_trapped(const struct fake_mm *m, uint64_t vpn, uint64_t npages)
{
	for (uint64_t i = vpn; i < vpn + npages; i++)
		if (m->pte[i].trapped)
			return true;
	return false;
}

bool fake_is_ordinary(const struct fake_mm *m, uint64_t vpn, uint64_t npages)
{
	for (uint64_t i = vpn; i < vpn + npages; i++)
		if (m->pte[i].trapped || m->pte[i].watched ||
		    (m->pte[i].bits & UHMM_PTE_WP))
			return false;
	return true;
}

static bool has_other_rights(const struct fake_pte *pte,
			     const struct fake_kind *kind)
{
	return pte->kind.read != kind->read ||
	       pte->kind.write != kind->write || pte->kind.exec != kind->exec;
}

bool fake_same_mapping(const struct fake_mm *m, struct uhmm_range r)
{
	const struct fake_pte *first = &m->pte[r.start.val];

	for (uint64_t i = r.start.val; i < r.end.val; i++)
		if (!m->pte[i].mapped || m->pte[i].mapping != first->mapping ||
		    has_other_rights(&m->pte[i], &first->kind))
			return false;
	return true;
}

/* ---- telling src/mm ---- */

static bool raises_events(const struct fake_pte *pte)
{
	return pte->trapped || pte->watched;
}

/* The first part of [*@vpn, @end) that events come from. */
static bool next_part(const struct fake_mm *m, uint64_t *vpn, uint64_t end,
		      struct uhmm_range *part)
{
	while (*vpn < end && !raises_events(&m->pte[*vpn]))
		++*vpn;
	part->start.val = *vpn;
	while (*vpn < end && raises_events(&m->pte[*vpn]))
		++*vpn;
	part->end.val = *vpn;
	return part->start.val < part->end.val;
}

static void tell_unmap(struct fake_mm *m, uint64_t vpn, uint64_t npages)
{
	struct uhmm_range part;
	uint64_t at = vpn;

	while (next_part(m, &at, vpn + npages, &part)) {
		m->events++;
		uhmm_event_unmap(m->mm, part);
	}
}

/* ---- system calls ---- */

static struct fake_file *new_file(struct fake *f, bool contents)
{
	struct fake_file *file = calloc(1, sizeof(*file));

	unit_expect(file);
	file->next = f->files;
	f->files = file;
	for (uint64_t i = 0; i < FAKE_NPAGES; i++) {
		file->page[i] = fake_page_new(NULL);
		file->page[i]->refs = 1;
		if (contents)
			fake_fill(file->page[i]->bytes, FILE_VALUE + i);
	}
	return file;
}

static void clear(struct fake_mm *m, uint64_t vpn, uint64_t npages)
{
	for (uint64_t i = vpn; i < vpn + npages; i++) {
		fake_drop(&m->pte[i]);
		memset(&m->pte[i], 0, sizeof(m->pte[i]));
	}
}

void fake_unmap(struct fake_mm *m, uint64_t vpn, uint64_t npages)
{
	struct uhmm_range part;
	uint64_t at = vpn, events = m->events;

	fake_split_huge(m, vpn, npages);
	while (next_part(m, &at, vpn + npages, &part)) {
		clear(m, part.start.val, uhmm_range_npages(part));
		m->events++;
		uhmm_event_unmap(m->mm, part);
	}
	clear(m, vpn, npages);
	if (m->events != events)
		uhmm_event_cut(m->mm, uhmm_range_of(UHMM_VPN(vpn), npages));
}

void fake_map(struct fake_mm *m, uint64_t vpn, uint64_t npages,
	      const struct fake_kind *kind)
{
	struct fake_file *file = NULL;

	unit_expect(vpn + npages <= FAKE_NPAGES);
	fake_unmap(m, vpn, npages);
	if (kind->file || kind->shared)
		file = new_file(m->f, kind->file);
	m->f->mappings++;
	for (uint64_t i = 0; i < npages; i++)
		m->pte[vpn + i] = (struct fake_pte){
			.mapped = true,
			.kind = *kind,
			.mapping = m->f->mappings,
			.offset = (uint32_t)i,
			.file = file,
		};
}

void fake_dontneed(struct fake_mm *m, uint64_t vpn, uint64_t npages)
{
	fake_split_huge(m, vpn, npages);
	tell_unmap(m, vpn, npages);
	for (uint64_t i = vpn; i < vpn + npages; i++)
		fake_drop(&m->pte[i]);
}

/* The entry moves, the mapping with it; @stays: an empty one is left. */
static void move_pte(struct fake_pte *from, struct fake_pte *to,
		     uint32_t mapping, bool stays)
{
	*to = *from;
	to->mapping = mapping;
	from->page = NULL;
	from->bits = 0;
	if (!stays)
		memset(from, 0, sizeof(*from));
}

void fake_remap(struct fake_mm *m, uint64_t from, uint64_t to, uint64_t npages,
		bool dontunmap)
{
	struct uhmm_range part;
	uint64_t at = to;

	unit_expect(to + npages <= from || from + npages <= to);
	fake_unmap(m, to, npages);
	fake_split_huge(m, from, npages);
	for (uint64_t i = from; (from - to) % FAKE_PMD_NPAGES &&
				i < from + npages; i++)
		split_pmd(m, i);
	m->f->mappings++;
	for (uint64_t i = 0; i < npages; i++)
		move_pte(&m->pte[from + i], &m->pte[to + i], m->f->mappings,
			 dontunmap);
	while (next_part(m, &at, to + npages, &part)) {
		uhmm_vpn_t old = UHMM_VPN(part.start.val - to + from);
		uint64_t n = uhmm_range_npages(part);

		m->events++;
		uhmm_event_remap(m->mm, old, part.start, n);
		if (dontunmap)
			continue;
		uhmm_event_cut(m->mm, uhmm_range_of(old, n));
		uhmm_event_unmap(m->mm, uhmm_range_of(old, n));
	}
}

void fake_protect(struct fake_mm *m, uint64_t vpn, uint64_t npages,
		  const struct fake_kind *kind)
{
	uint64_t end = vpn + npages, first;

	fake_split_huge(m, vpn, npages);
	for (; vpn < end; vpn++) {
		first = vpn;
		while (vpn < end && m->pte[vpn].mapped &&
		       has_other_rights(&m->pte[vpn], kind))
			vpn++;
		if (vpn > first)
			uhmm_event_protect(m->mm,
					   uhmm_range_of(UHMM_VPN(first),
							 vpn - first));
		for (; first < vpn; first++) {
			m->pte[first].kind.read = kind->read;
			m->pte[first].kind.write = kind->write;
			m->pte[first].kind.exec = kind->exec;
		}
	}
}

void fake_dontfork(struct fake_mm *m, uint64_t vpn, uint64_t npages)
{
	fake_split_huge(m, vpn, npages);
	for (uint64_t i = vpn; i < vpn + npages; i++)
		m->pte[i].dontfork = true;
}

void fake_set_huge(struct fake_mm *m, uint64_t vpn, uint64_t npages, bool pud)
{
	for (uint64_t i = vpn; i < vpn + npages; i++) {
		unit_expect(m->pte[i].bits & UHMM_PTE_PRESENT);
		m->pte[i].bits |= UHMM_PTE_HUGE | (pud ? UHMM_PTE_PUD : 0);
	}
}

void fake_set_huge_zero(struct fake_mm *m, uint64_t vpn)
{
	unit_expect(vpn % FAKE_PMD_NPAGES == 0);
	for (uint64_t i = vpn; i < vpn + FAKE_PMD_NPAGES; i++)
		fake_hold(&m->pte[i], NULL,
			  UHMM_PTE_PRESENT | UHMM_PTE_ZERO | UHMM_PTE_HUGE);
}

uint64_t fake_count_huge(const struct fake_mm *m, uint64_t vpn, uint64_t npages)
{
	uint64_t n = 0;

	for (uint64_t i = vpn; i < vpn + npages; i++)
		n += (m->pte[i].bits & UHMM_PTE_HUGE) != 0;
	return n;
}

void fake_swap_out(struct fake_mm *m, uint64_t vpn, uint64_t npages)
{
	for (uint64_t i = vpn; i < vpn + npages; i++) {
		struct fake_pte *pte = &m->pte[i];

		unit_expect(pte->page && !(pte->bits & UHMM_PTE_FILE));
		pte->bits = UHMM_PTE_SWAP | (pte->bits & UHMM_PTE_WP);
	}
}

/* ---- programs ---- */

/* A struct that no mm uses any more. */
static struct fake_mm *find_free(struct fake *f)
{
	for (unsigned int i = 0; i < f->nmms; i++) {
		struct uhmm_list *node;
		bool used = !f->mm[i]->dead;

		UHMM_LIST_EACH(node, &f->core.mms)
			used |= UHMM_CONTAINER_OF(node, struct uhmm_mm, link)
					->ops_ctx == f->mm[i];
		if (!used)
			return f->mm[i];
	}
	unit_expect(f->nmms < FAKE_MMS);
	f->mm[f->nmms] = malloc(sizeof(struct fake_mm));
	unit_expect(f->mm[f->nmms]);
	return f->mm[f->nmms++];
}

struct fake_mm *fake_start(struct fake *f)
{
	struct fake_mm *m = find_free(f);

	memset(m, 0, sizeof(*m));
	m->f = f;
	unit_expect(uhmm_mm_create(&f->core, &fake_ops, m, 1, &m->mm) == 0);
	return m;
}

struct fake_mm *fake_raw_fork(struct fake_mm *m)
{
	struct fake_mm *child = fake_start(m->f);

	for (uint64_t i = 0; i < FAKE_NPAGES; i++) {
		if (m->pte[i].dontfork)
			continue;
		child->pte[i] = m->pte[i];
		if (m->pte[i].page)
			m->pte[i].page->refs++;
	}
	m->events++;
	unit_expect(uhmm_event_fork(m->mm, child->mm) == 0);
	return child;
}

struct fake_mm *fake_fork(struct fake_mm *m)
{
	struct fake_mm *child;

	unit_expect(uhmm_mm_share(m->mm, uhmm_range_of(UHMM_VPN(0), 0)) == 0);
	child = fake_raw_fork(m);
	unit_expect(uhmm_mm_shared(m->mm) == 0);
	return child;
}

void fake_exit(struct fake_mm *m)
{
	struct uhmm_mm *mm = m->mm;

	unit_expect(!m->dead);
	m->dead = true;
	m->events++;
	clear(m, 0, FAKE_NPAGES);
	uhmm_mm_exit(mm);
	m->mm = NULL;
	uhmm_mm_put(mm);
}
