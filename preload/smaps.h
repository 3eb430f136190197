/* SPDX-License-Identifier: MIT */
/* smaps.h - which mappings of this process are registered with a userfaultfd, or
 * of a file
 *
 * Reads /proc/thread-self/smaps in small pieces. No TLS.
 */
#ifndef UHMM_PRELOAD_SMAPS_H
#define UHMM_PRELOAD_SMAPS_H

#include "preload.h"

#define UHMM_SMAPS_LINE_BYTES 512

struct uhmm_smaps {
	int fd;
	unsigned int at, n;	/* of text */
	uint64_t start, end;	/* of the mapping being read */
	bool accessible;	/* may it be read, written or run at all? */
	bool shared;		/* MAP_SHARED */
	int prot;		/* PROT_READ | PROT_WRITE | PROT_EXEC */
	char text[UHMM_SMAPS_LINE_BYTES];
	char line[UHMM_SMAPS_LINE_BYTES];
};

/** uhmm_smaps_init() - 0 or -errno */
UHMM_CHECKED int uhmm_smaps_init(struct uhmm_smaps *s);

/**
 * uhmm_smaps_next() - the next registered mapping, [*@start, *@end)
 * Return: false: no more
 */
bool uhmm_smaps_next(struct uhmm_smaps *s, uint64_t *start, uint64_t *end);

/** uhmm_smaps_next_file() - the next mapping of the file with this @path, to
 *  s->start and so on. Return: false: no more */
bool uhmm_smaps_next_file(struct uhmm_smaps *s, const char *path);

void uhmm_smaps_fini(struct uhmm_smaps *s);

#endif
