/* SPDX-License-Identifier: MIT */
/* store.h - the pointer-free memory that all semantic state lives in
 *
 * Owns:   one stretch of memory, in the daemon a sparse memfd, in tests plain
 *         memory: a header, slabs of fixed-size objects named by index, and
 *         one 8-byte word per device page number, with a record per 512.
 * Why:    a daemon that dies is followed by another one that maps the same
 *         memory, perhaps elsewhere. So nothing in it is a pointer.
 * Growth: windows are laid out once for the largest size; memory that was
 *         never used is never touched. (Reading a hole of a memfd through a
 *         shared mapping allocates it as well as writing does.)
 * Slabs:  which objects are in use is said by a bitmap and by nothing else:
 *         no list of free objects that a dying daemon could leave half
 *         linked. The lowest free object is taken, so that slabs stay dense.
 *         A free object is all zero.
 * Errors: 0 or -errno; index 0 is never an object.
 */
#ifndef UHMM_ARENA_STORE_H
#define UHMM_ARENA_STORE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <uhmm/types.h>

#include "arena/bitmap.h"

enum uhmm_slab {
	UHMM_SLAB_NODE,		/* 4 KiB node of a table (table.h) */
	UHMM_SLAB_RMAP,		/* mapper of a shared device page (page.h) */
	UHMM_SLAB_MM,		/* an mm (mm.h) */
	UHMM_SLAB_RANGE,	/* a range of device page numbers (dpfn.h) */
	UHMM_SLAB_FLIGHT,	/* a migration that is under way (flight.h) */
	UHMM_NR_SLABS
};

/* Bytes of one object. Whoever defines the struct asserts that it fits. */
#define UHMM_NODE_BYTES 4096
#define UHMM_RMAP_BYTES 16
#define UHMM_MM_BYTES 128
#define UHMM_RANGE_BYTES 64
#define UHMM_FLIGHT_BYTES 16384

/** An mm's slot is kept in 16 bits of a page's word. */
#define UHMM_MM_MAX_SLOT UINT16_MAX

/** How large a store may become. A member that is zero: its default. */
struct uhmm_store_limits {
	uint64_t dpfns;			/* device page numbers, default 2^33 */
	uint32_t objects[UHMM_NR_SLABS];
};

/** Where everything is; follows from the limits, constant once formatted.
 *  Offsets in bytes from the store's base, windows begin at a page. */
struct uhmm_store_layout {
	uint64_t bytes;		/* of the whole store */
	uint64_t dpfns;		/* limit, a multiple of UHMM_UNIT_NPAGES */
	uint64_t page_words;	/* uint64_t per dpfn: page.c */
	uint64_t unit_records;	/* uint32_t per 512 dpfns: page_word.h */
	uint64_t range_order;	/* uint32_t per range, by start: dpfn.c */
	struct uhmm_bitmap unit_used;	/* a page of the unit is not free */
	struct uhmm_bitmap unit_begun;	/* and another one is */
	struct uhmm_bitmap unit_touched; /* one was, at any time */
	struct uhmm_slab_layout {
		uint64_t objects_at;
		uint32_t object_bytes;
		uint32_t objects;	/* limit */
		struct uhmm_bitmap used;
	} slab[UHMM_NR_SLABS];
};

/** First page of the store. All but magic and layout is state. */
struct uhmm_store_header {
	uint64_t magic;		/* UHMM_STORE_MAGIC */
	uint32_t version;	/* UHMM_STORE_VERSION */
	uint32_t header_bytes;	/* sizeof(struct uhmm_store_header) */
	struct uhmm_store_layout layout;
	struct uhmm_slab_state {
		uint32_t used;
		uint32_t high;	/* largest index ever used, or one more */
		uint32_t hint;	/* no object below it is free */
		uint32_t zero;
	} slab[UHMM_NR_SLABS];
	uint64_t touched_units;	/* bits set in unit_touched */
	uint64_t touched_records; /* pages of unit_records ever used */
	uint64_t dpfn_cursor;	/* where the next range is looked for */
	uint32_t nranges;	/* entries of range_order */
	uint32_t generation;	/* of the range reserved last */
};

#define UHMM_STORE_MAGIC UINT64_C(0x316d726f74736875)
#define UHMM_STORE_VERSION 3
#define UHMM_STORE_PAGE_BYTES 4096

/** Units whose records are in one page of the store. */
#define UHMM_STORE_UNITS_PER_PAGE (UHMM_STORE_PAGE_BYTES / sizeof(uint32_t))

/** Where the words of some indexes of a table are (table.c): to go down to them
 *  costs a load for each level, and the next page is nearly always there, too. */
struct uhmm_store_leaf {
	const uint64_t *words;		/* NULL: not known */
	uint64_t above;			/* the index without its lowest bits */
	uint32_t root;			/* node */
};

#define UHMM_STORE_LEAVES 4

/** A store as this process sees it. */
struct uhmm_store {
	struct uhmm_store_header *hdr;
	unsigned char *base;
	size_t bytes;
	struct uhmm_store_leaf leaf[UHMM_STORE_LEAVES];
};

/**
 * uhmm_store_put() - store one word at an instant of its own
 * What the program stores before it is in memory before it, what it stores
 * after is after it. The processor keeps that order for whoever maps the store
 * when this process is dead; here the compiler is told to.
 */
static inline void uhmm_store_put(uint64_t *at, uint64_t word)
{
	__atomic_store_n(at, word, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/**
 * uhmm_store_bytes() - memory needed for @limits, a multiple of the page
 * @limits: NULL for the defaults
 * Return: 0 when nobody can have that much
 */
size_t uhmm_store_bytes(const struct uhmm_store_limits *limits);

/**
 * uhmm_store_format() - begin a new store in @mem; touches its first page
 * @mem: zeroed memory of at least uhmm_store_bytes(@limits), page aligned
 * Return: 0; -EINVAL too small, misaligned, or limits that cannot be
 */
UHMM_CHECKED int uhmm_store_format(struct uhmm_store *store, void *mem,
				   size_t bytes,
				   const struct uhmm_store_limits *limits);

/**
 * uhmm_store_attach() - use the store that is in @mem already
 * Return: 0; -EINVAL not a store, or of another version or size
 */
UHMM_CHECKED int uhmm_store_attach(struct uhmm_store *store, void *mem,
				   size_t bytes);

/**
 * uhmm_store_map() - a new store of @limits in private memory of its own, used
 * as it grows; uhmm_store_unmap() undoes it, and accepts a zeroed one
 * Return: 0; -ENOMEM no address space
 */
UHMM_CHECKED int uhmm_store_map(struct uhmm_store *store,
				const struct uhmm_store_limits *limits);
void uhmm_store_unmap(struct uhmm_store *store);

/**
 * uhmm_slab_alloc() - a zeroed object of @slab, the lowest that is free
 * Return: its index; 0 when the slab is full
 */
UHMM_CHECKED uint32_t uhmm_slab_alloc(struct uhmm_store *store,
				      enum uhmm_slab slab);

/** uhmm_slab_free() - zero object @index, which is in use, and give it back */
void uhmm_slab_free(struct uhmm_store *store, enum uhmm_slab slab,
		    uint32_t index);

/** uhmm_slab_free_clean() - the same for an object that is all zero already,
 *  which nobody checks */
void uhmm_slab_free_clean(struct uhmm_store *store, enum uhmm_slab slab,
			  uint32_t index);

/** uhmm_slab_at() - object @index; asserts that there is or was such a one */
static inline void *uhmm_slab_at(const struct uhmm_store *store,
				 enum uhmm_slab slab, uint32_t index)
{
	const struct uhmm_store_header *hdr = store->hdr;
	const struct uhmm_slab_layout *l = &hdr->layout.slab[slab];

	assert(index > 0 && index <= hdr->slab[slab].high);
	return store->base + l->objects_at + (size_t)index * l->object_bytes;
}

/** uhmm_slab_used() - objects of @slab in use */
static inline uint32_t uhmm_slab_used(const struct uhmm_store *store,
				      enum uhmm_slab slab)
{
	return store->hdr->slab[slab].used;
}

/** uhmm_slab_room() - objects of @slab that can still be allocated */
static inline uint32_t uhmm_slab_room(const struct uhmm_store *store,
				      enum uhmm_slab slab)
{
	return store->hdr->layout.slab[slab].objects -
	       store->hdr->slab[slab].used;
}

/** uhmm_slab_has() - is @index an object in use? Any number may be asked. */
bool uhmm_slab_has(const struct uhmm_store *store, enum uhmm_slab slab,
		   uint32_t index);

/** uhmm_slab_next() - next used index after @index (0: the first), 0 at the
 *  end; for walkers such as uhmm_store_check() */
uint32_t uhmm_slab_next(const struct uhmm_store *store, enum uhmm_slab slab,
			uint32_t index);

/**
 * uhmm_slab_mend() - make everything that follows from which objects of @slab
 * are in use true again, in a store whose owner was killed
 */
void uhmm_slab_mend(struct uhmm_store *store, enum uhmm_slab slab);

/** uhmm_store_metadata_bytes() - bytes of the store that were ever used, but
 *  for a few pages of summaries */
uint64_t uhmm_store_metadata_bytes(const struct uhmm_store *store);

#endif
