/* SPDX-License-Identifier: MIT */
#include "sys/smaps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/beside.h"
#include "sys/lines.h"

/* Is @line the head of a mapping ("start-end perms ...")? */
static bool is_head(const char *line, uint64_t *start, uint64_t *end)
{
	unsigned long from, to;
	char perm;

	if (sscanf(line, "%lx-%lx %c", &from, &to, &perm) != 3)
		return false;
	*start = from;
	*end = to;
	return true;
}

static void note_flags(const char *flags, struct uhmm_smaps *smaps)
{
	smaps->io = strstr(flags, " io") != NULL;
	smaps->pfnmap = strstr(flags, " pf") != NULL;
	smaps->mixedmap = strstr(flags, " mm") != NULL;
	smaps->dontexpand = strstr(flags, " de") != NULL;
	smaps->uffd = strstr(flags, " um") || strstr(flags, " uw") ||
		      strstr(flags, " ui");
}

/* The lines below the head, VmFlags being the last. */
static int read_body(struct uhmm_lines *lines, struct uhmm_smaps *smaps)
{
	static const char flags_key[] = "VmFlags:";
	char *line;

	while ((line = uhmm_lines_next(lines))) {
		unsigned long kib;

		if (sscanf(line, "KernelPageSize: %lu", &kib) == 1)
			smaps->page_bytes = (uint64_t)kib * 1024;
		if (sscanf(line, "THPeligible: %lu", &kib) == 1)
			smaps->thp = kib;
		if (strncmp(line, flags_key, sizeof(flags_key) - 1) == 0) {
			note_flags(line + sizeof(flags_key) - 1, smaps);
			return 0;
		}
	}
	return -ENOENT;
}

static int find(int fd, uint64_t start, uint64_t end, struct uhmm_smaps *smaps)
{
	struct uhmm_lines lines;
	uint64_t at_start, at_end;
	char *line;

	uhmm_lines_init(&lines, fd);
	while ((line = uhmm_lines_next(&lines)))
		if (is_head(line, &at_start, &at_end) && at_start == start &&
		    at_end == end)
			return read_body(&lines, smaps);
	return -ENOENT;
}

int uhmm_smaps_find(int maps, uint64_t start, uint64_t end,
		    struct uhmm_smaps *smaps)
{
	int saved = errno;
	int fd = uhmm_open_beside(maps, "smaps");
	int err = fd;

	*smaps = (struct uhmm_smaps){ .page_bytes = 0 };
	if (fd >= 0) {
		err = find(fd, start, end, smaps);
		close(fd);
	}
	errno = saved;
	return err;
}
