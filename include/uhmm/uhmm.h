/* SPDX-License-Identifier: MIT */
/* uhmm.h - all of the library
 *
 *   drivers         device.h device_private.h migrate.h range_fault.h
 *                   exclusive.h notifier.h gup.h mm.h page_table.h
 *   who embeds it   core.h mm_ops.h event.h cpu_fault.h share.h
 *   tests           inject.h
 *   values          types.h softleaf.h vma.h list.h
 *
 * hmm_ioctl.h is for programs that use the device.
 */
#ifndef UHMM_UHMM_H
#define UHMM_UHMM_H

#include <uhmm/core.h>
#include <uhmm/cpu_fault.h>
#include <uhmm/device.h>
#include <uhmm/device_private.h>
#include <uhmm/event.h>
#include <uhmm/exclusive.h>
#include <uhmm/gup.h>
#include <uhmm/inject.h>
#include <uhmm/list.h>
#include <uhmm/migrate.h>
#include <uhmm/mm.h>
#include <uhmm/mm_ops.h>
#include <uhmm/notifier.h>
#include <uhmm/page_table.h>
#include <uhmm/range_fault.h>
#include <uhmm/share.h>
#include <uhmm/softleaf.h>
#include <uhmm/types.h>
#include <uhmm/vma.h>

#endif
