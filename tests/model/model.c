/* SPDX-License-Identifier: MIT */
/* model.c - what a page is (model.h) */
#include "model.h"

#include <errno.h>
#include <string.h>

static struct model_page *page_at(struct model *m, int p, int v)
{
	return &m->proc[p].page[v];
}

void model_init(struct model *m, const int room[MODEL_DEVS],
		int exclusive_room)
{
	memset(m, 0, sizeof(*m));
	for (int d = 0; d < MODEL_DEVS; d++)
		m->room[d] = room[d];
	m->exclusive_room = exclusive_room;
	m->proc[0].alive = m->proc[0].joined = true;
	m->proc[0].line[m->proc[0].depth++] = ++m->last_birth;
	for (int v = 0; v < MODEL_PAGES; v++)
		*page_at(m, 0, v) = (struct model_page){
			.mapped = true, .rights = MODEL_WRITE };
}

int model_next_value(const struct model *m)
{
	return m->last_value + 1;
}

void model_dev_write(struct model *m, int p, int v)
{
	page_at(m, p, v)->value = ++m->last_value;
}

/* ---- the pages of a device ---- */

static bool is_away(const struct model_page *page)
{
	return page->where == MODEL_DEV || page->where == MODEL_EXCLUSIVE;
}

static bool is_same_page(const struct model_page *a, const struct model_page *b)
{
	return is_away(a) && is_away(b) && a->id == b->id;
}

bool model_is_kin(const struct model_page *a, const struct model_page *b)
{
	return a->kin && a->kin == b->kin;
}

/* A page that was away is the CPU's again. */
static void come_back(struct model_page *page, bool shared)
{
	memset(page->tag, 0, sizeof(page->tag));
	if (page->where == MODEL_EXCLUSIVE)
		page->write = page->alone = !shared;
	page->where = MODEL_RAM;
	page->id = page->dev = 0;
	/* A page that comes back read-only where it might be written stays so
	 * until it is: with the kernel an mprotect() may be earlier. */
	if (page->rights != MODEL_WRITE)
		page->write = false;
	else if (!page->write)
		page->alone = false;
}

static int own_id(const struct model *m, int p)
{
	return m->proc[p].line[m->proc[p].depth - 1];
}

static bool descends(const struct model_proc *proc, int id)
{
	for (int i = 0; i < proc->depth; i++)
		if (proc->line[i] == id)
			return true;
	return false;
}

bool model_is_older(const struct model *m, int p, int q)
{
	return own_id(m, p) < own_id(m, q);
}

bool model_descends(const struct model *m, int p, int id)
{
	return descends(&m->proc[p], id);
}

/* The page was looked for wherever it may be: who descends from where it was
 * made forgets what is at that place, up to the youngest one who had it. */
static void tell(struct model *m, int p, int v, int until)
{
	const struct model_page *page = page_at(m, p, v);
	int birth = page->kin ? page->birth : own_id(m, p);

	for (int q = 0; q < MODEL_PROCS; q++)
		if (m->proc[q].alive && own_id(m, q) <= until &&
		    descends(&m->proc[q], birth))
			memset(page_at(m, q, v)->tag, 0, sizeof(page->tag));
}

/* Device page @page was looked for, for @caller, or -1. Return: how many have
 * it */
static int tell_all(struct model *m, const struct model_page *page, int caller)
{
	struct model_page was = *page;
	int sharers = 0, until = 0;

	for (int q = 0; q < MODEL_PROCS; q++)
		for (int u = 0; u < MODEL_PAGES; u++) {
			if (!is_same_page(&was, page_at(m, q, u)))
				continue;
			sharers++;
			if (q != caller && own_id(m, q) > until)
				until = own_id(m, q);
		}
	for (int q = 0; q < MODEL_PROCS; q++)
		for (int u = 0; u < MODEL_PAGES; u++)
			if (sharers > 1 && is_same_page(&was, page_at(m, q, u)))
				tell(m, q, u, until);
	return sharers;
}

/* And that of all who share it. @caller: who asks for it, or -1 */
static void come_back_everywhere(struct model *m, int p, int v, int caller)
{
	struct model_page was = *page_at(m, p, v);
	int sharers = tell_all(m, &was, caller);

	for (int q = 0; q < MODEL_PROCS; q++)
		for (int u = 0; u < MODEL_PAGES; u++)
			if (is_same_page(&was, page_at(m, q, u)))
				come_back(page_at(m, q, u), sharers > 1);
}

/* Pages that are in this state, those that are shared once. */
static int count(const struct model *m, enum model_where where, int dev)
{
	const struct model_page *all[MODEL_PROCS * MODEL_PAGES];
	int n = 0, used = 0;

	for (int p = 0; p < MODEL_PROCS; p++)
		for (int v = 0; v < MODEL_PAGES; v++)
			all[n++] = &m->proc[p].page[v];
	for (int i = 0; i < n; i++) {
		bool again = false;

		if (all[i]->where != where ||
		    (where == MODEL_DEV && all[i]->dev != dev))
			continue;
		for (int k = 0; k < i; k++)
			again |= is_same_page(all[i], all[k]);
		used += !again;
	}
	return used;
}

int model_used(const struct model *m, int dev)
{
	return count(m, MODEL_DEV, dev);
}

int model_exclusives(const struct model *m)
{
	return count(m, MODEL_EXCLUSIVE, 0);
}

/* ---- the CPU ---- */

bool model_touch(struct model *m, int p, int v, bool write)
{
	struct model_page *page = page_at(m, p, v);

	if (!m->proc[p].alive || !page->mapped || page->rights == MODEL_NONE ||
	    (write && page->rights != MODEL_WRITE))
		return false;
	if (is_away(page))
		come_back_everywhere(m, p, v, p);
	if (!write)
		return true;
	page->where = MODEL_RAM;
	page->write = page->alone = true;
	page->loose = false;
	page->kin = 0;
	page->value = ++m->last_value;
	return true;
}

/* ---- what a program does to its mappings ---- */

void model_fork(struct model *m, int parent, int child)
{
	for (int v = 0; v < MODEL_PAGES; v++) {
		struct model_page *page = page_at(m, parent, v);

		memset(page->tag, 0, sizeof(page->tag));
		if (page->where == MODEL_EXCLUSIVE)
			come_back_everywhere(m, parent, v, parent);
		page->write = page->alone = false;
		if (page->where != MODEL_HOLE && !page->kin) {
			page->kin = ++m->last_kin;
			page->birth = own_id(m, parent);
		}
	}
	m->proc[child] = m->proc[parent];
	m->proc[child].line[m->proc[child].depth++] = ++m->last_birth;
}

void model_exit(struct model *m, int p)
{
	memset(&m->proc[p], 0, sizeof(m->proc[p]));
}

void model_unmap(struct model *m, int p, int v)
{
	memset(page_at(m, p, v), 0, sizeof(struct model_page));
	m->proc[p].joined = false;
}

void model_map(struct model *m, int p, int v)
{
	model_unmap(m, p, v);
	page_at(m, p, v)->mapped = true;
	page_at(m, p, v)->rights = MODEL_WRITE;
}

void model_dontneed(struct model *m, int p, int v)
{
	struct model_page *page = page_at(m, p, v);

	*page = (struct model_page){ .mapped = true, .rights = page->rights };
}

void model_protect(struct model *m, int p, int v, enum model_rights rights)
{
	struct model_page *page = page_at(m, p, v);

	if (page->rights == rights)
		return;
	page->rights = rights;
	memset(page->tag, 0, sizeof(page->tag));
	if (page->where == MODEL_DEV)
		page->write = false;
	if (page->where == MODEL_RAM)
		page->write = rights == MODEL_WRITE && page->alone;
}

void model_remap(struct model *m, int p, int v)
{
	struct model_page *to = page_at(m, p, !v);

	*to = *page_at(m, p, v);
	memset(to->tag, 0, sizeof(to->tag));
	memset(page_at(m, p, v), 0, sizeof(*to));
	m->proc[p].joined = false;
}

bool model_is_one_mapping(const struct model *m, int p, int v, int n)
{
	const struct model_page *page = m->proc[p].page;

	for (int i = v; i < v + n; i++)
		if (!page[i].mapped)
			return false;
	return n == 1 ||
	       (m->proc[p].joined && page[0].rights == page[1].rights);
}

/* ---- devices ---- */

void model_forget(struct model *m, int p, int v, int n, int but)
{
	for (int i = v; i < v + n; i++)
		for (int d = 0; d < MODEL_DEVS; d++)
			if (d != but)
				page_at(m, p, i)->tag[d] = false;
}

/* Page @v of @p is to leave: who has it, too, is found. */
static void tell_sharers(struct model *m, int p, int v)
{
	const struct model_page *page = page_at(m, p, v);
	int until = 0;

	for (int q = 0; q < MODEL_PROCS; q++)
		for (int u = 0; u < MODEL_PAGES; u++)
			if (page_at(m, q, u) != page &&
			    model_is_kin(page_at(m, q, u), page) &&
			    own_id(m, q) > until)
				until = own_id(m, q);
	for (int q = 0; q < MODEL_PROCS; q++)
		for (int u = 0; u < MODEL_PAGES; u++)
			if (page_at(m, q, u) != page &&
			    model_is_kin(page_at(m, q, u), page)) {
				tell(m, q, u, until);
				tell(m, p, v, until);
			}
}

/* Who has @page, which is there, too, has it on the device now. */
static void take_along(struct model *m, const struct model_page *page)
{
	for (int q = 0; q < MODEL_PROCS; q++)
		for (int u = 0; u < MODEL_PAGES; u++) {
			struct model_page *other = page_at(m, q, u);

			if (other == page || !model_is_kin(other, page))
				continue;
			memset(other->tag, 0, sizeof(other->tag));
			other->where = MODEL_DEV;
			other->dev = page->dev;
			other->id = page->id;
			other->write = false;
		}
}

void model_to_dev(struct model *m, int p, int v, int n, int dev,
		  const bool given[MODEL_PAGES])
{
	model_forget(m, p, v, n, dev);
	for (int i = v; i < v + n; i++) {
		struct model_page *page = page_at(m, p, i);

		if (page->where != MODEL_HOLE && page->where != MODEL_RAM)
			continue;
		tell_sharers(m, p, i);
		if (!given[i])
			continue;
		if (page->where == MODEL_HOLE) {
			page->write = page->rights == MODEL_WRITE;
			page->alone = true;
		} else if (page->rights != MODEL_WRITE) {
			page->write = false;
		}
		page->where = MODEL_DEV;
		page->dev = dev;
		page->id = ++m->last_id;
		take_along(m, page);
	}
}

static bool is_on(const struct model_page *page, int dev)
{
	return page->where == MODEL_DEV && page->dev == dev;
}

/* A page is to come back for @caller, and does, @given. Looked for it is. */
static void bring_back(struct model *m, int p, int v, int caller, bool given)
{
	if (given)
		come_back_everywhere(m, p, v, caller);
	else
		tell_all(m, page_at(m, p, v), caller);
}

void model_to_sys(struct model *m, int p, int v, int n, int dev, bool given)
{
	model_forget(m, p, v, n, dev);
	for (int i = v; i < v + n; i++) {
		if (is_on(page_at(m, p, i), dev))
			bring_back(m, p, i, p, given);
	}
}

/* Who has @was has page @id of device @dev now. */
static void go_elsewhere(struct model *m, struct model_page was, int dev,
			 int id)
{
	for (int q = 0; q < MODEL_PROCS; q++)
		for (int u = 0; u < MODEL_PAGES; u++) {
			struct model_page *page = page_at(m, q, u);

			if (!is_same_page(&was, page))
				continue;
			page->dev = dev;
			page->id = id;
		}
}

void model_move(struct model *m, int p, int v, int n, int dev,
		const bool given[MODEL_PAGES])
{
	model_forget(m, p, v, n, dev);
	for (int i = v; i < v + n; i++) {
		const struct model_page *page = page_at(m, p, i);

		if (!is_on(page, dev))
			continue;
		tell_all(m, page, p);
		if (given[i])
			go_elsewhere(m, *page, !dev, ++m->last_id);
	}
}

void model_unplug(struct model *m, int dev)
{
	model_evict(m, dev, true);
	m->unplugged[dev] = true;
}

void model_evict(struct model *m, int dev, bool given)
{
	for (int p = 0; p < MODEL_PROCS; p++)
		for (int v = 0; v < MODEL_PAGES; v++)
			if (is_on(page_at(m, p, v), dev))
				bring_back(m, p, v, -1, given);
}

int model_exclusive(struct model *m, int p, int v, int dev)
{
	struct model_page *page = page_at(m, p, v);
	bool here = page->where == MODEL_EXCLUSIVE;

	if (!page->mapped || page->rights != MODEL_WRITE)
		return -EFAULT;
	come_back_everywhere(m, p, v, p);
	memset(page->tag, 0, sizeof(page->tag));
	page->where = MODEL_RAM;
	page->write = page->alone = true;
	page->kin = 0;
	if (!here && model_exclusives(m) == m->exclusive_room)
		return -EBUSY;
	page->where = MODEL_EXCLUSIVE;
	page->id = ++m->last_id;
	page->tag[dev] = true;
	return 0;
}
