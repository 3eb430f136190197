/* SPDX-License-Identifier: MIT */
/* fake_mm.h - programs that are not there: what src/mm sees of one, in memory
 *
 * Theory of operation. A struct fake is a world: one core, its store, device
 * memory, and some programs (struct fake_mm). A program has mappings and pages
 * of 64 bytes; what it does (map, unmap, fork, read, write) is a function here,
 * and what src/mm has done to it is the table fake_ops. Everything that a
 * kernel would do by itself is done (zero page, COW, sharing, write-protect
 * bits, faults of trapped pages), so that data can be verified end to end.
 *
 * An operation can be made to fail (fake_fail) and anything can be made to
 * happen before or after one (fake_before, fake_after): that is what (yields)
 * means. A thread of the program that stops at a page, or a second request, is
 * a task (fake_task.h).
 *
 * What a real engine does and this one, too: when an operation yielded and the
 * program's mappings changed meanwhile, it does no more and says -EAGAIN.
 *
 * Contents: a page holds a number, see fake_fill(). 0 is a page of zeros.
 */
#ifndef UHMM_TESTS_FAKE_MM_H
#define UHMM_TESTS_FAKE_MM_H

#include "fake_task.h"
#include "mm/mm.h"
#include "unit.h"

#define FAKE_PAGE_BYTES UINT64_C(64)
#define FAKE_PMD_NPAGES UINT64_C(512)
/* How large the world is; tests/model has a small one. */
#ifndef FAKE_NPAGES
/** Page numbers of a program are below this. */
#define FAKE_NPAGES UINT64_C(4096)
/** Device page numbers are below this. */
#define FAKE_DPFNS UINT64_C(16384)
#define FAKE_MMS 64
#endif

/** Operations that are counted, and can fail or be waited at. */
enum fake_op {
	FAKE_VMA_FIND,
	FAKE_SCAN,
	FAKE_TRAP,
	FAKE_UNTRAP,
	FAKE_WATCH,
	FAKE_RELAX,
	FAKE_PROTECT,
	FAKE_UNPROTECT,
	FAKE_TAKE,
	FAKE_TAKE_PAGE,		/* one page of a take: stops midway */
	FAKE_ZAP,		/* of a take: copied, about to leave */
	FAKE_GIVE,
	FAKE_GIVE_PAGE,
	FAKE_GIVE_ZERO,
	FAKE_WAKE,
	FAKE_FAULT_IN,
	FAKE_SPLIT,
	FAKE_READ,
	FAKE_WRITE,
	FAKE_COPY_FROM,		/* fake_user.h */
	FAKE_COPY_TO,
	FAKE_WAIT,		/* of the core */
	FAKE_NR_OPS
};

/** What one mapping is; zero is an anonymous private one without rights. */
struct fake_kind {
	bool read, write, exec, shared, hugetlb, special, pfnmap;
	bool file;		/* private or shared mapping of a file */
	int trap_error;		/* what trap() says to it, 0: nothing */
	uint64_t file_npages;	/* the file ends there, 0: it does not */
};

extern const struct fake_kind fake_rw, fake_ro, fake_none;

struct fake_page {
	unsigned int refs;	/* entries and files that hold it */
	unsigned char bytes[FAKE_PAGE_BYTES];
};

/** A page number of a program. All zero: nothing is mapped there. */
struct fake_pte {
	struct fake_page *page;	/* of a PRESENT or SWAP one, but no ZERO one */
	uint8_t bits;		/* enum uhmm_pte, without EXCLUSIVE */
	bool mapped, dontfork;
	bool trapped, watched;	/* one of them at most */
	bool fenced;		/* trapped by its protection: reads stop, too */
	struct fake_kind kind;
	uint32_t mapping;	/* which mmap() made it */
	uint32_t offset;	/* in that, and in its file */
	struct fake_file *file;
};

/** fake_by_fence() - private memory of a file is trapped by its protection */
static inline bool fake_by_fence(const struct fake_pte *pte)
{
	return pte->kind.file && !pte->kind.shared;
}

/** What is behind shared memory, and behind a file. */
struct fake_file {
	struct fake_file *next;
	struct fake_page *page[FAKE_NPAGES];
};

/** One program. */
struct fake_mm {
	struct fake *f;
	struct uhmm_mm *mm;	/* this holds a reference */
	bool dead;
	uint32_t events;	/* that src/mm was told of */
	struct fake_pte pte[FAKE_NPAGES];
};

/** One call of an operation. */
struct fake_call {
	enum fake_op op;
	uint32_t flags;		/* of a run; for others: write */
	uint64_t vpn, npages;
	const struct fake_mm *mm; /* NULL: none in particular */
};

struct fake_hook {
	enum fake_op op;
	unsigned int countdown;	/* 0: free */
	bool after;
	void (*fn)(void *arg);
	void *arg;
};

struct fake_failure {
	enum fake_op op;
	unsigned int from, n;	/* calls until it starts, calls it lasts */
	int err;
};

#define FAKE_CALLS 256
#define FAKE_HOOKS 8
#define FAKE_FAILURES 4

/** struct fake - a world */
struct fake {
	struct uhmm_core core;
	struct fake_tasks tasks;
	struct fake_mm *mm[FAKE_MMS];
	unsigned int nmms;
	struct fake_file *files;
	uint32_t mappings;
	uint64_t now_ns, tick_ns;	/* now_ns() goes on by a tick */
	uint64_t calls[FAKE_NR_OPS];
	struct fake_call call[FAKE_CALLS];	/* a ring of the last ones */
	uint64_t ncalls;
	struct fake_hook hook[FAKE_HOOKS];
	struct fake_failure failure[FAKE_FAILURES];
	unsigned int failed;		/* failures that were handed out */
	bool no_huge;			/* give() finds no memory for one */
	bool careless;			/* take() does not look for changes of
					 * the mappings */
	unsigned int pause_one_in;	/* a task pauses at one in so many
					 * operations that yield; 0: never */
	struct unit_random random;	/* for that */
	unsigned int pause_at;		/* it pauses at that one of them, then
					 * never; 0: never */
	uint64_t pauses;		/* how often one did */
	unsigned char *devmem;		/* FAKE_DPFNS pages */
};

extern const struct uhmm_mm_ops fake_ops;

/* ---- the world ---- */

/** fake_init() - @limits NULL: enough of everything */
void fake_init(struct fake *f, const struct uhmm_store_limits *limits);

/** fake_fini() - kills who lives; every page must be free by then */
void fake_fini(struct fake *f);

/** fake_check() - uhmm_mm_check(), and that no page is lost or doubled: where
 *  a device page is, the CPU has none */
void fake_check(struct fake *f);

/** fake_check_idle() - the same, and that nothing is on its way */
void fake_check_idle(struct fake *f);

/** fake_fail() - calls @from .. @from + @n - 1 of @op from now on (1: the
 *  next) answer @err */
void fake_fail(struct fake *f, enum fake_op op, unsigned int from,
	       unsigned int n, int err);

/** fake_fail_nth() - only the @nth */
void fake_fail_nth(struct fake *f, enum fake_op op, unsigned int nth, int err);

/** fake_heal() - nothing fails any more and nothing is hooked */
void fake_heal(struct fake *f);

/** fake_before(), fake_after() - @fn(@arg) happens around call @nth (1: the
 *  next) of @op */
void fake_before(struct fake *f, enum fake_op op, unsigned int nth,
		 void (*fn)(void *arg), void *arg);
void fake_after(struct fake *f, enum fake_op op, unsigned int nth,
		void (*fn)(void *arg), void *arg);

/** fake_device_bytes() - of device page @dpfn */
unsigned char *fake_device_bytes(struct fake *f, uhmm_dpfn_t dpfn);

/** fake_is_coherent() - is device page @dpfn one of a coherent device? */
bool fake_is_coherent(const struct fake *f, uhmm_dpfn_t dpfn);

/* ---- contents ---- */

/** fake_fill() - @page holds @value */
void fake_fill(void *page, uint64_t value);

/** fake_value() - what @page holds; it holds one number all over */
uint64_t fake_value(const void *page);

/* ---- what a program does ---- */

/** fake_start() - a new program without mappings */
struct fake_mm *fake_start(struct fake *f);

/** fake_fork() - and the child; src/mm is told before and after.
 *  fake_raw_fork() - only after, as of one that passes no hook */
struct fake_mm *fake_fork(struct fake_mm *m);
struct fake_mm *fake_raw_fork(struct fake_mm *m);

/** fake_exit() - the mm goes; files that it opened are the caller's matter */
void fake_exit(struct fake_mm *m);

/** fake_map() - mmap(MAP_FIXED) of anonymous memory, or of a new file */
void fake_map(struct fake_mm *m, uint64_t vpn, uint64_t npages,
	      const struct fake_kind *kind);

void fake_unmap(struct fake_mm *m, uint64_t vpn, uint64_t npages);
void fake_dontneed(struct fake_mm *m, uint64_t vpn, uint64_t npages);

/** fake_remap() - mremap(MAYMOVE | FIXED [| DONTUNMAP]) */
void fake_remap(struct fake_mm *m, uint64_t from, uint64_t to, uint64_t npages,
		bool dontunmap);

/** fake_protect() - mprotect() to the rights of @kind */
void fake_protect(struct fake_mm *m, uint64_t vpn, uint64_t npages,
		  const struct fake_kind *kind);

/** fake_dontfork() - a child does not get these pages (MADV_DONTFORK) */
void fake_dontfork(struct fake_mm *m, uint64_t vpn, uint64_t npages);

/** fake_set_huge() - these present pages are mapped by a PMD, @pud: by a PUD */
void fake_set_huge(struct fake_mm *m, uint64_t vpn, uint64_t npages, bool pud);

/** fake_set_huge_zero() - the huge zero page is mapped at @vpn */
void fake_set_huge_zero(struct fake_mm *m, uint64_t vpn);

/** fake_count_huge() - of the pages [@vpn, +@npages), mapped by a PMD */
uint64_t fake_count_huge(const struct fake_mm *m, uint64_t vpn,
			 uint64_t npages);

/** fake_swap_out() - these present pages are */
void fake_swap_out(struct fake_mm *m, uint64_t vpn, uint64_t npages);

/** fake_is_trapped() - is a page of the range trapped? */
bool fake_is_trapped(const struct fake_mm *m, uint64_t vpn, uint64_t npages);

/** fake_is_ordinary() - is none of them trapped, watched or protected? */
bool fake_is_ordinary(const struct fake_mm *m, uint64_t vpn, uint64_t npages);

/** fake_pte_bits() - as scan() says it */
uint8_t fake_pte_bits(const struct fake_mm *m, uint64_t vpn);

/* ---- what its CPU does ---- */

/**
 * fake_cpu_read(), fake_cpu_write() - (yields) touch one page; stops at a
 * trapped one until src/mm has answered
 * Return: 0; -EFAULT it would get a signal; -ESRCH it is dead
 */
int fake_cpu_read(struct fake_mm *m, uint64_t vpn, uint64_t *value);
int fake_cpu_write(struct fake_mm *m, uint64_t vpn, uint64_t value);

/** fake_get() - value at @vpn, which is readable */
uint64_t fake_get(struct fake_mm *m, uint64_t vpn);

/** fake_put() - write pages [@vpn, +@npages) with @value, @value + 1, ... */
void fake_put(struct fake_mm *m, uint64_t vpn, uint64_t npages,
	      uint64_t value);

/** fake_expect() - they hold @value, @value + 1, ... (0: zeros) */
void fake_expect(struct fake_mm *m, uint64_t vpn, uint64_t npages,
		 uint64_t value);

/** fake_peek() - what is at @vpn, on a device or not, without touching it;
 *  zeros where nothing is */
uint64_t fake_peek(struct fake_mm *m, uint64_t vpn);

/* ---- for the files of the fake only ---- */

/** fake_enter() - count and note a call, run hooks. Return: an error to
 *  answer instead, or 0 */
int fake_enter(struct fake *f, struct fake_call call);

/** fake_leave() - run the hooks after it */
void fake_leave(struct fake *f, enum fake_op op);

/** fake_touch() - (yields) make @vpn one the CPU may read, or @write; errors
 *  as of fake_cpu_read() */
int fake_touch(struct fake_mm *m, uint64_t vpn, bool write);

/** fake_split_huge() - PMDs that map a part of the range only map base pages */
void fake_split_huge(struct fake_mm *m, uint64_t vpn, uint64_t npages);

/** fake_same_mapping() - is @r in one mapping? */
bool fake_same_mapping(const struct fake_mm *m, struct uhmm_range r);

/** fake_hold(), fake_drop() - an entry of @pte gets or loses its page */
void fake_hold(struct fake_pte *pte, struct fake_page *page, uint8_t bits);
void fake_drop(struct fake_pte *pte);

/** fake_page_new() - with the bytes of @from, NULL: zeros; no reference yet */
struct fake_page *fake_page_new(const void *from);

/** fake_pte_write() - make the present entry at @vpn one that may be written:
 *  break COW and the zero page */
void fake_pte_write(struct fake_mm *m, uint64_t vpn);

#endif
