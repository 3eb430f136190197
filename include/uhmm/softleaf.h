/* SPDX-License-Identifier: MIT */
/* softleaf.h - what stands for a page that is not ordinarily present
 *
 * One 64-bit value: a type, an offset whose meaning the type says, and bits
 * that travel with the entry. One decoder, uhmm_softleaf_type(), then regular
 * verbs: mk (make), from, is, to. Kernel: include/linux/leafops.h.
 *
 *   63    59 58         52 51                                   0
 *  |  type  |    bits     |                offset                |
 *
 * The offset of a DEVICE_PRIVATE, MIGRATION_DEVICE_PRIVATE, DEVICE_EXCLUSIVE or
 * DEVICE_COHERENT entry of a device page is a device page number. The offset of a MIGRATION
 * entry proper (a system page on its way) is a flight number (mm/flight.h), a
 * number space of its own. uhmm_softleaf_to_dpfn() asserts which it is.
 */
#ifndef UHMM_SOFTLEAF_H
#define UHMM_SOFTLEAF_H

#include <assert.h>

#include <uhmm/types.h>

typedef struct {
	uint64_t val;
} uhmm_softleaf_t;

enum uhmm_softleaf_type {
	UHMM_SOFTLEAF_NONE = 0,
	/* The page is on its way. Whoever meets one waits. */
	UHMM_SOFTLEAF_MIGRATION_READ,
	UHMM_SOFTLEAF_MIGRATION_READ_EXCLUSIVE,
	UHMM_SOFTLEAF_MIGRATION_WRITE,
	UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ,
	UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ_EXCLUSIVE,
	UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_WRITE,
	/* The page is on a device. */
	UHMM_SOFTLEAF_DEVICE_PRIVATE_READ,
	UHMM_SOFTLEAF_DEVICE_PRIVATE_WRITE,
	/* A device alone may touch the page now; whoever else does gets it
	 * back first. It waits in a device page that is no device's. */
	UHMM_SOFTLEAF_DEVICE_EXCLUSIVE,
	/* The page is a coherent device's, and where the CPU maps it: what may
	 * be done with it is what the CPU's page table says. */
	UHMM_SOFTLEAF_DEVICE_COHERENT,
	UHMM_NR_SOFTLEAF_TYPES
};

/** Bits that travel with an entry from state to state. */
enum uhmm_softleaf_bits {
	UHMM_SOFTLEAF_YOUNG = 1 << 0,
	UHMM_SOFTLEAF_DIRTY = 1 << 1,
	UHMM_SOFTLEAF_SOFT_DIRTY = 1 << 2,
	UHMM_SOFTLEAF_UFFD_WP = 1 << 3,
	/* Of a migration entry only: the program dropped the page meanwhile;
	 * whoever migrates it drops it instead of finishing. */
	UHMM_SOFTLEAF_ZAPPED = 1 << 4,
	/* No fork shares the page: a mapping that becomes writable makes it
	 * so (the kernel's PageAnonExclusive). */
	UHMM_SOFTLEAF_EXCLUSIVE = 1 << 5,
	/* The first of 512 entries that are one PMD-sized unit. */
	UHMM_SOFTLEAF_COMPOUND = 1 << 6,
};

#define UHMM_SOFTLEAF_TYPE_SHIFT 59
#define UHMM_SOFTLEAF_BITS_SHIFT 52
#define UHMM_SOFTLEAF_BITS_MASK (UINT64_C(0x7f) << UHMM_SOFTLEAF_BITS_SHIFT)
#define UHMM_SOFTLEAF_OFFSET_MASK ((UINT64_C(1) << 52) - 1)

/** uhmm_softleaf_mk() - an entry of @type with @offset; no bits set */
static inline uhmm_softleaf_t uhmm_softleaf_mk(enum uhmm_softleaf_type type,
					       uint64_t offset)
{
	assert(offset <= UHMM_SOFTLEAF_OFFSET_MASK);
	return (uhmm_softleaf_t){ (uint64_t)type << UHMM_SOFTLEAF_TYPE_SHIFT |
				  offset };
}

/** uhmm_softleaf_none() - the empty entry */
static inline uhmm_softleaf_t uhmm_softleaf_none(void)
{
	return (uhmm_softleaf_t){ 0 };
}

/** uhmm_softleaf_type() - the one decoder */
static inline enum uhmm_softleaf_type uhmm_softleaf_type(uhmm_softleaf_t leaf)
{
	return (enum uhmm_softleaf_type)(leaf.val >> UHMM_SOFTLEAF_TYPE_SHIFT);
}

/** uhmm_softleaf_offset() - the raw offset; its space depends on the type */
static inline uint64_t uhmm_softleaf_offset(uhmm_softleaf_t leaf)
{
	return leaf.val & UHMM_SOFTLEAF_OFFSET_MASK;
}

/** uhmm_softleaf_bits() - enum uhmm_softleaf_bits of @leaf */
static inline unsigned int uhmm_softleaf_bits(uhmm_softleaf_t leaf)
{
	return (leaf.val & UHMM_SOFTLEAF_BITS_MASK) >> UHMM_SOFTLEAF_BITS_SHIFT;
}

/** uhmm_softleaf_with_bits() - @leaf with exactly @bits set */
static inline uhmm_softleaf_t uhmm_softleaf_with_bits(uhmm_softleaf_t leaf,
						      unsigned int bits)
{
	leaf.val &= ~UHMM_SOFTLEAF_BITS_MASK;
	leaf.val |= (uint64_t)bits << UHMM_SOFTLEAF_BITS_SHIFT;
	return leaf;
}

static inline bool uhmm_softleaf_same(uhmm_softleaf_t a, uhmm_softleaf_t b)
{
	return a.val == b.val;
}

static inline bool uhmm_softleaf_is_none(uhmm_softleaf_t leaf)
{
	return leaf.val == 0;
}

/* Each family has the same verbs. The migration verbs are true for the device
 * kind too; the device verbs tell the kinds apart (S1.6). */

static inline bool uhmm_softleaf_is_migration_device_private_read(
	uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_type(leaf) ==
	       UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ;
}

static inline bool uhmm_softleaf_is_migration_device_private_read_exclusive(
	uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_type(leaf) ==
	       UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ_EXCLUSIVE;
}

static inline bool uhmm_softleaf_is_migration_device_private_write(
	uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_type(leaf) ==
	       UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_WRITE;
}

static inline bool uhmm_softleaf_is_migration_device_private(
	uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_is_migration_device_private_read(leaf) ||
	       uhmm_softleaf_is_migration_device_private_read_exclusive(leaf) ||
	       uhmm_softleaf_is_migration_device_private_write(leaf);
}

static inline bool uhmm_softleaf_is_migration_read(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_type(leaf) == UHMM_SOFTLEAF_MIGRATION_READ ||
	       uhmm_softleaf_is_migration_device_private_read(leaf);
}

static inline bool uhmm_softleaf_is_migration_read_exclusive(
	uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_type(leaf) ==
		       UHMM_SOFTLEAF_MIGRATION_READ_EXCLUSIVE ||
	       uhmm_softleaf_is_migration_device_private_read_exclusive(leaf);
}

static inline bool uhmm_softleaf_is_migration_write(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_type(leaf) == UHMM_SOFTLEAF_MIGRATION_WRITE ||
	       uhmm_softleaf_is_migration_device_private_write(leaf);
}

/** uhmm_softleaf_is_migration() - any page on its way, of either kind */
static inline bool uhmm_softleaf_is_migration(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_is_migration_read(leaf) ||
	       uhmm_softleaf_is_migration_read_exclusive(leaf) ||
	       uhmm_softleaf_is_migration_write(leaf);
}

static inline bool uhmm_softleaf_is_device_private_write(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_type(leaf) == UHMM_SOFTLEAF_DEVICE_PRIVATE_WRITE;
}

static inline bool uhmm_softleaf_is_device_private(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_type(leaf) == UHMM_SOFTLEAF_DEVICE_PRIVATE_READ ||
	       uhmm_softleaf_is_device_private_write(leaf);
}

static inline bool uhmm_softleaf_is_device_exclusive(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_type(leaf) == UHMM_SOFTLEAF_DEVICE_EXCLUSIVE;
}

static inline bool uhmm_softleaf_is_device_coherent(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_type(leaf) == UHMM_SOFTLEAF_DEVICE_COHERENT;
}

/** uhmm_softleaf_is_away() - not on its way, and not where a CPU gets at it */
static inline bool uhmm_softleaf_is_away(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_is_device_private(leaf) ||
	       uhmm_softleaf_is_device_exclusive(leaf);
}

/** uhmm_softleaf_has_dpfn() - is the offset a device page number? */
static inline bool uhmm_softleaf_has_dpfn(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_is_away(leaf) ||
	       uhmm_softleaf_is_device_coherent(leaf) ||
	       uhmm_softleaf_is_migration_device_private(leaf);
}

/** uhmm_softleaf_to_dpfn() - the device page behind @leaf, which has one */
static inline uhmm_dpfn_t uhmm_softleaf_to_dpfn(uhmm_softleaf_t leaf)
{
	assert(uhmm_softleaf_has_dpfn(leaf));
	return UHMM_DPFN(uhmm_softleaf_offset(leaf));
}

/** uhmm_softleaf_from_dpfn() - device-private entry of page @dpfn */
static inline uhmm_softleaf_t uhmm_softleaf_from_dpfn(uhmm_dpfn_t dpfn,
						      bool write)
{
	return uhmm_softleaf_mk(write ? UHMM_SOFTLEAF_DEVICE_PRIVATE_WRITE :
					UHMM_SOFTLEAF_DEVICE_PRIVATE_READ,
				dpfn.val);
}

/**
 * uhmm_softleaf_mk_migration_from_dpfn() - migration entry of a device page;
 * callers of this and the next never choose the kind by hand (S1.7)
 */
static inline uhmm_softleaf_t uhmm_softleaf_mk_migration_from_dpfn(
	uhmm_dpfn_t dpfn, bool write)
{
	return uhmm_softleaf_mk(
		write ? UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_WRITE :
			UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ,
		dpfn.val);
}

/** uhmm_softleaf_mk_migration_from_flight() - of a system page in flight */
static inline uhmm_softleaf_t uhmm_softleaf_mk_migration_from_flight(
	uint64_t flight_page, bool write)
{
	return uhmm_softleaf_mk(write ? UHMM_SOFTLEAF_MIGRATION_WRITE :
					UHMM_SOFTLEAF_MIGRATION_READ,
				flight_page);
}

/** uhmm_softleaf_mk_readable_migration() - migration entry @leaf, of either
 *  kind, as a fork leaves it: its kind, offset and bits stay (S1.7) */
static inline uhmm_softleaf_t uhmm_softleaf_mk_readable_migration(
	uhmm_softleaf_t leaf)
{
	assert(uhmm_softleaf_is_migration(leaf));
	return uhmm_softleaf_with_bits(
		uhmm_softleaf_mk(
			uhmm_softleaf_is_migration_device_private(leaf) ?
				UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ :
				UHMM_SOFTLEAF_MIGRATION_READ,
			uhmm_softleaf_offset(leaf)),
		uhmm_softleaf_bits(leaf));
}

/** uhmm_softleaf_mk_readable_exclusive_migration() - and as mprotect() leaves
 *  one that was writable: pages that migrate are anonymous */
static inline uhmm_softleaf_t uhmm_softleaf_mk_readable_exclusive_migration(
	uhmm_softleaf_t leaf)
{
	assert(uhmm_softleaf_is_migration(leaf));
	return uhmm_softleaf_with_bits(
		uhmm_softleaf_mk(
			uhmm_softleaf_is_migration_device_private(leaf) ?
				UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ_EXCLUSIVE :
				UHMM_SOFTLEAF_MIGRATION_READ_EXCLUSIVE,
			uhmm_softleaf_offset(leaf)),
		uhmm_softleaf_bits(leaf));
}

#endif
