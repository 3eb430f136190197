/* SPDX-License-Identifier: MIT */
/* map_ops.c - mappings: made, changed, moved, advised */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file.h"
#include "ops.h"
#include "player.h"

#define SEED_OF_FILES 99 /* of a map that names none */

static void *address(uint64_t addr)
{
	return (void *)(uintptr_t)addr;
}

static size_t bytes(uint64_t npages)
{
	return npages * REPLAY_PAGE_BYTES;
}

static int flags_of_kind(enum replay_kind kind)
{
	switch (kind) {
	case REPLAY_KIND_ANON:
		return MAP_PRIVATE | MAP_ANONYMOUS;
	case REPLAY_KIND_SHARED:
		return MAP_SHARED | MAP_ANONYMOUS;
	case REPLAY_KIND_HUGE:
		return MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
	case REPLAY_KIND_MEMFD_SHARED:
	case REPLAY_KIND_FILE_SHARED:
	case REPLAY_KIND_FD_SHARED:
		return MAP_SHARED;
	default:
		return MAP_PRIVATE;
	}
}

static int map_flags(const struct replay_op *op)
{
	int flags = flags_of_kind(op->kind);

	flags |= replay_op_has(op, REPLAY_OPT_OVER) ? MAP_FIXED :
						      MAP_FIXED_NOREPLACE;
	if (replay_op_has(op, REPLAY_OPT_NORESERVE))
		flags |= MAP_NORESERVE;
	if (replay_op_has(op, REPLAY_OPT_POPULATE))
		flags |= MAP_POPULATE;
	if (replay_op_has(op, REPLAY_OPT_LOCKED))
		flags |= MAP_LOCKED;
	return flags;
}

static bool has_file(const struct replay_op *op)
{
	return op->kind >= REPLAY_KIND_MEMFD_PRIVATE &&
	       op->kind <= REPLAY_KIND_FILE_SHARED;
}

static int make_file(const struct replay_op *op)
{
	bool in_memory = op->kind == REPLAY_KIND_MEMFD_PRIVATE ||
			 op->kind == REPLAY_KIND_MEMFD_SHARED;

	return replay_file_make(
		in_memory,
		replay_op_number(op, REPLAY_OPT_FPAGES, op->npages[0]),
		replay_op_number(op, REPLAY_OPT_SEED, SEED_OF_FILES));
}

static void advise_huge(struct replay_player *p, const struct replay_op *op)
{
	void *at = address(op->addr[0]);
	size_t len = bytes(op->npages[0]);

	if (replay_op_has(op, REPLAY_OPT_THP) &&
	    madvise(at, len, MADV_HUGEPAGE))
		replay_answer_word(&p->answer, "thp=-%s",
				   replay_error_name(errno));
	if (replay_op_has(op, REPLAY_OPT_NOTHP) &&
	    madvise(at, len, MADV_NOHUGEPAGE))
		replay_answer_word(&p->answer, "nothp=-%s",
				   replay_error_name(errno));
}

/* Calls that return an address: it is the wanted one, or is it not? */
static bool answer_at(struct replay_player *p, const void *got, uint64_t want)
{
	if (got == MAP_FAILED)
		replay_answer_ret(&p->answer, -1);
	else if (got != address(want))
		replay_answer_word(&p->answer, "ret=elsewhere");
	else
		replay_answer_word(&p->answer, "ret=0");
	return got == address(want);
}

static void map_fd(struct replay_player *p, const struct replay_op *op, int fd)
{
	uint64_t foff = replay_op_number(op, REPLAY_OPT_FOFF, 0);
	size_t len = bytes(op->npages[0]);
	void *got = mmap(address(op->addr[0]), len, op->prot, map_flags(op), fd,
			 (off_t)bytes(foff));

	if (answer_at(p, got, op->addr[0]))
		advise_huge(p, op);
	else if (got != MAP_FAILED)
		munmap(got, len);
}

static void map_file(struct replay_player *p, const struct replay_op *op)
{
	int fd = make_file(op);

	if (fd < 0) {
		replay_answer_word(&p->answer, "file:ret=-%s",
				   replay_error_name(-fd));
		return;
	}
	map_fd(p, op, fd);
	if (!replay_op_has(op, REPLAY_OPT_KEEP))
		close(fd);
	else if (!replay_fds_set(&p->fds, op->keep, fd))
		replay_player_broken(p, "too many descriptors");
}

REPLAY_OP(map)
{
	if (has_file(op))
		map_file(p, op);
	else
		map_fd(p, op, op->fd[0] ? replay_fds_get(&p->fds, op->fd[0]) :
					  -1);
}

REPLAY_OP(unmap)
{
	replay_answer_ret(&p->answer,
			  munmap(address(op->addr[0]), bytes(op->npages[0])));
}

REPLAY_OP(protect)
{
	replay_answer_ret(&p->answer,
			  mprotect(address(op->addr[0]), bytes(op->npages[0]),
				   op->prot));
}

REPLAY_OP(remap)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	uint64_t npages = replay_op_number(op, REPLAY_OPT_NEW, op->npages[0]);

	if (replay_op_has(op, REPLAY_OPT_DONTUNMAP))
		flags |= MREMAP_DONTUNMAP;
	answer_at(p,
		  mremap(address(op->addr[0]), bytes(op->npages[0]),
			 bytes(npages), flags, address(op->addr[1])),
		  op->addr[1]);
}

REPLAY_OP(resize)
{
	answer_at(p,
		  mremap(address(op->addr[0]), bytes(op->npages[0]),
			 bytes(op->npages[1]), 0),
		  op->addr[0]);
}

REPLAY_OP(advise)
{
	replay_answer_ret(&p->answer,
			  madvise(address(op->addr[0]), bytes(op->npages[0]),
				  op->advice));
}

REPLAY_OP(mlock)
{
	replay_answer_ret(&p->answer,
			  mlock(address(op->addr[0]), bytes(op->npages[0])));
}

REPLAY_OP(munlock)
{
	replay_answer_ret(&p->answer,
			  munlock(address(op->addr[0]), bytes(op->npages[0])));
}
