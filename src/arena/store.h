/* SPDX-License-Identifier: MIT */
/* store.h - the pointer-free memory that all semantic state lives in
 *
 * Owns:   one stretch of memory, in the daemon a sparse memfd, in tests plain
 *         memory: a header, slabs of fixed-size objects named by index, and
 *         one 8-byte word per device page number.
 * Why:    a daemon that dies is followed by another one that maps the same
 *         memory, perhaps elsewhere. So nothing in it is a pointer.
 * Growth: windows are laid out once for the largest size; memory that was
 *         never used is never touched.
 * Errors: 0 or -errno; index 0 is never an object.
 */
#ifndef UHMM_ARENA_STORE_H
#define UHMM_ARENA_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <uhmm/types.h>

enum uhmm_slab {
	UHMM_SLAB_NODE,		/* 4 KiB node of a table (table.h) */
	UHMM_SLAB_RMAP,		/* further mapper of a device page (page.h) */
	UHMM_SLAB_MM,		/* an mm (mm.h) */
	UHMM_SLAB_RANGE,	/* a range of device page numbers (dpfn.h) */
	UHMM_SLAB_FLIGHT,	/* a migration that is under way (flight.h) */
	UHMM_NR_SLABS
};

/** How large a store may become. All zero: the defaults. */
struct uhmm_store_limits {
	uint64_t dpfns;			/* device page numbers, default 2^33 */
	uint32_t objects[UHMM_NR_SLABS];
};

struct uhmm_store_header;

/** A store as this process sees it. */
struct uhmm_store {
	struct uhmm_store_header *hdr;
	unsigned char *base;
	size_t bytes;
};

/** uhmm_store_bytes() - memory needed for @limits, a multiple of the page */
size_t uhmm_store_bytes(const struct uhmm_store_limits *limits);

/**
 * uhmm_store_format() - begin a new store in @mem
 * @mem: zeroed memory of at least uhmm_store_bytes(@limits), page aligned
 * Return: 0; -EINVAL too small or misaligned
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
 * uhmm_slab_alloc() - a zeroed object of @slab
 * Return: its index; 0 when the slab is full
 */
UHMM_CHECKED uint32_t uhmm_slab_alloc(struct uhmm_store *store,
				      enum uhmm_slab slab);
void uhmm_slab_free(struct uhmm_store *store, enum uhmm_slab slab,
		    uint32_t index);

/** uhmm_slab_at() - object @index; asserts that it is one in range */
void *uhmm_slab_at(const struct uhmm_store *store, enum uhmm_slab slab,
		   uint32_t index);

/** uhmm_slab_used() - objects of @slab in use */
uint32_t uhmm_slab_used(const struct uhmm_store *store, enum uhmm_slab slab);

/** uhmm_slab_next() - next used index after @index (0: the first), 0 at the
 *  end; for walkers such as uhmm_mm_check() */
uint32_t uhmm_slab_next(const struct uhmm_store *store, enum uhmm_slab slab,
			uint32_t index);

/** uhmm_store_metadata_bytes() - bytes of the store that were ever used */
uint64_t uhmm_store_metadata_bytes(const struct uhmm_store *store);

#endif
