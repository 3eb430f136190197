/* SPDX-License-Identifier: MIT */
/* drivers.h - the drivers that are part of uhmmd
 *
 * They include uhmm/ and this folder only, as any other driver: a check says
 * so.
 */
#ifndef UHMM_DEVICE_DRIVERS_H
#define UHMM_DEVICE_DRIVERS_H

#include <uhmm/device.h>

/** The kernel's HMM test device (lib/test_hmm.c): driver of minors 0..3. */
extern const struct uhmm_device_ops uhmm_dmirror_ops;

/** The kernel's /sys/kernel/debug/gup_test (mm/gup_test.c). No memory. */
extern const struct uhmm_device_ops uhmm_gup_test_ops;

#endif
