/* SPDX-License-Identifier: MIT */
/* devmap.c - memory of a device that the program has mapped (devmap.h) */
#include "devmap.h"

#include "smaps.h"

/* As the daemon names it, and what is left of it. */
static const char file[] = "/memfd:hmm_dmirror (deleted)";
static const char gone[] = "hmm_dmirror-gone";

static atomic_bool mapped;

void uhmm_devmap_note(void)
{
	atomic_store(&mapped, true);
}

/* Find the first mapping of the device's in [@start, *@end), as far as it
 * lies there. */
static bool find(uint64_t *start, uint64_t *end, struct uhmm_smaps *s)
{
	bool found = false;

	if (uhmm_smaps_init(s))
		return false;
	while (!found && uhmm_smaps_next_file(s, file)) {
		if (s->start < *start)
			s->start = *start;
		if (s->end > *end)
			s->end = *end;
		found = s->start < s->end;
	}
	uhmm_smaps_fini(s);
	*start = s->start;
	*end = s->end;
	return found;
}

static long replace(const struct uhmm_smaps *s, int fd)
{
	return uhmm_sys6(SYS_mmap, (long)s->start, (long)(s->end - s->start),
			 s->prot,
			 MAP_FIXED | (s->shared ? MAP_SHARED : MAP_PRIVATE), fd,
			 0);
}

void uhmm_devmap_dropped(void *addr, size_t bytes)
{
	uint64_t start = (uintptr_t)addr, end = start + bytes;
	uint64_t from = start, to = end;
	struct uhmm_smaps s;
	long fd;

	if (!atomic_load(&mapped))
		return;
	fd = uhmm_sys2(SYS_memfd_create, uhmm_ptr(gone), MFD_CLOEXEC);
	while (fd >= 0 && find(&from, &to, &s) && replace(&s, (int)fd) >= 0) {
		from = to;
		to = end;
	}
	if (fd >= 0)
		(void)uhmm_sys1(SYS_close, fd);
}
