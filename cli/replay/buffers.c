/* SPDX-License-Identifier: MIT */
#include "buffers.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/*
 * Memory of @npages and @hole pages behind it that are not mapped. Never huge:
 * what the device sees of our memory must not depend on its neighbours.
 */
static unsigned char *make(size_t npages, size_t hole, int prot)
{
	size_t bytes = npages * REPLAY_PAGE_BYTES;
	unsigned char *at = mmap(NULL, bytes + hole * REPLAY_PAGE_BYTES, prot,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	madvise(at, bytes, MADV_NOHUGEPAGE);
	if (hole)
		munmap(at + bytes, hole * REPLAY_PAGE_BYTES);
	return at;
}

int replay_buffers_init(struct replay_buffers *b)
{
	int rw = PROT_READ | PROT_WRITE;

	b->data = make(REPLAY_BUFFER_PAGES + 1, REPLAY_EDGE_PAGES, rw);
	b->edge = make(REPLAY_EDGE_PAGES / 2, REPLAY_EDGE_PAGES, rw);
	b->ro = make(1, 0, PROT_READ);
	b->none = make(REPLAY_EDGE_PAGES, 0, PROT_NONE);
	b->cmd = make(1, 0, PROT_READ);
	return b->data && b->edge && b->ro && b->none && b->cmd ? 0 : -ENOMEM;
}

void replay_buffers_set_cmd(const struct replay_buffers *b, const void *from,
			    size_t bytes)
{
	mprotect(b->cmd, REPLAY_PAGE_BYTES, PROT_READ | PROT_WRITE);
	memcpy(b->cmd, from, bytes);
	mprotect(b->cmd, REPLAY_PAGE_BYTES, PROT_READ);
}

static void place(struct replay_data *data, unsigned char *at, size_t bytes,
		  bool may_look)
{
	data->addr = (uintptr_t)at;
	data->seen = may_look ? at : NULL;
	data->bytes = bytes;
}

bool replay_buffers_place(const struct replay_buffers *b,
			  const struct replay_op *op, size_t bytes,
			  struct replay_data *data)
{
	size_t half = bytes / 2;

	switch (op->ptr_at) {
	case REPLAY_PTR_NULL:
		place(data, (unsigned char *)REPLAY_BAD_ADDRESS, 0, false);
		break;
	case REPLAY_PTR_NONE:
		place(data, b->none, 0, false);
		break;
	case REPLAY_PTR_RO:
		place(data, b->ro, 0, false);
		break;
	case REPLAY_PTR_REGION:
		place(data, (unsigned char *)(uintptr_t)op->ptr_addr, 0, false);
		break;
	case REPLAY_PTR_ODD:
		place(data, b->data + 1, bytes, true);
		break;
	case REPLAY_PTR_MID:
		if (bytes > REPLAY_EDGE_PAGES * REPLAY_PAGE_BYTES)
			return false;
		place(data,
		      b->edge + REPLAY_EDGE_PAGES / 2 * REPLAY_PAGE_BYTES -
			      half,
		      half, true);
		break;
	case REPLAY_PTR_GOOD:
		place(data, b->data, bytes, true);
		break;
	}
	return true;
}
