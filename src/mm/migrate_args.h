/* SPDX-License-Identifier: MIT */
/* migrate_args.h - what each phase asks of a migration; for migrate*.c only */
#ifndef UHMM_MM_MIGRATE_ARGS_H
#define UHMM_MM_MIGRATE_ARGS_H

#include <uhmm/migrate.h>

static inline uint64_t uhmm_args_npages(const struct uhmm_migrate_vma *args)
{
	return uhmm_range_npages(args->range);
}

/** uhmm_args_vpn() - the place of page @i when the migration began */
static inline uhmm_vpn_t uhmm_args_vpn(const struct uhmm_migrate_vma *args,
				       uint64_t i)
{
	return UHMM_VPN(args->range.start.val + i);
}

static inline bool uhmm_args_want(const struct uhmm_migrate_vma *args,
				  enum uhmm_migrate_vma_flags flag)
{
	return (args->flags & flag) != 0;
}

/** uhmm_args_are_coherent() - to a device whose pages the CPU can reach? */
static inline bool uhmm_args_are_coherent(const struct uhmm_migrate_vma *args)
{
	return args->pgmap && args->pgmap->type == UHMM_MEMORY_DEVICE_COHERENT;
}

/** uhmm_args_stay() - page @i does not go */
static inline void uhmm_args_stay(struct uhmm_migrate_vma *args, uint64_t i)
{
	args->src[i] &= ~(uint64_t)UHMM_MIGRATE_PFN_MIGRATE;
}

/** uhmm_args_bit() - of one of the bit maps of struct uhmm_migrate_vma;
 *  uhmm_args_set() - set it */
static inline bool uhmm_args_bit(const uint64_t *bits, uint64_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static inline void uhmm_args_set(uint64_t *bits, uint64_t i)
{
	bits[i / 64] |= UINT64_C(1) << (i % 64);
}

#endif
