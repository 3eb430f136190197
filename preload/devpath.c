/* SPDX-License-Identifier: MIT */
/* devpath.c - which paths are ours (devpath.h) */
#include "devpath.h"

#include "env.h"

static const char stem[] = "/dev/hmm_dmirror";
#define STEM_BYTES (sizeof(stem) - 1)
#define MINORS 4

/* What drivers brought that the daemon loaded: $UHMM_NODES. */
static const char dev[] = "/dev/";

static const char gup_test[] = "/sys/kernel/debug/gup_test";

/* The longest of them, its final 0 included. */
#define PATH_BYTES 48
_Static_assert(PATH_BYTES >= sizeof(gup_test) &&
		       PATH_BYTES >= STEM_BYTES + 2 &&
		       PATH_BYTES >= sizeof(dev) + UHMM_NODE_BYTES,
	       "the longest");

static bool is_gup_test(const char *path)
{
	for (size_t i = 0; i < sizeof(gup_test); i++) {
		if (path[i] != gup_test[i])
			return false;
	}
	return true;
}

static int loaded_minor(const char *path)
{
	for (size_t i = 0; i < sizeof(dev) - 1; i++) {
		if (path[i] != dev[i])
			return -1;
	}
	return uhmm_env_node(path + sizeof(dev) - 1);
}

int uhmm_devpath_minor(const char *path)
{
	int minor;

	if (is_gup_test(path))
		return UHMM_WIRE_MINOR_GUP_TEST;
	minor = loaded_minor(path);
	if (minor >= 0)
		return minor;
	for (size_t i = 0; i < STEM_BYTES; i++) {
		if (path[i] != stem[i])
			return -1;
	}
	if (path[STEM_BYTES] < '0' || path[STEM_BYTES] >= '0' + MINORS ||
	    path[STEM_BYTES + 1])
		return -1;
	return path[STEM_BYTES] - '0';
}

int uhmm_devpath_minor_unchecked(const char *path)
{
	char copy[PATH_BYTES + 1];
	uintptr_t page = getauxval(AT_PAGESZ);
	size_t first = page - ((uintptr_t)path & (page - 1));
	struct iovec to = { copy, PATH_BYTES };
	struct iovec from[2] = {
		{ (void *)(uintptr_t)path, PATH_BYTES },
		{ NULL, 0 },
	};
	long n;

	if (first < PATH_BYTES) {	/* the next page may not be there */
		from[0].iov_len = first;
		from[1].iov_base = (void *)((uintptr_t)path + first);
		from[1].iov_len = PATH_BYTES - first;
	}
	n = uhmm_read_own(&to, from, 2);
	if (n <= 0)
		return -1;
	copy[n] = 'x';	/* the final 0 is among those, or it is none of ours */
	return uhmm_devpath_minor(copy);
}
