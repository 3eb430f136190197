/* SPDX-License-Identifier: MIT */
/* conf_torture.c - complete nonsense that nobody would do, but which should
 * work (S3.6): mappings are moved, cut, protected, locked and forked at random
 * while huge and base pages of them go to the device and back, and every byte
 * is checked
 *
 * The same seed does the same; UHMM_TEST_SEED chooses another.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "numbered.h"

#define RW (PROT_READ | PROT_WRITE)
#define UNITS 6
#define UNIT 512
#define NPAGES (UNITS * UNIT)
#define STEPS 120
#define COLLAPSE 25 /* Linux 6.1 */
#define PHASE 40    /* steps after which all is looked at */

/* What a page should be. Two pages alike and side by side may be remapped in
 * one call: they are of one mapping. */
struct page {
	uint32_t mapping; /* which map() made it, 0: nothing is there */
	uint32_t value;	  /* of its words, 0: zeros */
	bool write, locked;
	int advice;
};

static struct page model[NPAGES];
static char *arena;
static unsigned char *buf;
static int fd;
static uint64_t state;
static uint32_t mappings, values;
static unsigned int step;
static size_t units_seen;

static uint64_t below(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % n;
}

static char *at(size_t i)
{
	return arena + i * page_bytes;
}

static void check(const void *page, size_t p, const char *when)
{
	const uint32_t *w = page;

	for (size_t i = 0; i < page_bytes / sizeof(*w); i++)
		if (w[i] != numbered_word(model[p].value, i))
			probe_fail(
				"step %u, %s: word %zu of page %zu is %#x, not %#x",
				step, when, i, p, w[i],
				numbered_word(model[p].value, i));
}

/* ---- ranges ---- */

struct range {
	size_t start, n;
};

/* Often a whole unit or some, often aligned. */
static struct range pick(void)
{
	struct range r = { .n = below(2) ? UNIT * (1 + below(2))
					 : 1 + below(UNIT + UNIT / 2) };

	r.start = below(NPAGES - r.n + 1);
	if (below(2))
		r.start -= r.start % UNIT;
	return r;
}

static bool alike(const struct page *a, const struct page *b)
{
	return a->mapping == b->mapping && a->write == b->write &&
	       a->locked == b->locked && a->advice == b->advice;
}

/* The front of @r that is one mapping; empty when it begins in a hole. */
static struct range one_mapping(struct range r)
{
	size_t n = 0;

	while (n < r.n && model[r.start].mapping &&
	       alike(&model[r.start], &model[r.start + n]))
		n++;
	r.n = n;
	return r;
}

static bool any_locked(struct range r)
{
	for (size_t i = r.start; i < r.start + r.n; i++)
		if (model[i].mapping && model[i].locked)
			return true;
	return false;
}

static size_t bytes_of(struct range r)
{
	return r.n * page_bytes;
}

static void clear(struct range r)
{
	memset(&model[r.start], 0, r.n * sizeof(model[0]));
}

/* ---- what the program does ---- */

static void map(struct range r)
{
	static const int advices[] = { MADV_HUGEPAGE, MADV_NOHUGEPAGE,
				       MADV_HUGEPAGE };
	int advice = advices[below(3)];
	void *p = mmap(at(r.start), bytes_of(r), RW,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(p == at(r.start), "step %u: mmap: %s", step, strerror(errno));
	CHECK(!madvise(p, bytes_of(r), advice), "madvise");
	mappings++;
	for (size_t i = r.start; i < r.start + r.n; i++)
		model[i] = (struct page){ .mapping = mappings,
					  .write = true,
					  .advice = advice };
}

static void unmap(struct range r)
{
	CHECK(!munmap(at(r.start), bytes_of(r)), "step %u: %s", step,
	      strerror(errno));
	clear(r);
}

static void protect(struct range r)
{
	bool write = below(3);

	r = one_mapping(r);
	if (!r.n)
		return;
	CHECK(!mprotect(at(r.start), bytes_of(r), write ? RW : PROT_READ),
	      "step %u: %s", step, strerror(errno));
	for (size_t i = r.start; i < r.start + r.n; i++)
		model[i].write = write;
}

static void dontneed(struct range r)
{
	if (any_locked(r))
		return;
	(void)madvise(at(r.start), bytes_of(r), MADV_DONTNEED);
	for (size_t i = r.start; i < r.start + r.n; i++)
		model[i].value = 0;
}

/* Advice that changes no byte. */
static void advise(struct range r)
{
	static const int advice[] = { COLLAPSE, MADV_COLD, MADV_PAGEOUT,
				      MADV_WILLNEED };

	(void)madvise(at(r.start), bytes_of(r), advice[below(4)]);
}

static void lock(struct range r)
{
	bool locked = below(2);

	r = one_mapping(r);
	if (!r.n)
		return;
	if (locked ? mlock(at(r.start), bytes_of(r))
		   : munlock(at(r.start), bytes_of(r)))
		probe_skip("mlock: %s", strerror(errno));
	for (size_t i = r.start; i < r.start + r.n; i++)
		model[i].locked = locked;
}

static void move(struct range r)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	bool keep = below(4) == 0;
	size_t to;
	void *p;

	r = one_mapping(r);
	to = below(NPAGES - r.n + 1);
	if (below(2))
		to -= to % UNIT;
	if (!r.n || (to < r.start + r.n && r.start < to + r.n))
		return;
	p = mremap(at(r.start), bytes_of(r), bytes_of(r),
		   keep ? flags | MREMAP_DONTUNMAP : flags, at(to));
	if (p == MAP_FAILED) {
		/* the kernel sees more mappings than we do; what was there is
		 * gone all the same */
		CHECK(errno == EFAULT, "step %u: mremap: %s", step,
		      strerror(errno));
		unmap((struct range){ to, r.n });
		return;
	}
	CHECK(p == at(to), "step %u: mremap went elsewhere", step);
	memcpy(&model[to], &model[r.start], r.n * sizeof(model[0]));
	mappings++;
	for (size_t i = 0; i < r.n; i++) {
		model[to + i].mapping = mappings;
		model[r.start + i].value = 0;
		model[r.start + i].locked = false;
	}
	if (!keep)
		clear(r);
}

static void write_some(struct range r)
{
	for (size_t i = r.start; i < r.start + r.n; i++) {
		if (!model[i].mapping || !model[i].write)
			continue;
		model[i].value = ++values;
		numbered_fill(at(i), model[i].value);
	}
}

static void read_some(struct range r, const char *when)
{
	for (size_t i = r.start; i < r.start + r.n; i++)
		if (model[i].mapping)
			check(at(i), i, when);
}

/* The child sees what there is and writes; that is its own. */
static void fork_some(struct range r)
{
	int pid = fork();

	CHECK(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0) {
		read_some(r, "in the child");
		write_some(pick());
		read_some(pick(), "written in the child");
		_exit(0);
	}
	if (below(2))
		write_some(pick());
	probe_wait(pid, "the child");
}

/* ---- what the device does ---- */

static int device(unsigned long request, struct range r)
{
	return probe_try(fd, request, at(r.start), r.n, buf, NULL);
}

/* The device has been given the data of @r, up to the first page that is not
 * there. */
static void check_buf(struct range r, const char *when)
{
	for (size_t i = 0; i < r.n; i++)
		check(buf + i * page_bytes, r.start + i, when);
}

static void to_dev(struct range r)
{
	int err;

	if (below(8) == 0)
		(void)probe_try(fd, UHMM_DMIRROR_FLAGS, NULL, 1, NULL, NULL);
	err = device(UHMM_DMIRROR_MIGRATE_TO_DEV, r);
	CHECK(!err || err == -EINVAL || err == -ENOENT,
	      "step %u: MIGRATE_TO_DEV: %d", step, err);
	if (err)
		return;
	check_buf(r, "handed back");
	CHECK(!device(UHMM_DMIRROR_SNAPSHOT, r), "step %u: SNAPSHOT", step);
	for (size_t i = 0; i < r.n; i += UNIT)
		units_seen += buf[i] == 0x26 || buf[i] == 0x25;
}

static void to_sys(struct range r)
{
	int err;

	if (below(8) == 0)
		(void)probe_try(fd, UHMM_DMIRROR_FLAGS, NULL, 1, NULL, NULL);
	err = device(UHMM_DMIRROR_MIGRATE_TO_SYS, r);
	CHECK(!err || err == -EINVAL || err == -ENOMEM,
	      "step %u: MIGRATE_TO_SYS: %d", step, err);
}

static void device_read(struct range r)
{
	int err = device(UHMM_DMIRROR_READ, r);

	CHECK(!err || err == -EFAULT, "step %u: READ: %d", step, err);
	if (!err)
		check_buf(r, "read by the device");
}

static void device_write(struct range r)
{
	int err;

	r = one_mapping(r);
	if (!r.n || !model[r.start].write)
		return;
	for (size_t i = 0; i < r.n; i++) {
		model[r.start + i].value = ++values;
		numbered_fill(buf + i * page_bytes, model[r.start + i].value);
	}
	err = device(UHMM_DMIRROR_WRITE, r);
	CHECK(!err, "step %u: WRITE: %d", step, err);
}

static void exclusive(struct range r)
{
	int err = device(UHMM_DMIRROR_EXCLUSIVE, r);

	CHECK(!err || err == -EFAULT || err == -ENOENT,
	      "step %u: EXCLUSIVE: %d", step, err);
	if (!err)
		check_buf(r, "exclusive");
}

static void release(struct range r)
{
	(void)r;
	CHECK(!probe_try(fd, UHMM_DMIRROR_RELEASE, NULL, 1, NULL, NULL),
	      "step %u: RELEASE", step);
}

/* ---- at random ---- */

/* Units, as the device likes them: huge pages, or memory nobody touched. */
static void fresh(struct range r)
{
	r.start -= r.start % UNIT;
	r.n = UNIT * (1 + below(2));
	if (r.start + r.n > NPAGES)
		r.n = UNIT;
	map(r);
	if (below(2))
		write_some(r);
	if (below(2))
		(void)madvise(at(r.start), bytes_of(r), COLLAPSE);
	to_dev(r);
}

static void read_range(struct range r)
{
	read_some(r, "read");
}

/* How often each, of all of them. */
static const struct {
	void (*act)(struct range r);
	unsigned int weight;
} acts[] = {
	/* clang-format off */
	{ map, 2 }, { unmap, 1 }, { protect, 3 }, { dontneed, 1 },
	{ advise, 2 }, { lock, 2 }, { move, 6 }, { write_some, 3 },
	{ read_range, 2 }, { fork_some, 2 }, { fresh, 12 }, { to_dev, 6 },
	{ to_sys, 3 }, { device_read, 2 }, { device_write, 2 },
	{ exclusive, 1 }, { release, 1 },
	/* clang-format on */
};

static void act(void)
{
	unsigned int all = 0, n;
	size_t i;

	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		all += acts[i].weight;
	n = (unsigned int)below(all);
	for (i = 0; n >= acts[i].weight; i++)
		n -= acts[i].weight;
	acts[i].act(pick());
}

static void torture(uint64_t seed)
{
	const char *env = getenv("UHMM_TEST_SEED");
	const struct range all = { 0, NPAGES };

	if (env)
		seed = strtoull(env, NULL, 0);
	printf("UHMM_TEST_SEED=%llu\n", (unsigned long long)seed);
	state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (size_t i = 0; i < UNITS; i++)
		map((struct range){ i * UNIT, UNIT });
	write_some(all);
	for (step = 1; step <= STEPS; step++) {
		act();
		if (step % PHASE == 0)
			read_some(all, "looked at");
	}
	read_some(all, "in the end");
	printf("%zu times a unit was on the device\n", units_seen);
}

static void set_up(void)
{
	uintptr_t unit = UNIT * page_bytes;
	uintptr_t p = (uintptr_t)probe_map(NPAGES + UNIT, PROT_NONE);

	arena = (char *)((p + unit - 1) & -unit);
	buf = probe_map(NPAGES, RW);
	fd = probe_open(0);
}

/* Holes of 2 MiB are units whatever the machine says of huge pages. */
static void torture_1(void)
{
	torture(1);
	CHECK(units_seen, "no unit ever was on the device");
}

static void torture_2(void)
{
	torture(2);
	CHECK(units_seen, "no unit ever was on the device");
}

static void torture_coherent(void)
{
	close(fd);
	fd = probe_open(2);
	torture(3);
}

static const struct conf_case cases[] = {
	{ "torture_1", "nonsense with huge pages and base pages, seed 1",
	  torture_1 },
	{ "torture_2", "nonsense with huge pages and base pages, seed 2",
	  torture_2 },
	{ "torture_coherent", "nonsense with a coherent device, seed 3",
	  torture_coherent },
};

CONF_MAIN("conf_torture", set_up, cases)
