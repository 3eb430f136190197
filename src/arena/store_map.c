/* SPDX-License-Identifier: MIT */
/* store_map.c - a store in private memory (store.h) */
#include "arena/store.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* Mapped, not malloc()ed: of this much room few pages are ever touched. */
int uhmm_store_map(struct uhmm_store *store,
		   const struct uhmm_store_limits *limits)
{
	size_t bytes = uhmm_store_bytes(limits);
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err;

	if (mem == MAP_FAILED)
		return -ENOMEM;
	err = uhmm_store_format(store, mem, bytes, limits);
	if (err)
		munmap(mem, bytes);
	return err;
}

void uhmm_store_unmap(struct uhmm_store *store)
{
	if (store->base)
		munmap(store->base, store->bytes);
	memset(store, 0, sizeof(*store));
}
