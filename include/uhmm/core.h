/* SPDX-License-Identifier: MIT */
/* core.h - for who embeds the library: a core, and the programs it mirrors
 *
 * A daemon, a simulator or a test that wants the semantics without uhmmd makes
 * a core, gives it the memory of its devices (core ops) and an engine for each
 * program (mm_ops.h), and tells it what programs do (event.h, cpu_fault.h,
 * share.h). Drivers then work on it as they do in uhmmd.
 */
#ifndef UHMM_CORE_H
#define UHMM_CORE_H

#include <stddef.h>

#include <uhmm/mm.h>
#include <uhmm/mm_ops.h>

/** What the core needs of the daemon (or of a test). */
struct uhmm_core_ops {
	/**
	 * wait() - (yields) until wake() was called for this mm. May return
	 * early; the caller looks again and comes back.
	 */
	void (*wait)(struct uhmm_core *core, struct uhmm_mm *mm);

	/** wake() - all who wait for @mm look again */
	void (*wake)(struct uhmm_core *core, struct uhmm_mm *mm);

	/**
	 * page_read() - the bytes of the device pages [@dpfn, +@npages),
	 * wherever they are, to @buf
	 * page_write() - and @buf to them
	 * Return: pages done; fewer when the program that has the bytes of the
	 * next one is gone
	 */
	uint64_t (*page_read)(struct uhmm_core *core, uhmm_dpfn_t dpfn,
			      uint64_t npages, void *buf);
	uint64_t (*page_write)(struct uhmm_core *core, uhmm_dpfn_t dpfn,
			       uint64_t npages, const void *buf);

	/** page_clear() - device page @dpfn, which nobody has used, is zeros */
	void (*page_clear)(struct uhmm_core *core, uhmm_dpfn_t dpfn);

	/** pause() - (yields) some time passes, because inject.h wants that;
	 *  NULL: none does */
	void (*pause)(struct uhmm_core *core);

	/** now_ns() - monotonic time */
	uint64_t (*now_ns)(struct uhmm_core *core);
};

UHMM_EXPORTS_BEGIN

/**
 * uhmm_core_create() - a core with memory of its own
 * @page_bytes: of a base page; @pmd_bytes: of a PMD-sized unit
 * @ctx: see uhmm_core_ctx()
 * Return: 0 with *@core; -ENOMEM no address space
 */
UHMM_CHECKED int uhmm_core_create(const struct uhmm_core_ops *ops, void *ctx,
				  uint64_t page_bytes, uint64_t pmd_bytes,
				  struct uhmm_core **core);

/** uhmm_core_destroy() - no mm and no pagemap is left; accepts NULL */
void uhmm_core_destroy(struct uhmm_core *core);

/** uhmm_core_ctx() - what uhmm_core_create() was given, for the core's ops */
void *uhmm_core_ctx(const struct uhmm_core *core);

/**
 * uhmm_mm_create() - begin to mirror a program; one reference, the caller's
 * @ops: its engine, called with @ops_ctx; @pid: 0 when there is none
 * Return: 0 with *@mm; -ENOMEM
 */
UHMM_CHECKED int uhmm_mm_create(struct uhmm_core *core,
				const struct uhmm_mm_ops *ops, void *ops_ctx,
				uint32_t pid, struct uhmm_mm **mm);

/**
 * uhmm_mm_exit() - the program is gone: its entries are dropped, its device
 * pages freed, notifiers told, waiters woken. Objects stay until the last put.
 * Kernel: exit_mmap().
 */
void uhmm_mm_exit(struct uhmm_mm *mm);

/**
 * uhmm_mm_check() - prove the invariants of the whole core
 * Return: 0; -EUCLEAN with a one-line reason in @why
 */
UHMM_CHECKED int uhmm_mm_check(struct uhmm_core *core, char *why,
			       size_t why_bytes);

UHMM_EXPORTS_END

#endif
