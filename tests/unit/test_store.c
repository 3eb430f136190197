/* SPDX-License-Identifier: MIT */
/* test_store.c - src/arena/store.c */
#include "arena/store.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static const struct uhmm_store_limits small = {
	.dpfns = 4096,
	.objects = { 8, 100, 3, 4, 2 },
};

/* Bytes of a memfd that have memory. */
static long resident(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_blocks * 512;
}

START_TEST(test_store_format_touches_the_header_only)
{
	size_t bytes = uhmm_store_bytes(NULL);
	int fd = memfd_create("store", MFD_CLOEXEC);
	struct uhmm_store store;
	void *mem;

	ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(mem, MAP_FAILED);
	ck_assert_int_eq(uhmm_store_format(&store, mem, bytes, NULL), 0);
	ck_assert_int_eq(uhmm_store_attach(&store, mem, bytes), 0);
	ck_assert_int_eq(resident(fd), UHMM_STORE_PAGE_BYTES);
	ck_assert_uint_eq(uhmm_store_metadata_bytes(&store),
			  UHMM_STORE_PAGE_BYTES);
	munmap(mem, bytes);
	close(fd);
}
END_TEST

static const struct {
	const char *what;
	struct uhmm_store_limits limits;
	size_t missing, shift;
	int want;
} format_cases[] = {
	{ "fits", { .dpfns = 4096 }, 0, 0, 0 },
	{ "a page too small", { .dpfns = 4096 }, 4096, 0, -EINVAL },
	{ "misaligned", { .dpfns = 4096 }, 0, 8, -EINVAL },
	{ "one page number", { .dpfns = 1 }, 0, 0, 0 },
	{ "one of each", { 1, { 1, 1, 1, 1, 1 } }, 0, 0, 0 },
	{ "most mms", { 1, { 1, 1, 65535, 1, 1 } }, 0, 0, 0 },
};

START_TEST(test_store_format_each_case)
{
	const struct uhmm_store_limits *limits = &format_cases[_i].limits;
	size_t bytes = uhmm_store_bytes(limits);
	unsigned char *mem = mmap(NULL, bytes + 4096, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0);
	struct uhmm_store store;

	ck_assert_ptr_ne(mem, MAP_FAILED);
	ck_assert_uint_eq(bytes % 4096, 0);
	ck_assert_int_eq(uhmm_store_format(&store, mem + format_cases[_i].shift,
					   bytes - format_cases[_i].missing,
					   limits),
			 format_cases[_i].want);
	munmap(mem, bytes + 4096);
}
END_TEST

START_TEST(test_store_bytes_of_impossible_limits)
{
	struct uhmm_store_limits mms = { .objects[UHMM_SLAB_MM] = 65536 };
	struct uhmm_store_limits dpfns = { .dpfns = UINT64_MAX };

	ck_assert_uint_eq(uhmm_store_bytes(&mms), 0);
	ck_assert_uint_eq(uhmm_store_bytes(&dpfns), 0);
}
END_TEST

/* Ways a header can be of no store of ours. */
static void bad_magic(struct uhmm_store_header *h) { h->magic++; }
static void bad_version(struct uhmm_store_header *h) { h->version++; }
static void bad_size(struct uhmm_store_header *h) { h->header_bytes--; }
static void bad_bytes(struct uhmm_store_header *h) { h->layout.bytes = 1; }
static void bad_dpfns(struct uhmm_store_header *h)
{
	h->layout.dpfns = UINT64_C(1) << 50;
}
static void bad_more(struct uhmm_store_header *h) { h->layout.dpfns *= 2; }
static void bad_window(struct uhmm_store_header *h)
{
	h->layout.page_words += UHMM_STORE_PAGE_BYTES;
}
static void bad_object(struct uhmm_store_header *h)
{
	h->layout.slab[UHMM_SLAB_MM].object_bytes = 8;
}
static void bad_bitmap(struct uhmm_store_header *h)
{
	h->layout.unit_used.any[0] = UINT64_MAX;
}
static void bad_high(struct uhmm_store_header *h)
{
	h->slab[UHMM_SLAB_NODE].high = 9;
}
static void bad_used(struct uhmm_store_header *h)
{
	h->slab[UHMM_SLAB_NODE].used = 1;
}
static void bad_hint(struct uhmm_store_header *h)
{
	h->slab[UHMM_SLAB_NODE].hint = 0;
}
static void bad_ranges(struct uhmm_store_header *h) { h->nranges = 5; }

static void (*const spoil[])(struct uhmm_store_header *h) = {
	bad_magic, bad_version, bad_size, bad_bytes, bad_dpfns, bad_more,
	bad_window, bad_object, bad_bitmap, bad_high, bad_used, bad_hint,
	bad_ranges,
};

START_TEST(test_store_attach_refuses)
{
	struct uhmm_store store, other = { 0 };
	unsigned char *mem;
	size_t bytes;

	unit_store_init(&store, &small);
	mem = store.base;
	bytes = store.bytes;
	ck_assert_int_eq(uhmm_store_attach(&other, mem, bytes), 0);
	ck_assert_int_eq(uhmm_store_attach(&other, mem, bytes - 1), -EINVAL);
	ck_assert_int_eq(uhmm_store_attach(&other, mem + 8, bytes), -EINVAL);
	ck_assert_int_eq(uhmm_store_attach(&other, mem, 0), -EINVAL);
	spoil[_i](store.hdr);
	ck_assert_int_eq(uhmm_store_attach(&other, mem, bytes), -EINVAL);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_store_attach_elsewhere_sees_the_same)
{
	struct uhmm_store store, moved;
	uint32_t index;
	void *mem;

	unit_store_init(&store, &small);
	index = uhmm_slab_alloc(&store, UHMM_SLAB_MM);
	memcpy(uhmm_slab_at(&store, UHMM_SLAB_MM, index), "here", 5);
	mem = mmap(NULL, store.bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(mem, store.base, store.bytes);
	ck_assert_int_eq(uhmm_store_attach(&moved, mem, store.bytes), 0);
	unit_store_fini(&store);
	ck_assert_uint_eq(uhmm_slab_next(&moved, UHMM_SLAB_MM, 0), index);
	ck_assert_str_eq(uhmm_slab_at(&moved, UHMM_SLAB_MM, index), "here");
	unit_store_fini(&moved);
}
END_TEST

START_TEST(test_slab_alloc_until_full)
{
	uint32_t limit = small.objects[_i];
	struct uhmm_store store;

	unit_store_init(&store, &small);
	for (uint32_t i = 1; i <= limit; i++) {
		ck_assert_uint_eq(uhmm_slab_room(&store, _i), limit - i + 1);
		ck_assert_uint_eq(uhmm_slab_alloc(&store, _i), i);
	}
	ck_assert_uint_eq(uhmm_slab_alloc(&store, _i), 0);
	ck_assert_uint_eq(uhmm_slab_used(&store, _i), limit);
	uhmm_slab_free(&store, _i, 1);
	ck_assert_uint_eq(uhmm_slab_alloc(&store, _i), 1);
	ck_assert_uint_eq(uhmm_slab_alloc(&store, _i), 0);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_slab_alloc_is_zeroed_and_apart)
{
	static const unsigned char zeros[UHMM_FLIGHT_BYTES];
	static const size_t bytes[UHMM_NR_SLABS] = {
		UHMM_NODE_BYTES, UHMM_RMAP_BYTES, UHMM_MM_BYTES,
		UHMM_RANGE_BYTES, UHMM_FLIGHT_BYTES,
	};
	struct uhmm_store store;
	unsigned char *object[2];
	uint32_t index[2];

	unit_store_init(&store, &small);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2; i++) {
			index[i] = uhmm_slab_alloc(&store, _i);
			object[i] = uhmm_slab_at(&store, _i, index[i]);
			ck_assert_mem_eq(object[i], zeros, bytes[_i]);
			memset(object[i], 0xff, bytes[_i]);
		}
		ck_assert_ptr_eq(object[1], object[0] + bytes[_i]);
		for (int i = 0; i < 2; i++)
			uhmm_slab_free(&store, _i, index[i]);
	}
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_slab_next_visits_each_once)
{
	static const uint32_t freed[] = { 1, 64, 65, 100, 50 };
	struct uhmm_store store;
	uint32_t index = 0, visited = 0;

	unit_store_init(&store, &small);
	ck_assert_uint_eq(uhmm_slab_next(&store, UHMM_SLAB_RMAP, 0), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_ne(uhmm_slab_alloc(&store, UHMM_SLAB_RMAP), 0);
	for (size_t i = 0; i < UNIT_COUNT(freed); i++)
		uhmm_slab_free(&store, UHMM_SLAB_RMAP, freed[i]);
	while ((index = uhmm_slab_next(&store, UHMM_SLAB_RMAP, index))) {
		ck_assert(uhmm_slab_has(&store, UHMM_SLAB_RMAP, index));
		visited++;
	}
	ck_assert_uint_eq(visited, 100 - UNIT_COUNT(freed));
	ck_assert_uint_eq(visited, uhmm_slab_used(&store, UHMM_SLAB_RMAP));
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_slab_has_any_number)
{
	struct uhmm_store store;

	unit_store_init(&store, &small);
	ck_assert_uint_eq(uhmm_slab_alloc(&store, UHMM_SLAB_MM), 1);
	ck_assert(uhmm_slab_has(&store, UHMM_SLAB_MM, 1));
	ck_assert(!uhmm_slab_has(&store, UHMM_SLAB_MM, 0));
	ck_assert(!uhmm_slab_has(&store, UHMM_SLAB_MM, 2));
	ck_assert(!uhmm_slab_has(&store, UHMM_SLAB_MM, UINT32_MAX));
	unit_store_fini(&store);
}
END_TEST

/* What asserts: these die by SIGABRT. */

START_TEST(test_slab_free_twice_dies)
{
	struct uhmm_store store;
	uint32_t index;

	unit_store_init(&store, &small);
	index = uhmm_slab_alloc(&store, UHMM_SLAB_MM);
	uhmm_slab_free(&store, UHMM_SLAB_MM, index);
	uhmm_slab_free(&store, UHMM_SLAB_MM, index);
}
END_TEST

START_TEST(test_slab_at_beyond_dies)
{
	struct uhmm_store store;
	volatile unsigned char *object;

	unit_store_init(&store, &small);
	object = uhmm_slab_at(&store, UHMM_SLAB_MM, 1);
	(void)object;
}
END_TEST

START_TEST(test_store_metadata_bytes_grows_with_use)
{
	struct uhmm_store store;
	uint64_t before;
	uint32_t index;

	unit_store_init(&store, &small);
	before = uhmm_store_metadata_bytes(&store);
	index = uhmm_slab_alloc(&store, UHMM_SLAB_NODE);
	ck_assert_uint_eq(uhmm_store_metadata_bytes(&store),
			  before + UHMM_NODE_BYTES + UHMM_STORE_PAGE_BYTES);
	uhmm_slab_free(&store, UHMM_SLAB_NODE, index);
	ck_assert_uint_gt(uhmm_store_metadata_bytes(&store), before);
	unit_store_fini(&store);
}
END_TEST

UNIT_MAIN("store", UNIT_TEST(test_store_format_touches_the_header_only),
	  UNIT_TABLE(test_store_format_each_case, format_cases),
	  UNIT_TEST(test_store_bytes_of_impossible_limits),
	  UNIT_TABLE(test_store_attach_refuses, spoil),
	  UNIT_TEST(test_store_attach_elsewhere_sees_the_same),
	  UNIT_TABLE(test_slab_alloc_until_full, small.objects),
	  UNIT_TABLE(test_slab_alloc_is_zeroed_and_apart, small.objects),
	  UNIT_TEST(test_slab_next_visits_each_once),
	  UNIT_TEST(test_slab_has_any_number),
	  UNIT_DEATH(test_slab_free_twice_dies),
	  UNIT_DEATH(test_slab_at_beyond_dies),
	  UNIT_TEST(test_store_metadata_bytes_grows_with_use))
