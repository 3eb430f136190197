/* SPDX-License-Identifier: MIT */
/* program.h - a real process under test, and a small daemon around an engine
 *
 * The program is a forked child: it opens a userfaultfd and its own /proc
 * files, hands them over and then calls what it is told to, functions of this
 * very binary, on one of two threads; a third thread lends its hands. It dies
 * with the test and writes nowhere but into a file.
 * The test process is the daemon, with one thread: whatever it waits for, it
 * reads the program's userfaultfd meanwhile.
 */
#ifndef UHMM_TESTS_SYS_PROGRAM_H
#define UHMM_TESTS_SYS_PROGRAM_H

#include <sys/types.h>

#include "sys/devmem.h"
#include "sys/engine_base.h"

/** With which engine? Given by the build, so that a suite is one or the other. */
#ifndef PROG_MOVES
#define PROG_MOVES 0
#endif

#define PROG_SKIP 77
#define PROG_PAGES 4096		/* of prog.device */
#define PROG_SEEN 256
#define PROG_DPFN 1024		/* first device page */
#define PROG_DEVICE_PAGES 65536

enum prog_flags {
	PROG_NOBODY = 1 << 0,	/* no privilege, user-mode faults only */
	PROG_NO_MARKERS = 1 << 1,	/* as before Linux 6.4 */
	PROG_PROTECT = 1 << 2,	/* the engine without a userfaultfd */
};

enum prog_thread { PROG_MAIN, PROG_SECOND, PROG_HANDS, PROG_NR_THREADS };

typedef long (*prog_fn)(long a, long b, long c);

struct prog {
	pid_t pid;
	int channel[PROG_NR_THREADS];
	int output;		/* what the program wrote to 1 and 2 */
	struct uhmm_engine_fds fds;
	uint64_t features;
	struct uhmm_devmem devmem;
	struct uhmm_engine *engine;
	const struct uhmm_mm_ops *ops;

	bool locked;
	unsigned int unlocks;
	bool refuse_zap;	/* hands fail with -EINVAL */
	bool zapping;		/* a removal is our own */
	void (*before_move)(struct prog *p);	/* if there is one */
	bool hands_busy;	/* somebody else has them: nothing is moved */
	struct uhmm_range flight;	/* being taken: faults there wait */
	bool flight_dropped;	/* ... and was unmapped meanwhile */

	unsigned int nlost;	/* fences that were not there any more */
	unsigned int ntidy;

	bool answer;		/* faults are answered when read */
	unsigned int nseen;	/* every message read, the first ones kept */
	struct uffd_msg seen[PROG_SEEN];
	unsigned int nfaults;
	unsigned int nevents;

	uhmm_vpn_t base;	/* prog_map() */
	uint64_t npages;
	uhmm_dpfn_t device[PROG_PAGES];	/* where base + i is; 0: not taken */
};

/** prog_permitted() - false, with a word why, where there is no userfaultfd */
bool prog_permitted(void);

void prog_start(struct prog *p, unsigned int flags);
void prog_stop(struct prog *p);

/** prog_kill() - the program is dead and its mm gone when this returns */
void prog_kill(struct prog *p);

/** prog_begin() - @fn runs on a thread of the program from now on */
void prog_begin(struct prog *p, enum prog_thread thread, prog_fn fn, long a,
		long b, long c);

/** prog_done() - has it returned (*@ret)? Waits @ms, reading messages. */
bool prog_done(struct prog *p, enum prog_thread thread, int ms, long *ret);

/** prog_call() - run @fn on the main thread and wait for it */
long prog_call(struct prog *p, prog_fn fn, long a, long b, long c);

/** prog_pump() - read messages, wait up to @ms for the first; how many */
unsigned int prog_pump(struct prog *p, int ms);

/** prog_map() - @npages of fresh memory in the program, at p->base, with the
 *  number of each page in its first word when @fill */
void prog_map(struct prog *p, uint64_t npages, bool fill);

/** prog_range() - [@first, +@npages) of p->base as a range */
struct uhmm_range prog_range(const struct prog *p, uint64_t first,
			     uint64_t npages);

/** prog_take() - trap and take these pages of p->base, checked */
void prog_take(struct prog *p, uint64_t first, uint64_t npages);

/** prog_try_take() - the same, unchecked; the run as it ended, with the error
 *  of trap or take in it if that failed; prog_try_take_as() - with these flags */
struct uhmm_run prog_try_take(struct prog *p, uint64_t first, uint64_t npages);
struct uhmm_run prog_try_take_as(struct prog *p, uint64_t first,
				 uint64_t npages, uint32_t flags);

/** prog_give() - give them back; the run, for its error */
struct uhmm_run prog_give(struct prog *p, uint64_t first, uint64_t npages,
			  uint32_t flags);

/** prog_word() - first word of the device page that base + @i is on; with
 *  engine move of a copy of it, good until the next call */
uint64_t *prog_word(struct prog *p, uint64_t i);

/** prog_pte() - state of page base + @i */
uint8_t prog_pte(struct prog *p, uint64_t i);

/* To be run in the program. */
long in_map(long npages, long prot, long flags);
long in_map_numbered(long npages, long prot, long flags);	/* its number in each */
long in_truncate(long npages, long unused, long unused2);	/* that file */
long in_map_at(long addr, long npages, long unused);	/* not over another */
long in_unmap(long addr, long bytes, long unused);
long in_protect(long addr, long bytes, long prot);
long in_fill(long addr, long npages, long unused);	/* its number in each */
long in_sum(long addr, long npages, long unused);	/* sum of first words */
long in_read(long addr, long unused, long unused2);
long in_write(long addr, long value, long unused);
long in_try(long addr, long write, long unused);	/* 0; -1: SIGSEGV */
long in_madvise(long addr, long bytes, long advice);
long in_remap(long addr, long bytes, long new_addr);	/* 0: anywhere */

#endif
