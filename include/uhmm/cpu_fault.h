/* SPDX-License-Identifier: MIT */
/* cpu_fault.h - a CPU touched a trapped page
 *
 * What stands at the page decides, not what the kernel called the fault: by
 * the time it is looked at, the page may have moved on.
 */
#ifndef UHMM_CPU_FAULT_H
#define UHMM_CPU_FAULT_H

#include <uhmm/mm.h>

UHMM_EXPORTS_BEGIN

/**
 * uhmm_cpu_fault() - (yields) make @vpn accessible and wake who touched it
 * @write: it was a write
 * Return: 0 the CPU will look again; -ESRCH the mm is gone
 * Kernel: do_swap_page() on a device-private or device-exclusive entry.
 */
UHMM_CHECKED int uhmm_cpu_fault(struct uhmm_mm *mm, uhmm_vpn_t vpn,
				bool write);

/**
 * uhmm_cpu_fault_range() - (yields) bring every device page of @r back, as a
 * CPU that touched each would; what is not on a device is left alone
 * Return: 0; -ESRCH
 */
UHMM_CHECKED int uhmm_cpu_fault_range(struct uhmm_mm *mm, struct uhmm_range r);

UHMM_EXPORTS_END

#endif
