/* SPDX-License-Identifier: MIT */
/* engine.h - makes a struct uhmm_mm_ops for one program
 *
 * Theory of operation. An engine is made when a program attaches, from the
 * descriptors it handed over and an environment that says how to reach the
 * program (hands), how to catch up with its events (drain) and which lock to
 * drop around long system calls. src/mm gets uhmm_engine_ops() with the
 * engine as ctx and does not know which engine it is.
 *
 * The engine remembers which ranges it trapped. The kernel moves and drops
 * them with the mappings, so whoever handles a REMAP or UNMAP event tells the
 * engine, too. A range it does not know of (a mapping that grew) is learnt
 * when a fault of it is answered.
 *
 * Locks:  caller holds the core's lock for every call.
 * Errors: 0 or -errno, the caller's errno is left as it was.
 */
#ifndef UHMM_SYS_ENGINE_H
#define UHMM_SYS_ENGINE_H

#include <uhmm/mm_ops.h>

struct uhmm_devmem;
struct uhmm_engine;

/** What the program is asked to do to itself. Values as on the wire. */
enum uhmm_engine_hands {
	UHMM_ENGINE_ZAP = 1,		/* MADV_DONTNEED_LOCKED, or before Linux
					 * 5.18 MADV_DONTNEED */
	UHMM_ENGINE_POPULATE_READ = 2,	/* MADV_POPULATE_READ */
	UHMM_ENGINE_POPULATE_WRITE = 3,	/* MADV_POPULATE_WRITE */
	UHMM_ENGINE_COLLAPSE = 4,	/* MADV_COLLAPSE */
	UHMM_ENGINE_RESERVE = 5,	/* an inaccessible private mapping
					 * exactly there; -EEXIST */
	UHMM_ENGINE_SWEEP = 6,		/* drop what is there, in that. These two
					 * at once or not at all: -EAGAIN the
					 * hands were busy */
	UHMM_ENGINE_TELL = 32,		/* nothing to the range; from now on a
					 * fault that no userfaultfd serves is
					 * told, and so is what happens to
					 * mappings without an event */
	UHMM_ENGINE_GUARD = 33,		/* MADV_GUARD_INSTALL */
	UHMM_ENGINE_UNGUARD = 34,	/* MADV_GUARD_REMOVE */
	UHMM_ENGINE_COLD = 35,		/* MADV_COLD */
	UHMM_ENGINE_MPROTECT = 40,	/* + PROT_*: mprotect; includes TELL */
	UHMM_ENGINE_ZAP_BY_AGENT = 64,	/* ZAP by the agent alone: whoever waits
					 * for it may have his stack there */
};

/** Ranges one hands() call may carry. */
#define UHMM_ENGINE_HANDS_MAX 64

/** Pages that change their place within a program. */
struct uhmm_engine_move {
	uhmm_vpn_t from, to;
	uint64_t npages;
};

/** Moves one move() call may carry. */
#define UHMM_ENGINE_MOVES_MAX 31

/**
 * struct uhmm_engine_env - what an engine needs of the daemon
 * @ctx:    of every call
 * @hands:  (yields) the program does @op to each range, in order, until one
 *          fails; n <= UHMM_ENGINE_HANDS_MAX. Returns 0, the -errno of the one
 *          that failed, -ESRCH the program is gone. Called with the lock.
 * @move:   (yields) the program makes @open, which is reserved, accessible, moves
 *          @n lists of pages in order until one fails, and makes @open
 *          inaccessible again. What is in their way there is dropped. From
 *          the call until resume() no event of the program is read, so that
 *          it fails with -EAGAIN when the program changes its mappings: what
 *          the caller knew of them when it called is true of every page that
 *          was moved. 0; -EAGAIN events had to be read, or the hands were busy;
 *          -ENOSYS there are no hands that can; the -errno of the move that
 *          failed; -ESRCH. @moved: (out) pages that were, of all lists one
 *          after the other. NULL: nobody can.
 * @resume: follows each move(), whatever it returned, when it is known who has
 *          the bytes of the pages it was about: an event may be a fork, which
 *          asks for that. Events are read again; never yields.
 * @drain:  (yields) called with the lock after -EAGAIN: reads and handles the
 *          pending events. The one who raised an event must get a chance to
 *          run before it returns (sched_yield()), or the caller spins; but to
 *          wait for the next event instead of trying again at once misses the
 *          moment a busy program leaves (15 times slower). 0 or -ESRCH.
 * @lock:   takes the core's lock again
 * @unlock: drops it for a long system call
 * @wait:   (yields) until wake() was called; may return early
 * @wake:   all who are in wait() look again
 * @lost:   a fence is not there any more: the program replaced the mapping
 *          without a word. Called with the lock, must not yield.
 * @tidy_fences: fences are left that nobody needs: have
 *          uhmm_engine_tidy_fences() called
 *          soon, by a job. Called with the lock, must not yield.
 * @turn:   changes when anybody else may have run since: what was looked up
 *          before is old then. NULL: everything is looked up each time.
 * @devmem: where device pages are
 * @user_mode_only: the userfaultfd does not serve faults that the kernel takes
 * @first, @npages: numbers among which all device pages are; only a window
 *          depends on it: what is outside is copied
 */
struct uhmm_engine_env {
	void *ctx;
	int (*hands)(void *ctx, unsigned int op, const struct uhmm_range *r,
		     unsigned int n);
	int (*move)(void *ctx, struct uhmm_range open,
		    const struct uhmm_engine_move *m, unsigned int n,
		    uint64_t *moved);
	void (*resume)(void *ctx);
	int (*drain)(void *ctx);
	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);
	void (*wait)(void *ctx);
	void (*wake)(void *ctx);
	void (*lost)(void *ctx, struct uhmm_range r);
	void (*tidy_fences)(void *ctx);
	const uint64_t *turn;
	struct uhmm_devmem *devmem;
	bool user_mode_only;
	uhmm_dpfn_t first;
	uint64_t npages;
};

/** Descriptors of the program. Not owned; they outlive the engine. */
struct uhmm_engine_fds {
	int uffd;		/* O_NONBLOCK, after UFFDIO_API */
	int mem;		/* O_RDWR */
	int pagemap;
	int maps;
	int pidfd;
};

/** Which engine. Values as in options. */
enum uhmm_engine_kind {
	UHMM_ENGINE_AUTO,	/* the first that can */
	UHMM_ENGINE_MOVE,
	UHMM_ENGINE_COPY,
	UHMM_ENGINE_PROTECT,
};

/** What an engine has done so far. */
struct uhmm_engine_stats {
	uint64_t pages_taken;
	uint64_t pages_given;
	uint64_t pages_moved;	/* of both, without a copy */
	uint64_t pages_zero;	/* given as zeros, no device page */
	uint64_t hands_calls;
	uint64_t retries;	/* -EAGAIN of the kernel */
	uint64_t traps;
	uint64_t untraps;
	uint64_t collapses;	/* units mapped by one PMD again */
};

/**
 * uhmm_engine_copy_create() - the engine that copies (Linux 5.7)
 * @uffd_features: what UFFDIO_API was asked for. (What it answers is all the
 *                 kernel has, not what this descriptor does.)
 * @env:           copied
 * Return: 0; -ENOMEM; -EOPNOTSUPP the features lack write protection
 */
UHMM_CHECKED int uhmm_engine_copy_create(struct uhmm_engine **engine,
					 const struct uhmm_engine_fds *fds,
					 uint64_t uffd_features,
					 const struct uhmm_engine_env *env);

/**
 * uhmm_engine_move_create() - the engine that moves (Linux 6.8)
 * Return: 0; -ENOMEM; -EOPNOTSUPP the features or @env lack moving
 */
UHMM_CHECKED int uhmm_engine_move_create(struct uhmm_engine **engine,
					 const struct uhmm_engine_fds *fds,
					 uint64_t uffd_features,
					 const struct uhmm_engine_env *env);

/**
 * uhmm_engine_protect_create() - the engine that needs no userfaultfd
 * @fds: fds.uffd is not used
 * Return: 0; -ENOMEM
 */
UHMM_CHECKED int uhmm_engine_protect_create(struct uhmm_engine **engine,
					    const struct uhmm_engine_fds *fds,
					    const struct uhmm_engine_env *env);

/**
 * uhmm_engine_any_create() - an engine of this kind, or the best there is
 * @uffd_features: 0 there is no userfaultfd
 * Return: 0; -ENOMEM; -EOPNOTSUPP that one cannot work with these features
 */
UHMM_CHECKED int uhmm_engine_any_create(struct uhmm_engine **engine,
					enum uhmm_engine_kind kind,
					const struct uhmm_engine_fds *fds,
					uint64_t uffd_features,
					const struct uhmm_engine_env *env);

/**
 * uhmm_engine_evacuate() - (yields when @patient) device pages whose bytes are
 * in the program's window come to the daemon's memory: the program forks, and
 * its child does not have the window
 * Return: 0; -EIO the program has unmapped some
 */
UHMM_CHECKED int uhmm_engine_evacuate(struct uhmm_engine *engine,
				      bool patient);

/** uhmm_engine_close() - every page was given back: what is registered is so no
 *  more, for nobody will read what the kernel tells of it */
void uhmm_engine_close(struct uhmm_engine *engine);

/** uhmm_engine_litter() - pages in the window that nobody needs, as far as the
 *  engine knows */
uint64_t uhmm_engine_litter(const struct uhmm_engine *engine);

/** uhmm_engine_held() - device pages whose bytes are in the window */
uint64_t uhmm_engine_held(const struct uhmm_engine *engine);

/**
 * uhmm_engine_clean() - (yields) such pages are dropped, and those of device
 * pages of which @lives says that they are free; as many as there are when it
 * is called
 * Return: 0; -ESRCH; another: some are left
 */
UHMM_CHECKED int uhmm_engine_clean(struct uhmm_engine *engine,
				  bool (*lives)(void *ctx, uhmm_dpfn_t dpfn),
				  void *ctx);

/** uhmm_engine_destroy() - forget it; touches no memory of the program */
void uhmm_engine_destroy(struct uhmm_engine *engine);

/**
 * uhmm_engine_let_write() - (yields) a fault on @vpn, which is on its way: do
 * not let it wait if the program's own hands write that page for the migration
 * Return: 0 it goes on, or looks again; -ENOENT they do not: it may wait;
 * -ENOMEM; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_let_write(struct uhmm_engine *engine,
				       uhmm_vpn_t vpn);

/** uhmm_engine_ops() - its operations; their ctx is @engine */
const struct uhmm_mm_ops *uhmm_engine_ops(const struct uhmm_engine *engine);

/** uhmm_engine_needs_uffd() - or does it trap by protection alone? */
bool uhmm_engine_needs_uffd(const struct uhmm_engine *engine);

/** uhmm_engine_name() - "move", "copy" or "protect" */
const char *uhmm_engine_name(const struct uhmm_engine *engine);

/** uhmm_engine_stats() - counters, never reset */
const struct uhmm_engine_stats *uhmm_engine_stats(
	const struct uhmm_engine *engine);

/**
 * uhmm_engine_keep() - from now on what is trapped or watched stays so, also
 * when src/mm is through with it: a mapping must not come apart. Calls nest;
 * afterwards settle (uhmm_mm_settle()).
 */
void uhmm_engine_keep(struct uhmm_engine *engine, bool keep);

/** uhmm_engine_owns() - is a part of @r ours, though the program maps it? */
bool uhmm_engine_owns(const struct uhmm_engine *engine, struct uhmm_range r);

/** uhmm_engine_trapped() - does the engine know @vpn as trapped? */
bool uhmm_engine_trapped(const struct uhmm_engine *engine, uhmm_vpn_t vpn);

/** uhmm_engine_note_unmap() - UNMAP event: @r is not mapped any more */
void uhmm_engine_note_unmap(struct uhmm_engine *engine, struct uhmm_range r);

/**
 * uhmm_engine_note_remap() - REMAP event: [@from, +@npages) is at @to now
 * @from stays as it is: an UNMAP event follows, unless the program kept it
 * (MREMAP_DONTUNMAP), and then it is still trapped.
 */
void uhmm_engine_note_remap(struct uhmm_engine *engine, uhmm_vpn_t from,
			    uhmm_vpn_t to, uint64_t npages);

/**
 * uhmm_engine_note_fork() - FORK event: @child, just made, has trapped what
 * @parent has. The parent's device pages leave its window.
 * Return: 0; -ENOMEM, then it knows of a part; -EIO as uhmm_engine_evacuate()
 */
UHMM_CHECKED int uhmm_engine_note_fork(struct uhmm_engine *child,
				       struct uhmm_engine *parent);

/** What a fork does to memory that it does not copy: leave it out
 *  (MADV_DONTFORK), or give the child, and its children, an empty one
 *  (MADV_WIPEONFORK). */
enum uhmm_engine_unforked {
	UHMM_ENGINE_DONTFORK,
	UHMM_ENGINE_WIPEONFORK,
};

/**
 * uhmm_engine_note_unforked() - from now on a fork does @what to @r, or (@on
 * false) does not
 * Return: 0; -ENOMEM
 */
UHMM_CHECKED int uhmm_engine_note_unforked(struct uhmm_engine *engine,
					   struct uhmm_range r,
					   enum uhmm_engine_unforked what,
					   bool on);

/**
 * uhmm_engine_join() - @r, parts of which are trapped or watched, is trapped or
 * watched all over, so that the kernel sees one mapping. Nothing else changes:
 * a hole that is trapped now is filled when it is touched.
 * Return: 0, also when a part cannot be; -ENOMEM; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_join(struct uhmm_engine *engine,
				  struct uhmm_range r);

/** uhmm_engine_part_end() - where what the kernel has as one mapping, and @vpn
 *  is in, ends; with nothing there, @vpn */
uhmm_vpn_t uhmm_engine_part_end(const struct uhmm_engine *engine,
				uhmm_vpn_t vpn);

/**
 * uhmm_engine_adopt() - the descriptors that were missing (-1) are known now
 * An engine made with a userfaultfd alone can give and wake, no more.
 */
void uhmm_engine_adopt(struct uhmm_engine *engine,
		       const struct uhmm_engine_fds *fds);

/**
 * uhmm_engine_keep_off() - never trap or protect @r: the library's own memory
 * in the program, which must work while a fault is being served
 */
void uhmm_engine_keep_off(struct uhmm_engine *engine, struct uhmm_range r);

/**
 * uhmm_engine_note_uffd() - the program registers memory with a userfaultfd of
 * its own. Memory that fences trap shows nothing of that by itself, so from now
 * on it is looked at.
 */
void uhmm_engine_note_uffd(struct uhmm_engine *engine);

/**
 * uhmm_engine_in_window() - whose bytes are in the program's window
 * @place: (out) of page @dpfn
 * Return: pages from @dpfn on, @npages at most, that are; 0: it is not
 */
uint64_t uhmm_engine_in_window(const struct uhmm_engine *engine,
			       uhmm_dpfn_t dpfn, uint64_t npages,
			       uhmm_vpn_t *place);

/** uhmm_engine_fences() - has the program ever been told of fences? */
bool uhmm_engine_fences(const struct uhmm_engine *engine);

/** uhmm_engine_has_fences() - is any part of @r a fence (fence.h)? */
bool uhmm_engine_has_fences(const struct uhmm_engine *engine,
			    struct uhmm_range r);

/** uhmm_engine_is_shut() - does a fence withhold @vpn altogether? Its page may
 *  be there nevertheless: there were too many mappings to open it alone. */
bool uhmm_engine_is_shut(const struct uhmm_engine *engine, uhmm_vpn_t vpn);

/**
 * uhmm_engine_next_fence() - the first fence of @within that is still there,
 * as (*@r); one that is not is lost (uhmm_engine_env.lost)
 * Return: 1; 0 there is none; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_next_fence(struct uhmm_engine *engine,
					struct uhmm_range within,
					struct uhmm_range *r);

/** uhmm_engine_note_memory_files() - private mappings of a memfd are as good as
 *  looked at by a device. Those of libraries and programs are not: their data is
 *  best left alone. 0; -ENOMEM; -ESRCH */
UHMM_CHECKED int uhmm_engine_note_memory_files(struct uhmm_engine *engine);

/** uhmm_engine_next_fenceable() - the first piece of @within that fences trap and
 *  that a device ever looked at; false: there is none */
bool uhmm_engine_next_fenceable(const struct uhmm_engine *engine,
				struct uhmm_range within,
				struct uhmm_range *piece);

/** uhmm_engine_forget_fences() - @r is not mapped any more */
void uhmm_engine_forget_fences(struct uhmm_engine *engine,
			       struct uhmm_range r);

/**
 * uhmm_engine_fence_prot() - (yields) the program sets the protection of @r,
 * which is a fence: remember @prot (PROT_*); the pages stay away
 * Return: 0; -ENOENT it is none any more; -errno of hands; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_fence_prot(struct uhmm_engine *engine,
					struct uhmm_range r, uint8_t prot);

/**
 * uhmm_engine_open() - (yields) @r, of which no page is away, is no fence any
 * more: it has the protection the program set
 * Return: 0; -errno of hands, and then it is fenced in part; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_open(struct uhmm_engine *engine,
				  struct uhmm_range r);

/** uhmm_engine_tidy_fences() - (yields) open what is fenced against writing
 *  only */
void uhmm_engine_tidy_fences(struct uhmm_engine *engine);

/** uhmm_engine_next_trapped() - the first piece of @within that is trapped;
 *  false: there is none */
bool uhmm_engine_next_trapped(const struct uhmm_engine *engine,
			      struct uhmm_range within,
			      struct uhmm_range *piece);

#endif
