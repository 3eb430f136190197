/* SPDX-License-Identifier: MIT */
/* mm_ops.h - what src/mm can have done to a program's memory
 *
 * Theory of operation. src/mm decides, an engine acts. An engine is one way to
 * take a page from the CPU so that the next access stops ("trap"), to carry
 * its bytes to a device page ("take") and to bring them back ("give"):
 * engine_copy.c, later engine_move.c and engine_protect.c. src/mm does not
 * know which one runs; unit tests give it a fake.
 *
 *   trap    from now on a CPU write to the pages, and a CPU access to pages
 *           that are not there, stops until the daemon answers it
 *   take    bytes of trapped pages go to device pages, the pages leave the CPU
 *   give    device pages' bytes are there for the CPU again, the stopped wake
 *   untrap  the pages are ordinary memory again, the stopped wake
 *   watch   the pages stay ordinary, but what the program does to their
 *           mapping is told, and a page can be protected
 *
 * Every operation marked (yields) may let other work of the daemon run before
 * it returns (it waits for the program's hands, or drops the core's lock for a
 * long system call): what the caller knew about leaves must be looked up again.
 *
 * Errors: 0 or -errno. -ESRCH always means that the mm is gone. -EAGAIN, where
 * it is listed: events had to be read before it was done, so what the caller
 * knew of mappings and leaves may be wrong; no more was done, look again.
 * Elsewhere it never leaves an engine: it reads the events and tries again.
 */
#ifndef UHMM_MM_OPS_H
#define UHMM_MM_OPS_H

#include <uhmm/vma.h>

/** What of a run is done how. */
enum uhmm_run_flags {
	UHMM_RUN_ZERO = 1 << 0,	/* take: nothing to copy, the device pages are
				 * to be zero-filled; still drop what the CPU
				 * may have there (the zero page) */
	UHMM_RUN_WP = 1 << 1,	/* give: install read-only, a write stops */
	UHMM_RUN_UNIT = 1 << 2,	/* a PMD-sized unit, aligned in both spaces.
				 * take: one PMD maps it, or nothing is there;
				 * it goes whole or not at all, if the engine
				 * can see to that.
				 * give: one PMD shall map it, where that can be
				 * had; base pages are no error. */
	UHMM_RUN_SHARED = 1 << 3, /* take: other mms share the pages: the bytes
				 * go where all of them can be given them */
	UHMM_RUN_SAME = 1 << 4,	/* take: another mm that shares the pages was
				 * the first, so that their bytes are there
				 * already; the run ends with -EILSEQ at the
				 * first page that is not the same */
	UHMM_RUN_AT_ONCE = 1 << 5,	/* take: only what the CPU loses in one
				 * step that fails when the program changes its
				 * mappings at that moment; -EOPNOTSUPP what
				 * would have to be copied first */
};

/** @npages pages at @vpn of an mm, and the same number of pages at @dpfn. */
struct uhmm_run {
	uhmm_vpn_t vpn;
	uhmm_dpfn_t dpfn;
	uint64_t npages;
	uint32_t flags;		/* enum uhmm_run_flags */
	int32_t error;		/* (out) why it stopped at @done, or 0 */
	uint64_t done;		/* (out) pages done, from the start */
};

/**
 * struct uhmm_mm_ops - one engine, as src/mm sees it
 * @ctx of every call is uhmm_mm.ops_ctx.
 */
struct uhmm_mm_ops {
	/**
	 * vma_find() - the mapping that holds @vpn, or the first above it
	 * Return: 0 (look at @vma->range); -ENOENT nothing there or above;
	 * -ESRCH
	 */
	int (*vma_find)(void *ctx, uhmm_vpn_t vpn, struct uhmm_vma *vma);

	/**
	 * mapping_end() - where the program's mapping that @vma is a part of
	 * ends. What is trapped by its protection is one of its own for
	 * vma_find(), and what is trapped here and there may be found in parts.
	 * Nobody looks behind @until: what is there may be anywhere from there
	 * on.
	 */
	uhmm_vpn_t (*mapping_end)(void *ctx, const struct uhmm_vma *vma,
				  uhmm_vpn_t until);

	/**
	 * scan() - page table state of each page of @r, enum uhmm_pte bits in
	 * @pte[0 .. npages). Faults nothing in.
	 * Return: 0; -ESRCH; -ENOMEM
	 */
	int (*scan)(void *ctx, struct uhmm_range r, uint8_t *pte);

	/**
	 * skip_holes() - where in @r the first page may be that is there, swapped
	 * out or marked; the end of @r: there is none. An engine that cannot
	 * tell says the start of @r.
	 */
	uhmm_vpn_t (*skip_holes)(void *ctx, struct uhmm_range r);

	/**
	 * trap() - (yields) @r, in one VMA. When it returns 0 every unmap,
	 * remap or removal that happened before is known to src/mm.
	 * Return: 0; -EINVAL this mapping cannot be trapped by this engine;
	 * -ENOMEM; -EBUSY another userfaultfd has it; -ESRCH
	 */
	int (*trap)(void *ctx, struct uhmm_range r);

	/**
	 * untrap() - @r holds no leaf any more: ordinary memory again. Never
	 * yields, so that no trap can come between. Parts that are not mapped
	 * or not trapped are fine.
	 * Return: 0; -ESRCH
	 */
	int (*untrap)(void *ctx, struct uhmm_range r);

	/**
	 * watch() - (yields) @r is told of from now on: unmapping, moving, dropping,
	 * forking. Parts that this engine cannot watch are left out.
	 * Return: 0; -ENOMEM; -ESRCH
	 */
	int (*watch)(void *ctx, struct uhmm_range r);

	/**
	 * look() - (yields) watch(), for a device that is going to look at what
	 * is there: what the kernel does not tell by itself is made so that it
	 * does.
	 * Return: as watch()
	 */
	int (*look)(void *ctx, struct uhmm_range r);

	/**
	 * is_foreign() - has a part of @r, in one VMA, a userfaultfd of the
	 * program's own? A fault there may be for that to answer. It is watched
	 * otherwise.
	 */
	bool (*is_foreign)(void *ctx, struct uhmm_range r);

	/** is_watched() - is @vpn watched, or trapped? */
	bool (*is_watched)(void *ctx, uhmm_vpn_t vpn);

	/** next_watched() - the first piece of @r that is watched, or trapped;
	 *  false: there is none */
	bool (*next_watched)(void *ctx, struct uhmm_range r,
			     struct uhmm_range *piece);

	/** is_forked() - would a fork copy @vpn? (MADV_DONTFORK) */
	bool (*is_forked)(void *ctx, uhmm_vpn_t vpn);

	/**
	 * relax() - (never yields) @r holds no leaf any more: what is trapped
	 * of it is only watched from now on. Protected pages stay so; where
	 * there are some it may stay trapped.
	 * Return: 0; -ESRCH
	 */
	int (*relax)(void *ctx, struct uhmm_range r);

	/**
	 * protect() - (yields) a CPU write to the present pages @r, which are
	 * watched, stops
	 * Return: 0, also when some are not watched any more; -ESRCH
	 */
	int (*protect)(void *ctx, struct uhmm_range r);

	/**
	 * unprotect() - (yields) @r stays trapped or watched, but its present
	 * pages may be written again; who stopped there wakes.
	 * Return: 0; -EAGAIN; -ESRCH
	 */
	int (*unprotect)(void *ctx, struct uhmm_range r);

	/**
	 * let_read() - (yields) who stopped to read a present page of @r goes
	 * on; a write of a protected one stops as before. An engine may stop
	 * readers of what is trapped until it is taken, or until this is called.
	 * Return: 0; -EAGAIN; -ESRCH
	 */
	int (*let_read)(void *ctx, struct uhmm_range r);

	/**
	 * take() - (yields) for each run: bytes to the device pages, then the
	 * pages leave the CPU. run[i].done says how far each came, and
	 * run[i].error why no farther (-EAGAIN is one why); pages past it are
	 * where they were.
	 * Return: 0 when all were tried; -ESRCH, of what was tried before all
	 * of this is true, too
	 */
	int (*take)(void *ctx, struct uhmm_run *run, unsigned int nruns);

	/**
	 * give() - (yields) for each run: the device pages' bytes are in
	 * place for the CPU. A page that is there already ends its run with
	 * error -EEXIST, one whose mapping is gone with -ENOENT; -EAGAIN.
	 * Return: 0 when all were tried; -ESRCH
	 */
	int (*give)(void *ctx, struct uhmm_run *run, unsigned int nruns);

	/**
	 * give_zero() - (yields) answer a CPU access to a trapped page that
	 * has no leaf, or one of a coherent page: the zero page, or for @write a page of zeros.
	 * Return: 0, also when a page is there already; -ENOENT mapping gone;
	 * -EAGAIN; -ENOMEM; -ESRCH
	 */
	int (*give_zero)(void *ctx, uhmm_vpn_t vpn, bool write);

	/**
	 * split() - (yields) the PMD-sized page that @r, in one mapping, is a
	 * part of becomes base pages; such of them as are all zeros may become
	 * the zero page. What has to be done in the mapping of another mm is
	 * asked of that one.
	 * Return: 0, also where nothing was to be split or it cannot be; -ESRCH
	 */
	int (*split)(void *ctx, struct uhmm_range r);

	/** wake() - whoever stopped in @r looks again. 0 or -ESRCH. */
	int (*wake)(void *ctx, struct uhmm_range r);

	/**
	 * fault_in() - (yields) make each page of @r present as a CPU read
	 * (or @write) of it would. @r lies in one VMA that allows it and holds
	 * no leaf but such of coherent pages.
	 * Return: 0; -EFAULT mapping changed, beyond the end of a file,
	 * poisoned; -EAGAIN others ran meanwhile, so that there may be leaves:
	 * no more was done; -ENOMEM; -ESRCH
	 */
	int (*fault_in)(void *ctx, struct uhmm_range r, bool write);

	/**
	 * read() - copy present pages [@vpn, +@npages) to @buf
	 * write() - and @buf to present, writable pages
	 * Return: pages done, fewer when a page is not there (0: the first);
	 * -ESRCH
	 */
	int64_t (*read)(void *ctx, uhmm_vpn_t vpn, uint64_t npages, void *buf);
	int64_t (*write)(void *ctx, uhmm_vpn_t vpn, uint64_t npages,
			 const void *buf);
};

#endif
