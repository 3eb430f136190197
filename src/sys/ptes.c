/* SPDX-License-Identifier: MIT */
#include "sys/ptes.h"

#include <errno.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "sys/pagesize.h"
#include "sys/procmem.h"
#include "sys/uapi.h"
#include "sys/zeropage.h"

#define BATCH 512	/* pages per pread: 4 KiB of stack */
#define REGIONS 64	/* runs per PAGEMAP_SCAN */

/*
 * The swap entry of a write-protect marker, where the kernel shows it: type 31
 * (SWP_PTE_MARKER) in the low 5 bits, then the kinds of marker, of which bit 0
 * is "write-protected". Other kinds (poison, guard) are not empty entries.
 */
#define MARKER_FRAME (31 | 1 << 5)

/* With PTE_SWAP and PTE_WP: a marker, if it is not a page swapped out. */
#define MAYBE_MARKER (UHMM_PTE_SWAP | UHMM_PTE_WP)

/* pread() of whole words: words read, or -errno. */
static int64_t read_words(int fd, uint64_t first, uint64_t n, uint64_t *word)
{
	int saved = errno;
	ssize_t bytes;

	do {
		bytes = pread(fd, word, n * sizeof(*word),
			      (off_t)(first * sizeof(*word)));
	} while (bytes < 0 && errno == EINTR);
	if (bytes < 0)
		bytes = -errno;
	errno = saved;
	return bytes < 0 ? bytes : bytes / (ssize_t)sizeof(*word);
}

bool uhmm_ptes_alive(const struct uhmm_ptes *ptes)
{
	uint64_t word;

	return read_words(ptes->fd, 0, 1, &word) == 1;
}

int uhmm_ptes_raw(const struct uhmm_ptes *ptes, struct uhmm_range r,
		  uint64_t *word)
{
	uint64_t npages = uhmm_range_npages(r);
	uint64_t done = 0;

	while (done < npages) {
		int64_t n = read_words(ptes->fd, r.start.val + done,
				       npages - done, word + done);

		if (n <= 0 && !uhmm_ptes_alive(ptes))
			return -ESRCH;
		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	memset(word + done, 0, (npages - done) * sizeof(*word));
	return 0;
}

/* @zero: the zero page's frame; 0: not known. */
static uint8_t decode_present(uint64_t word, uint64_t zero)
{
	uint8_t pte = UHMM_PTE_PRESENT;

	if (zero && (word & UHMM_PM_FRAME_MASK) == zero)
		pte |= UHMM_PTE_ZERO;
	if (word & UHMM_PM_FILE)
		pte |= UHMM_PTE_FILE;
	if (word & UHMM_PM_EXCLUSIVE)
		pte |= UHMM_PTE_EXCLUSIVE;
	if (word & UHMM_PM_UFFD_WP)
		pte |= UHMM_PTE_WP;
	return pte;
}

/* MAYBE_MARKER when the word does not say which it is. */
static uint8_t decode(uint64_t word, uint64_t zero)
{
	uint64_t frame = word & UHMM_PM_FRAME_MASK;

	if (word & UHMM_PM_PRESENT)
		return decode_present(word, zero);
	if (!(word & UHMM_PM_SWAP))
		return 0;
	if (!(word & UHMM_PM_UFFD_WP) || (word & UHMM_PM_GUARD))
		return UHMM_PTE_SWAP;
	return frame == MARKER_FRAME ? UHMM_PTE_WP : MAYBE_MARKER;
}

/* Can any page of the machine be swapped out now? */
static bool swap_in_use(void)
{
	int saved = errno;
	struct sysinfo info;
	bool used = sysinfo(&info) < 0 || info.totalswap != info.freeswap;

	errno = saved;
	return used;
}

/* A marker cannot be read, a swapped page can (and is present then). */
static int resolve_by_reading(const struct uhmm_ptes *ptes, uhmm_vpn_t vpn,
			      uint8_t *pte)
{
	uint64_t word = 0;
	char byte;
	int64_t n = uhmm_procmem_read(ptes->mem, uhmm_addr_of(vpn), &byte, 1);

	if (n < 0)
		return (int)n;
	if (n == 0) {
		*pte = UHMM_PTE_WP;
		return 0;
	}
	if (uhmm_ptes_raw(ptes, uhmm_range_of(vpn, 1), &word) < 0)
		return -ESRCH;
	*pte = decode(word, ptes->zero_frame);
	return 0;
}

/* Tell markers from swapped pages in @pte, which has some that may be. */
static int resolve_markers(const struct uhmm_ptes *ptes, struct uhmm_range r,
			   uint8_t *pte, bool swap_used)
{
	uint64_t npages = uhmm_range_npages(r);
	int err = 0;

	swap_used = swap_used || swap_in_use();
	for (uint64_t i = 0; i < npages && !err; i++) {
		if (pte[i] != MAYBE_MARKER)
			continue;
		if (swap_used)
			err = resolve_by_reading(
				ptes, UHMM_VPN(r.start.val + i), &pte[i]);
		else
			pte[i] = UHMM_PTE_WP;
	}
	return err;
}

/* What a batch of words holds. */
struct batch {
	bool present;
	bool maybe_marker;
};

static struct batch decode_batch(const uint64_t *word, uint64_t n,
				 uint64_t zero, uint8_t *pte)
{
	struct batch batch = { .present = false };

	for (uint64_t i = 0; i < n; i++) {
		pte[i] = decode(word[i], zero);
		batch.present |= pte[i] & UHMM_PTE_PRESENT;
		batch.maybe_marker |= pte[i] == MAYBE_MARKER;
	}
	return batch;
}

/* Add to @pte of [@first, ...) what one run of PAGEMAP_SCAN says. */
static void note_region(const struct uhmm_page_region *region,
			struct uhmm_range r, uint8_t *pte)
{
	struct uhmm_range run = uhmm_range_clip(
		(struct uhmm_range){ uhmm_vpn_of(region->start),
				     uhmm_vpn_of(region->end) }, r);
	uint8_t bits = 0;

	if (region->categories & UHMM_PAGE_IS_PFNZERO)
		bits |= UHMM_PTE_ZERO;
	if (region->categories & UHMM_PAGE_IS_HUGE)
		bits |= UHMM_PTE_HUGE;
	for (uint64_t vpn = run.start.val; vpn < run.end.val; vpn++)
		if (pte[vpn - r.start.val] & UHMM_PTE_PRESENT)
			pte[vpn - r.start.val] |= bits;
}

/* One PAGEMAP_SCAN from @addr for pages that are any of @what, @most of them (0:
 * all); regions or -errno. */
static int scan_regions(int fd, uint64_t *addr, uint64_t end, uint64_t most,
			uint64_t what, struct uhmm_page_region vec[REGIONS])
{
	int saved = errno;
	struct uhmm_pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = *addr,
		.end = end,
		.vec = (uintptr_t)vec,
		.vec_len = REGIONS,
		.max_pages = most,
		.category_anyof_mask = what,
		.return_mask = what,
	};
	int ret = ioctl(fd, UHMM_PAGEMAP_SCAN, &arg);

	if (ret < 0)
		ret = -errno;
	errno = saved;
	*addr = arg.walk_end;
	return ret;
}

/* note_region() for each run of pages of @r of which it says something. */
static void note_regions(const struct uhmm_ptes *ptes, struct uhmm_range r,
			 uint8_t *pte)
{
	const uint64_t what = UHMM_PAGE_IS_PFNZERO | UHMM_PAGE_IS_HUGE;
	struct uhmm_page_region vec[REGIONS];
	uint64_t addr = uhmm_addr_of(r.start);
	uint64_t end = uhmm_addr_of(r.end);

	while (addr < end) {
		uint64_t before = addr;
		int n = scan_regions(ptes->fd, &addr, end, 0, what, vec);

		/* an mm that goes away meanwhile is the next call's matter */
		if (n < 0)
			return;
		for (int i = 0; i < n; i++)
			note_region(&vec[i], r, pte);
		if (addr <= before)
			return;
	}
}

/* All words of @r, decoded; *@all is what there is among them. */
static int decode_all(const struct uhmm_ptes *ptes, struct uhmm_range r,
		      uint8_t *pte, struct batch *all)
{
	uint64_t word[BATCH];
	struct uhmm_range part = { r.start, r.start };

	*all = (struct batch){ .present = false };
	for (; part.start.val < r.end.val; part.start = part.end) {
		uint64_t at = part.start.val - r.start.val;
		struct batch found;

		part.end.val = part.start.val + BATCH;
		part = uhmm_range_clip(part, r);
		if (uhmm_ptes_raw(ptes, part, word) < 0)
			return -ESRCH;
		found = decode_batch(word, uhmm_range_npages(part),
				     ptes->zero_frame, pte + at);
		all->present |= found.present;
		all->maybe_marker |= found.maybe_marker;
	}
	return 0;
}

/* If no swap was used before it was looked, nor after, what looks like a marker
 * is one. To ask is a system call: where nothing looks so nobody asks. */
int uhmm_ptes_scan(const struct uhmm_ptes *ptes, struct uhmm_range r,
		   uint8_t *pte)
{
	bool swap_used = false;
	struct batch all;
	int err = decode_all(ptes, r, pte, &all);

	if (!err && all.maybe_marker) {
		swap_used = swap_in_use();
		err = decode_all(ptes, r, pte, &all);
	}
	if (err)
		return err;
	if (all.present && ptes->has_scan)
		note_regions(ptes, r, pte);
	if (all.maybe_marker)
		return resolve_markers(ptes, r, pte, swap_used);
	return 0;
}

uhmm_vpn_t uhmm_ptes_skip_holes(const struct uhmm_ptes *ptes,
				struct uhmm_range r)
{
	struct uhmm_page_region vec[REGIONS];
	uint64_t addr = uhmm_addr_of(r.start);
	int n;

	if (!ptes->has_scan || r.start.val >= r.end.val)
		return r.start;
	n = scan_regions(ptes->fd, &addr, uhmm_addr_of(r.end), 1,
			 UHMM_PAGE_IS_PRESENT | UHMM_PAGE_IS_SWAPPED, vec);
	/* an mm that goes away is the next call's matter */
	if (n < 0)
		return r.start;
	return n ? uhmm_vpn_of(vec[0].start) : r.end;
}

int uhmm_ptes_next(const struct uhmm_ptes *ptes, struct uhmm_range r,
		   uint64_t max, struct uhmm_range *run)
{
	int saved = errno, n;
	struct uhmm_page_region region;
	struct uhmm_pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = uhmm_addr_of(r.start),
		.end = uhmm_addr_of(r.end),
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.max_pages = max,
		.category_inverted = UHMM_PAGE_IS_FILE | UHMM_PAGE_IS_PFNZERO,
		.category_mask = UHMM_PAGE_IS_PRESENT | UHMM_PAGE_IS_FILE |
				 UHMM_PAGE_IS_PFNZERO,
		.return_mask = UHMM_PAGE_IS_PRESENT,
	};

	if (!ptes->has_scan)
		return -EOPNOTSUPP;
	n = ioctl(ptes->fd, UHMM_PAGEMAP_SCAN, &arg);
	errno = saved;
	if (n < 0)
		return -ESRCH;
	if (n == 0)
		return uhmm_ptes_alive(ptes) ? -ENOENT : -ESRCH;
	*run = (struct uhmm_range){ uhmm_vpn_of(region.start),
				    uhmm_vpn_of(region.end) };
	return 0;
}

void uhmm_ptes_init(struct uhmm_ptes *ptes, int pagemap, int mem)
{
	struct uhmm_page_region region[REGIONS];
	uint64_t addr = 0;

	*ptes = (struct uhmm_ptes){
		.fd = pagemap,
		.mem = mem,
		.has_scan = scan_regions(pagemap, &addr, uhmm_page_bytes(), 0,
					 UHMM_PAGE_IS_PFNZERO, region) >= 0,
	};
	if (!ptes->has_scan)
		ptes->zero_frame = uhmm_zero_frame();
}
