/* SPDX-License-Identifier: MIT */
/* conf_errors.c - what fails leaves no trace: a property of all commands
 *
 * Any command, of either device, with an address, a number of pages, a buffer
 * and a struct that may each be good or bad, on memory with holes and all kinds
 * of rights, some of it on a device, some exclusive. Whatever the answer is, the
 * struct, the buffer and the pages hold what the rules allow:
 *
 *   error    the struct has all its old bytes, the buffer its own, each page too
 *   success  the buffer has the data of the pages, or is not touched at all
 *
 * with what the kernel itself does (golden traces) as the only exceptions: of a
 * buffer that ends too soon the writable part may be filled, rightly, and a
 * failing WRITE may have written the leading pages that are in the device's
 * table already.
 *
 * The same seed does the same; UHMM_TEST_SEED chooses another.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "numbered.h"
#include "ranges.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES 24 /* of the arena, with as many without access on either side */
#define MOST 12	  /* pages of one command */
#define NBUF (MOST + 2)
#define STEPS 3000
#define PHASE 100 /* steps after which all is looked at */
#define NCOMMANDS 11

struct page {
	bool mapped;
	int prot;
	uint32_t value; /* of its words; 0: zeros */
};

/* A command, and what it is about to do. */
struct trial {
	unsigned int nr, device;
	int64_t first; /* page of the arena */
	size_t npages;
	uint64_t addr;
	unsigned char *ptr;
	bool ptr_ends; /* before the data does */
	struct uhmm_dmirror_cmd *cmd, before;
};

static struct page model[NPAGES];
static unsigned char *arena, *buf, *was, *edge;
static struct uhmm_dmirror_cmd *structs; /* a page of its own, may be away */
static uint64_t state;
static uint32_t values;
static unsigned int step;
static unsigned int failed[NCOMMANDS], succeeded[NCOMMANDS];

static uint64_t below(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % n;
}

/* @bytes may lie anywhere. */
static bool holds(const unsigned char *bytes, uint32_t value, size_t len)
{
	uint32_t w;

	for (size_t i = 0; i < len; i++) {
		w = numbered_word(value, i / sizeof(w));
		if (bytes[i] != ((unsigned char *)&w)[i % sizeof(w)])
			return false;
	}
	return true;
}

static int device(unsigned int i)
{
	return i ? dev1 : dev0;
}

/* ---- the program's own doing ---- */

static void map_page(size_t i)
{
	void *p = mmap(range_at(arena, i), page_bytes, RW,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(p == range_at(arena, i), "step %u: %s", step, strerror(errno));
	model[i] = (struct page){ .mapped = true, .prot = RW };
}

static void protect_page(size_t i)
{
	static const int prots[] = {
		RW, RW, RW, RW, PROT_READ, PROT_READ, PROT_NONE, PROT_WRITE
	};
	int prot = prots[below(8)];

	if (!model[i].mapped)
		return;
	CHECK(!mprotect(range_at(arena, i), page_bytes, prot), "step %u: %s",
	      step, strerror(errno));
	model[i].prot = prot;
}

static void write_page(size_t i)
{
	if (!model[i].mapped || !(model[i].prot & PROT_WRITE))
		return;
	model[i].value = ++values;
	numbered_fill(range_at(arena, i), model[i].value);
}

static void change_something(void)
{
	size_t i = below(NPAGES);

	switch (below(16)) {
	case 0:
		CHECK(!munmap(range_at(arena, i), page_bytes), "munmap");
		model[i].mapped = false;
		break;
	case 1:
	case 2:
		map_page(i);
		break;
	case 3:
	case 4:
	case 5:
		protect_page(i);
		break;
	default:
		write_page(i);
	}
}

/* ---- looking ---- */

static void check_page(size_t i, const char *when)
{
	if (model[i].mapped && model[i].prot &&
	    !holds(range_at(arena, i), model[i].value, page_bytes))
		probe_fail("step %u, %s: page %zu is not what it was", step,
			   when, i);
}

static void check_all(void)
{
	for (size_t i = 0; i < NPAGES; i++) {
		if (!model[i].mapped)
			continue;
		if (!model[i].prot) {
			model[i].prot = PROT_READ;
			CHECK(!mprotect(range_at(arena, i), page_bytes,
					PROT_READ),
			      "mprotect");
		}
		check_page(i, "after all these");
	}
}

/* ---- a trial ---- */

static void choose_range(struct trial *t)
{
	t->npages = below(16) ? 1 + below(below(2) ? 4 : MOST) : 0;
	t->first = (int64_t)below(NPAGES + 4) - 2;
	t->addr = (uintptr_t)arena + (uint64_t)t->first * page_bytes;
	switch (below(24)) {
	case 0:
		t->addr += 1 + below(page_bytes - 1);
		break;
	case 1:
		t->addr = 0;
		break;
	case 2:
		t->addr = UINT64_C(1) << 63;
		break;
	case 3:
		t->addr = -(uint64_t)page_bytes;
		break;
	case 4:
		t->npages = UINT64_MAX / page_bytes - below(3);
		break;
	default:
		return;
	}
	t->first = NPAGES;
}

/* Good in any place, too short, or none at all. What a WRITE writes has to be
 * whole pages that numbered_fill() made. */
static void choose_buffer(struct trial *t)
{
	size_t len = t->npages * page_bytes;

	t->ptr = range_at(buf, 1);
	if (t->nr != 1 && below(2))
		t->ptr += below(page_bytes);
	switch (below(12)) {
	case 0:
		t->ptr = NULL;
		break;
	case 1:
		t->ptr = (unsigned char *)-page_bytes;
		break;
	case 2:
		t->ptr = edge; /* the page behind the buffer, no access */
		break;
	case 3:
		if (!t->npages || t->npages > MOST)
			return;
		t->ptr = edge - 1 - below(len - 1);
		t->ptr_ends = t->ptr + len > edge;
		break;
	}
}

static void choose_struct(struct trial *t)
{
	unsigned char *junk = (unsigned char *)&t->before;

	for (size_t i = 0; i < sizeof(t->before); i++)
		junk[i] = (unsigned char)below(256);
	t->before.addr = t->addr;
	t->before.ptr = (uintptr_t)t->ptr;
	t->before.npages = t->npages;
	t->cmd = structs + below(page_bytes / sizeof(*structs));
	*t->cmd = t->before;
}

/* The buffer has something of its own; it and the struct may be away. */
static void prepare(struct trial *t)
{
	choose_range(t);
	choose_buffer(t);
	for (size_t i = 0; i < NBUF; i++)
		numbered_fill(range_at(buf, i), ++values);
	memcpy(was, buf, NBUF * page_bytes);
	choose_struct(t);
	if (!below(4))
		(void)probe_try(device((unsigned int)below(2)),
				UHMM_DMIRROR_MIGRATE_TO_DEV, buf, NBUF, was,
				NULL);
	if (!below(4))
		(void)probe_try(device((unsigned int)below(2)),
				UHMM_DMIRROR_MIGRATE_TO_DEV, structs, 1,
				edge + page_bytes, NULL);
}

static struct page *page_of(const struct trial *t, size_t i)
{
	int64_t at = t->first + (int64_t)i;

	return at >= 0 && at < NPAGES ? &model[at] : NULL;
}

static bool reads_back(unsigned int nr)
{
	return nr == 0 || nr == 2 || nr == 5 || nr == 9;
}

/* Bytes [@from, @to) of the buffer are what they were. */
static void check_old(const struct trial *t, const unsigned char *from,
		      const unsigned char *to)
{
	if (from < to &&
	    memcmp(from, was + (from - buf), (size_t)(to - from)) != 0)
		probe_fail("step %u: command %u wrote to its buffer", step,
			   t->nr);
}

/* Is @bytes of the buffer, at most a page, the data of page @i of the trial? */
static bool is_data(const struct trial *t, size_t i, const unsigned char *bytes,
		    size_t len)
{
	const struct page *page = page_of(t, i);

	return page && page->mapped && holds(bytes, page->value, len);
}

static void check_data(const struct trial *t, bool or_old)
{
	for (size_t i = 0; i < t->npages; i++) {
		const unsigned char *at = t->ptr + i * page_bytes;
		size_t len = page_bytes;

		if (at >= edge)
			break;
		if (at + len > edge)
			len = (size_t)(edge - at);
		if (or_old && !memcmp(at, was + (at - buf), len))
			continue;
		if (!is_data(t, i, at, len))
			probe_fail("step %u: command %u: page %zu of the "
				   "buffer is wrong",
				   step, t->nr, i);
	}
}

/* @len: how much of the buffer an answer may fill */
static void check_buffer(const struct trial *t, int ret)
{
	size_t len = 0;

	if (reads_back(t->nr))
		len = t->npages * page_bytes;
	else if (t->nr == 4)
		len = t->npages;
	if (ret && !(ret == -EFAULT && t->ptr_ends))
		len = 0;
	if (!len) {
		check_old(t, buf, edge);
		return;
	}
	check_old(t, buf, t->ptr);
	check_old(t, t->ptr + len, edge);
	if (reads_back(t->nr))
		check_data(t, ret != 0);
}

static void check_struct(const struct trial *t, int ret)
{
	struct uhmm_dmirror_cmd now = *t->cmd;

	if (ret)
		CHECK(!memcmp(&now, &t->before, sizeof(now)),
		      "step %u: command %u: %s, and changed its struct", step,
		      t->nr, strerror(-ret));
	else
		CHECK(now.addr == t->before.addr && now.ptr == t->before.ptr &&
			      now.npages == t->before.npages,
		      "step %u: command %u changed what it was given", step,
		      t->nr);
}

/* What a WRITE writes to its page @i: page @i + 1 of the buffer. */
static uint32_t written(uint32_t i)
{
	return values - NBUF + 2 + i;
}

static void check_pages(struct trial *t, int ret)
{
	bool going = t->nr == 1;

	for (size_t i = 0; i < t->npages && i < MOST; i++) {
		struct page *page = page_of(t, i);
		unsigned char *at;

		if (!page || !page->mapped || !page->prot) {
			going = false;
			continue;
		}
		at = range_at(arena, (size_t)(page - model));
		if (going && holds(at, written((uint32_t)i), page_bytes))
			page->value = written((uint32_t)i);
		else
			going = false;
		if (!ret && t->nr == 1)
			CHECK(going, "step %u: page %zu was not written", step,
			      i);
		check_page((size_t)(page - model), "after a command");
	}
}

static int ask(const struct trial *t)
{
	unsigned long request = UHMM_DMIRROR_IOCTL(t->nr);
	int ret;

	do {
		ret = ioctl(device(t->device), request, t->cmd) ? -errno : 0;
	} while (ret == -EINTR);
	return ret;
}

static bool must_fail(const struct trial *t)
{
	uint64_t end = t->addr + t->npages * page_bytes;

	return t->addr % page_bytes || t->addr >= end || t->nr == 10;
}

static void try_one(void)
{
	struct trial t = { .nr = (unsigned int)below(NCOMMANDS),
			   .device = (unsigned int)below(2) };
	int ret;

	prepare(&t);
	ret = ask(&t);
	if (must_fail(&t))
		CHECK(ret == -EINVAL, "step %u: command %u: %d", step, t.nr,
		      ret);
	if (ret)
		failed[t.nr]++;
	else
		succeeded[t.nr]++;
	check_struct(&t, ret);
	check_buffer(&t, ret);
	if (t.nr == 1 || !below(4))
		check_pages(&t, ret);
}

/* What lies around arena and buffer is mapped, without any access: nobody else
 * may come to lie there. */
static void set_up_memory(void)
{
	arena = range_at(probe_map(3 * NPAGES, PROT_NONE), NPAGES);
	for (size_t i = 0; i < NPAGES; i++)
		map_page(i);
	buf = probe_map(NBUF + 2, RW);
	edge = range_at(buf, NBUF);
	CHECK(!mprotect(edge, page_bytes, PROT_NONE), "mprotect");
	was = malloc(NBUF * page_bytes);
	structs = probe_map(1, RW);
}

static void random_trials(uint64_t seed)
{
	const char *given = getenv("UHMM_TEST_SEED");

	state = given ? strtoull(given, NULL, 0) : seed;
	state = state * UINT64_C(0x9e3779b97f4a7c15) + 1;
	set_up_memory();
	for (step = 1; step <= STEPS; step++) {
		if (below(2))
			change_something();
		try_one();
		if (step % PHASE == 0)
			check_all();
	}
	for (unsigned int nr = 0; nr < NCOMMANDS; nr++)
		CHECK(failed[nr] > 5 && (nr == 10 || succeeded[nr] > 5),
		      "command %u: %u failed, %u succeeded: tells nothing", nr,
		      failed[nr], succeeded[nr]);
}

static void random_one(void)
{
	random_trials(1);
}

static void random_two(void)
{
	random_trials(2);
}

/* ---- a struct that is not there ---- */

static void no_struct(unsigned char *p, enum range_state now)
{
	unsigned char *none = probe_map(2, RW);
	struct uhmm_dmirror_cmd *half =
		(void *)(none + page_bytes - sizeof(*half) / 2);
	void *places[] = { NULL, half, none + page_bytes, (void *)-8L };
	size_t away = range_away(p, RANGE_NPAGES);

	(void)now;
	CHECK(!mprotect(none + page_bytes, page_bytes, PROT_NONE), "mprotect");
	memset(none, 0x5a, page_bytes);
	for (unsigned int nr = 0; nr < NCOMMANDS; nr++)
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			CHECK(ioctl(dev0, UHMM_DMIRROR_IOCTL(nr), places[i]) &&
				      errno == EFAULT,
			      "command %u, place %zu", nr, i);
	for (size_t i = 0; i < page_bytes; i++)
		CHECK(none[i] == 0x5a, "byte %zu", i);
	CHECK(range_away(p, RANGE_NPAGES) == away, "pages came back");
	range_is(p, 0, RANGE_NPAGES, "afterwards");
	probe_unmap(none, 2);
}

static void each_no_struct(void)
{
	range_each(no_struct);
}

/* ---- a WRITE with nothing in the device's table ---- */

static void write_fails_late(unsigned char *p, enum range_state now)
{
	unsigned char *from = probe_map(RANGE_NPAGES, RW);
	size_t last = RANGE_NPAGES - 1;
	int fd = probe_open(0), ret;

	(void)now;
	memset(from, 0x33, RANGE_NPAGES * page_bytes);
	CHECK(!mprotect(range_at(p, last), page_bytes, PROT_READ), "mprotect");
	ret = probe_try(fd, UHMM_DMIRROR_WRITE, p, RANGE_NPAGES, from, NULL);
	CHECK(ret == -EPERM, "a page that may not be written: %d", ret);
	CHECK(!mprotect(range_at(p, last), page_bytes, PROT_NONE), "mprotect");
	ret = probe_try(fd, UHMM_DMIRROR_WRITE, p, RANGE_NPAGES, from, NULL);
	CHECK(ret == -EFAULT, "a page that may not be read: %d", ret);
	probe_unmap(range_at(p, last), 1);
	ret = probe_try(fd, UHMM_DMIRROR_WRITE, p, RANGE_NPAGES, from, NULL);
	CHECK(ret == -EFAULT, "a hole: %d", ret);
	range_is(p, 0, last, "afterwards");
	probe_unmap(from, RANGE_NPAGES);
}

static void each_write_fails_late(void)
{
	range_each(write_fails_late);
}

static const struct conf_case cases[] = {
	{ "random_one", "errors at random: struct, buffer, pages are untouched",
	  random_one },
	{ "random_two", "the same, another seed", random_two },
	{ "no_struct", "no struct: EFAULT, nothing moves", each_no_struct },
	{ "write_fails_late",
	  "WRITE that fails at its last page has written none",
	  each_write_fails_late },
};

CONF_MAIN("errors", range_set_up, cases)
