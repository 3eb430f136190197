/* SPDX-License-Identifier: MIT */
/* probe_remap.c - mremap of what the daemon says are several mappings: here each
 * page has another protection than its neighbours (fake_log.parts)
 */
#include "probe.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#define MOVE MREMAP_MAYMOVE
#define TO_PLACE (MREMAP_MAYMOVE | MREMAP_FIXED)

static size_t size;

static unsigned char *at(unsigned char *p, int i)
{
	return p + (size_t)i * size;
}

/* @n pages that hold @byte, @byte + 1 ..., each a mapping, and a hole behind
 * them. */
static unsigned char *mappings(unsigned char byte, int n)
{
	unsigned char *p = page(0, n + 8);

	EXPECT(munmap(at(p, n), 8 * size) == 0);
	for (int i = 0; i < n; i++) {
		memset(at(p, i), byte + i, size);
		EXPECT(mprotect(at(p, i), size,
				i % 2 ? PROT_READ : PROT_READ | PROT_WRITE) == 0);
	}
	return p;
}

/* No mapping can grow to @p. */
static void block(unsigned char *p)
{
	EXPECT(mmap(p, size, PROT_READ,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
}

/* A place of @n pages where nothing is. */
static unsigned char *place(int n)
{
	unsigned char *p = page(0, n);

	EXPECT(munmap(p, (size_t)n * size) == 0);
	return p;
}

static bool is_mapped(unsigned char *p)
{
	unsigned char vec;

	return mincore(p, size, &vec) == 0;
}

/* The @n pages at @p are those of mappings(@byte), and nothing is behind. */
static void holds(unsigned char *p, unsigned char byte, int n)
{
	for (int i = 0; i < n; i++)
		EXPECT(p[(size_t)i * size] == byte + i);
	EXPECT(!is_mapped(at(p, n)));
}

static void *remap(unsigned char *p, int n, int to_n, int flags, void *to)
{
	return mremap(p, (size_t)n * size, (size_t)to_n * size, flags, to);
}

static void to_a_place(void)
{
	unsigned char *p = mappings(10, 4), *to = place(8);

	EXPECT(remap(p, 4, 4, TO_PLACE, to) == to);
	holds(to, 10, 4);
	EXPECT(!is_mapped(p) && !is_mapped(at(p, 3)));
	p = place(8);
	EXPECT(remap(to, 4, 2, TO_PLACE, p) == p);
	holds(p, 10, 2);
	EXPECT(!is_mapped(at(to, 3)));
	/* longer, into what was unmapped */
	p = mappings(20, 3);
	EXPECT(remap(p, 3, 6, TO_PLACE, to) == to);
	EXPECT(to[0] == 20 && *at(to, 2) == 22 && *at(to, 3) == 0);
	EXPECT(is_mapped(at(to, 5)) && !is_mapped(at(to, 6)));
}

static void where_it_is(void)
{
	unsigned char *p = mappings(30, 3);

	EXPECT(remap(p, 3, 5, 0, NULL) == p);
	EXPECT(p[0] == 30 && *at(p, 1) == 31 && *at(p, 2) == 32);
	EXPECT(*at(p, 4) == 0 && !is_mapped(at(p, 5)));
}

static void to_where_there_is_room(void)
{
	unsigned char *p = mappings(40, 3), *to;

	block(at(p, 3));
	EXPECT_FAILS(remap(p, 3, 5, 0, NULL), ENOMEM);
	to = remap(p, 3, 5, MOVE, NULL);
	EXPECT(to != MAP_FAILED && to != p);
	EXPECT(to[0] == 40 && *at(to, 2) == 42 && *at(to, 4) == 0);
	EXPECT(!is_mapped(p) && !is_mapped(at(p, 2)) && is_mapped(at(p, 3)));
}

static void and_keeps_the_mapping(void)
{
	unsigned char *p = mappings(50, 3);
	unsigned char *to = remap(p, 3, 3, MOVE | MREMAP_DONTUNMAP, NULL);

	EXPECT(to != MAP_FAILED && to != p);
	EXPECT(to[0] == 50 && *at(to, 1) == 51 && *at(to, 2) == 52);
	EXPECT(is_mapped(p) && p[0] == 0 && *at(p, 2) == 0);
}

/* What cannot be moved to its end is where it was. */
static void not_at_all(void)
{
	unsigned char *p = mappings(60, 4), *to = place(8);

	EXPECT(munmap(at(p, 2), size) == 0);
	EXPECT_FAILS(remap(p, 4, 4, TO_PLACE, to), EFAULT);
	EXPECT(p[0] == 60 && *at(p, 1) == 61 && *at(p, 3) == 63);
	EXPECT(!is_mapped(to) && !is_mapped(at(to, 1)));
	block(at(p, 4));
	EXPECT_FAILS(remap(p, 4, 6, MOVE, NULL), EFAULT);
	EXPECT(p[0] == 60 && *at(p, 1) == 61 && *at(p, 3) == 63);
	p[0] = 1;	/* writable as it was */
}

static void what_the_kernel_refuses(void)
{
	unsigned char *p = mappings(70, 4);

	EXPECT_FAILS(remap(p, 4, 4, TO_PLACE, at(p, 2)), EINVAL);
	EXPECT_FAILS(remap(p, 4, 4, TO_PLACE, p + 1), EINVAL);
	EXPECT_FAILS(remap(p, 4, 4, MREMAP_FIXED, p), EINVAL);
	EXPECT_FAILS(remap(p, 4, 6, MOVE | MREMAP_DONTUNMAP, NULL), EINVAL);
	EXPECT_FAILS(remap(p, 4, 0, MOVE, NULL), EINVAL);
	EXPECT(remap(p, 4, 2, MOVE, NULL) == p);
	holds(p, 70, 2);
}

void case_remaps(void)
{
	size = (size_t)sysconf(_SC_PAGESIZE);
	(void)open_device();
	to_a_place();
	where_it_is();
	to_where_there_is_room();
	and_keeps_the_mapping();
	not_at_all();
	what_the_kernel_refuses();
}
