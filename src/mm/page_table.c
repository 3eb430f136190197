/* SPDX-License-Identifier: MIT */
/* page_table.c - a device's own page table (uhmm/page_table.h) */
#include <uhmm/page_table.h>

#include <stdlib.h>

#include "arena/table.h"

/* Of the rest a store must have something. */
static const struct uhmm_store_limits limits = {
	.dpfns = 1,
	.objects = {
		[UHMM_SLAB_NODE] = 1 << 16, [UHMM_SLAB_RMAP] = 1,
		[UHMM_SLAB_MM] = 1, [UHMM_SLAB_RANGE] = 1,
		[UHMM_SLAB_FLIGHT] = 1,
	},
};

struct uhmm_page_tables {
	struct uhmm_store store;
};

struct uhmm_page_tables *uhmm_page_tables_create(void)
{
	struct uhmm_page_tables *tables = calloc(1, sizeof(*tables));

	if (tables && uhmm_store_map(&tables->store, &limits)) {
		free(tables);
		return NULL;
	}
	return tables;
}

void uhmm_page_tables_destroy(struct uhmm_page_tables *tables)
{
	if (tables)
		uhmm_store_unmap(&tables->store);
	free(tables);
}

void uhmm_page_table_init(struct uhmm_page_table *t,
			  struct uhmm_page_tables *tables)
{
	*t = (struct uhmm_page_table){ .tables = tables };
}

void uhmm_page_table_fini(struct uhmm_page_table *t)
{
	struct uhmm_table table = { t->root, t->count };

	if (t->tables)
		uhmm_table_fini(&t->tables->store, &table);
	t->root = t->count = 0;
}

uint64_t uhmm_page_table_get(const struct uhmm_page_table *t, uhmm_vpn_t vpn)
{
	struct uhmm_table table = { t->root, t->count };

	return t->tables ? uhmm_table_get(&t->tables->store, &table, vpn.val) :
			   0;
}

int uhmm_page_table_set(struct uhmm_page_table *t, uhmm_vpn_t vpn,
			uint64_t word)
{
	struct uhmm_table table = { t->root, t->count };
	int err = uhmm_table_set(&t->tables->store, &table, vpn.val, word);

	t->root = table.root;
	t->count = table.count;
	return err;
}

void uhmm_page_table_clear(struct uhmm_page_table *t, uhmm_vpn_t vpn)
{
	struct uhmm_table table = { t->root, t->count };

	if (!t->tables)
		return;
	uhmm_table_clear(&t->tables->store, &table, vpn.val);
	t->root = table.root;
	t->count = table.count;
}

bool uhmm_page_table_next(const struct uhmm_page_table *t, uhmm_vpn_t *vpn,
			  uhmm_vpn_t end, uint64_t *word)
{
	struct uhmm_table table = { t->root, t->count };

	return t->tables && uhmm_table_next(&t->tables->store, &table,
					    &vpn->val, end.val, word);
}
