/* SPDX-License-Identifier: MIT */
/* inject.h - what goes wrong on purpose
 *
 * A point is a place in the code where something can fail or be late. It counts
 * how often it is passed; which pass fails is said beforehand. Every failure is
 * one that can come by itself, so nobody may lose data by it.
 *
 *   alloc   a device page, or 512, cannot be allocated: -ENOMEM
 *   lock    a page is somebody else's just now: it is left out, or -EBUSY
 *   slow    bytes are copied, and it takes long: on the way to a device after,
 *           on the way back before the copy; the CPU has to wait
 *   reply   of the daemon: an answer to a program is lost, and its connection
 *
 * Kernel: CONFIG_FAULT_INJECTION (fail_page_alloc and the like).
 * Locks:  as the core's.
 */
#ifndef UHMM_INJECT_H
#define UHMM_INJECT_H

#include <uhmm/mm.h>

enum uhmm_inject_point {
	UHMM_INJECT_ALLOC,
	UHMM_INJECT_LOCK,
	UHMM_INJECT_SLOW,
	UHMM_INJECT_REPLY,
	UHMM_INJECT_NR
};

/** struct uhmm_inject - what is to fail; all zero: nothing */
struct uhmm_inject {
	struct {
		uint64_t first;	/* pass that fails, from 1; 0: none */
		bool on;	/* and all after it */
		uint64_t passed, hit;
	} point[UHMM_INJECT_NR];
};

UHMM_EXPORTS_BEGIN

/** uhmm_inject_name() - "alloc" */
const char *uhmm_inject_name(enum uhmm_inject_point point);

/**
 * uhmm_inject_parse() - "alloc=3": the third from now on fails; "alloc=3+": all
 * after it, too
 * Return: 0; -EINVAL no such point or number
 */
UHMM_CHECKED int uhmm_inject_parse(struct uhmm_inject *inject,
				   const char *word);

/** uhmm_inject_pass() - the point is passed. Return: it fails */
bool uhmm_inject_pass(struct uhmm_inject *inject,
		      enum uhmm_inject_point point);

/** uhmm_core_inject() - of @core: to set before, or to look at */
struct uhmm_inject *uhmm_core_inject(struct uhmm_core *core);

UHMM_EXPORTS_END

#endif
