/* SPDX-License-Identifier: MIT */
/* zeropage.h - does this kernel map the zero page? */
#ifndef UHMM_SYS_ZEROPAGE_H
#define UHMM_SYS_ZEROPAGE_H

#include <stdbool.h>

/**
 * uhmm_kernel_maps_zero_page() - does who only reads an empty page of private
 * memory get the zero page? Else it is a page of his own, as if he had written
 * (guests of some hypervisors). Tried out, once; true where that cannot be seen.
 */
bool uhmm_kernel_maps_zero_page(void);

#endif
