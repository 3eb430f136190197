/* SPDX-License-Identifier: MIT */
/* zeropage.h - does this kernel map the zero page, and which one is it? */
#ifndef UHMM_SYS_ZEROPAGE_H
#define UHMM_SYS_ZEROPAGE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * uhmm_kernel_maps_zero_page() - does who only reads an empty page of private
 * memory get the zero page? Else it is a page of his own, as if he had written
 * (guests of some hypervisors). Tried out, once; true where that cannot be seen.
 */
bool uhmm_kernel_maps_zero_page(void);

/** uhmm_zero_frame() - the frame that pagemap says the zero page has; 0: who we
 *  are is not told (CAP_SYS_ADMIN), or there is none. Of those that have several
 *  (s390, MIPS), one. */
uint64_t uhmm_zero_frame(void);

#endif
