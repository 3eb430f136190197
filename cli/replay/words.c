/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pattern.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* not in every libc yet */
#endif

struct name {
	const char *word;
	int value;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct name advices[] = {
	{ "NORMAL", MADV_NORMAL },
	{ "RANDOM", MADV_RANDOM },
	{ "SEQUENTIAL", MADV_SEQUENTIAL },
	{ "WILLNEED", MADV_WILLNEED },
	{ "DONTNEED", MADV_DONTNEED },
	{ "FREE", MADV_FREE },
	{ "REMOVE", MADV_REMOVE },
	{ "DONTFORK", MADV_DONTFORK },
	{ "DOFORK", MADV_DOFORK },
	{ "HUGEPAGE", MADV_HUGEPAGE },
	{ "NOHUGEPAGE", MADV_NOHUGEPAGE },
	{ "WIPEONFORK", MADV_WIPEONFORK },
	{ "KEEPONFORK", MADV_KEEPONFORK },
	{ "COLD", MADV_COLD },
	{ "PAGEOUT", MADV_PAGEOUT },
	{ "POPULATE_READ", MADV_POPULATE_READ },
	{ "POPULATE_WRITE", MADV_POPULATE_WRITE },
	{ "DONTNEED_LOCKED", MADV_DONTNEED_LOCKED },
	{ "COLLAPSE", MADV_COLLAPSE },
};

static const struct name kinds[] = {
	{ "anon", REPLAY_KIND_ANON },
	{ "shared", REPLAY_KIND_SHARED },
	{ "huge", REPLAY_KIND_HUGE },
	{ "memp", REPLAY_KIND_MEMFD_PRIVATE },
	{ "mems", REPLAY_KIND_MEMFD_SHARED },
	{ "filep", REPLAY_KIND_FILE_PRIVATE },
	{ "files", REPLAY_KIND_FILE_SHARED },
};

static const struct name fdops[] = {
	{ "read", REPLAY_FDOP_READ },
	{ "write", REPLAY_FDOP_WRITE },
	{ "pread", REPLAY_FDOP_PREAD },
	{ "lseek", REPLAY_FDOP_LSEEK },
	{ "poll", REPLAY_FDOP_POLL },
	{ "fstat", REPLAY_FDOP_FSTAT },
	{ "getfl", REPLAY_FDOP_GETFL },
	{ "ftruncate", REPLAY_FDOP_FTRUNCATE },
	{ "fsync", REPLAY_FDOP_FSYNC },
};

static const struct name cmds[] = {
	{ "null", REPLAY_CMD_NULL },
	{ "ro", REPLAY_CMD_RO },
};

static const struct name ptrs[] = {
	{ "null", REPLAY_PTR_NULL },
	{ "none", REPLAY_PTR_NONE },
	{ "ro", REPLAY_PTR_RO },
	{ "odd", REPLAY_PTR_ODD },
	{ "mid", REPLAY_PTR_MID },
};

static bool find(const struct name *names, size_t n, const char *word, int *out)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i].word, word) != 0)
			continue;
		*out = names[i].value;
		return true;
	}
	return false;
}

bool replay_word_number(const char *word, uint64_t *out)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)word[0]))
		return false;
	errno = 0;
	value = strtoull(word, &end, 0);
	if (*end || errno)
		return false;
	*out = value;
	return true;
}

bool replay_word_region(const char *word, uint64_t base, uint64_t *out)
{
	uint64_t k;

	if (!strcmp(word, "abs")) {
		*out = 0;
		return true;
	}
	if (word[0] != 'r' || !replay_word_number(word + 1, &k))
		return false;
	*out = base + k * REPLAY_REGION_BYTES;
	return true;
}

bool replay_word_prot(const char *word, int *out)
{
	int prot = PROT_NONE;

	if (!strcmp(word, "none"))
		word = "";
	for (; *word; word++) {
		if (*word == 'r')
			prot |= PROT_READ;
		else if (*word == 'w')
			prot |= PROT_WRITE;
		else if (*word == 'x')
			prot |= PROT_EXEC;
		else
			return false;
	}
	*out = prot;
	return true;
}

bool replay_word_advice(const char *word, int *out)
{
	return find(advices, COUNT(advices), word, out);
}

bool replay_word_kind(char *word, enum replay_kind *out, const char **fd)
{
	char *share;
	int kind;

	if (find(kinds, COUNT(kinds), word, &kind)) {
		*out = (enum replay_kind)kind;
		return true;
	}
	if (strncmp(word, "fd:", 3) != 0 || !word[3])
		return false;
	*fd = word + 3;
	*out = REPLAY_KIND_FD_PRIVATE;
	share = strchr(word + 3, ':');
	if (!share)
		return true;
	*share = '\0';
	*out = REPLAY_KIND_FD_SHARED;
	return !strcmp(share + 1, "s");
}

bool replay_word_fdop(const char *word, enum replay_fdop *out)
{
	int fdop;

	if (!find(fdops, COUNT(fdops), word, &fdop))
		return false;
	*out = (enum replay_fdop)fdop;
	return true;
}

bool replay_word_cmd(const char *word, enum replay_cmd_at *out)
{
	int at;

	if (!find(cmds, COUNT(cmds), word, &at))
		return false;
	*out = (enum replay_cmd_at)at;
	return true;
}

bool replay_word_ptr(char *word, uint64_t base, enum replay_ptr_at *out,
		     uint64_t *addr)
{
	char *colon = strchr(word, ':');
	uint64_t region, page;
	int at;

	if (find(ptrs, COUNT(ptrs), word, &at)) {
		*out = (enum replay_ptr_at)at;
		return true;
	}
	if (!colon)
		return false;
	*colon = '\0';
	if (!replay_word_region(word, base, &region) ||
	    !replay_word_number(colon + 1, &page))
		return false;
	*out = REPLAY_PTR_REGION;
	*addr = region + page * REPLAY_PAGE_BYTES;
	return true;
}
