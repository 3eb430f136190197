/* SPDX-License-Identifier: MIT */
/* page_table.h - a device's own page table: page number -> 64-bit word
 *
 * What a driver that mirrors programs keeps of each page: whatever it likes, 0
 * is nothing. Sparse; memory is used as tables grow. Tables of one device have
 * their room in common and end with it: nothing of them outlives the daemon.
 * Kernel: the drivers' own, an XArray in lib/test_hmm.c.
 *
 * Locks:  as the driver's other data, the core's lock.
 */
#ifndef UHMM_PAGE_TABLE_H
#define UHMM_PAGE_TABLE_H

#include <uhmm/types.h>

/** The room of some tables; opaque. */
struct uhmm_page_tables;

/** struct uhmm_page_table - one table; caller's storage, all zero: empty and
 *  without room, which may be read and ended */
struct uhmm_page_table {
	struct uhmm_page_tables *tables;
	uint64_t root, count;	/* internal */
};

UHMM_EXPORTS_BEGIN

/** uhmm_page_tables_create() - room for tables of 128 GiB of pages of 4 KiB.
 *  NULL: no address space. uhmm_page_tables_destroy() accepts NULL. */
struct uhmm_page_tables *uhmm_page_tables_create(void);
void uhmm_page_tables_destroy(struct uhmm_page_tables *tables);

/** uhmm_page_table_init() - an empty table with room in @tables */
void uhmm_page_table_init(struct uhmm_page_table *t,
			  struct uhmm_page_tables *tables);

/** uhmm_page_table_fini() - forget every word */
void uhmm_page_table_fini(struct uhmm_page_table *t);

/** uhmm_page_table_get() - the word of @vpn; 0: nothing */
uint64_t uhmm_page_table_get(const struct uhmm_page_table *t, uhmm_vpn_t vpn);

/** uhmm_page_table_set() - 0; -ENOMEM (never when it replaces a word); -EINVAL
 *  no address has this page */
UHMM_CHECKED int uhmm_page_table_set(struct uhmm_page_table *t, uhmm_vpn_t vpn,
				     uint64_t word);

/** uhmm_page_table_clear() - nothing at @vpn */
void uhmm_page_table_clear(struct uhmm_page_table *t, uhmm_vpn_t vpn);

/**
 * uhmm_page_table_next() - the first word that is not 0 in [*@vpn, @end)
 * Return: true with *@vpn and *@word; false there is none
 */
bool uhmm_page_table_next(const struct uhmm_page_table *t, uhmm_vpn_t *vpn,
			  uhmm_vpn_t end, uint64_t *word);

UHMM_EXPORTS_END

#endif
