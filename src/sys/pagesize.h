/* SPDX-License-Identifier: MIT */
/* pagesize.h - between pages and bytes, on this machine */
#ifndef UHMM_SYS_PAGESIZE_H
#define UHMM_SYS_PAGESIZE_H

#include <stddef.h>
#include <unistd.h>

#include <uhmm/types.h>

/** uhmm_page_bytes() - size of a base page */
static inline size_t uhmm_page_bytes(void)
{
	return (size_t)getpagesize();
}

/** uhmm_pmd_npages() - pages that one PMD maps: a page table full of entries */
static inline uint64_t uhmm_pmd_npages(void)
{
	return uhmm_page_bytes() / sizeof(uint64_t);
}

/** uhmm_bytes_of() - length of @npages pages */
static inline uint64_t uhmm_bytes_of(uint64_t npages)
{
	return npages * uhmm_page_bytes();
}

/** uhmm_addr_of() - address of the first byte of page @vpn */
static inline uint64_t uhmm_addr_of(uhmm_vpn_t vpn)
{
	return vpn.val * uhmm_page_bytes();
}

/** uhmm_vpn_of() - page that holds @addr */
static inline uhmm_vpn_t uhmm_vpn_of(uint64_t addr)
{
	return UHMM_VPN(addr / uhmm_page_bytes());
}

#endif
