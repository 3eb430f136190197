/* SPDX-License-Identifier: MIT */
#include "buffers.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* What is behind edge, and behind data; nobody may access it. */
#define HOLE_PAGES 64UL

/* Never huge: what the device sees of our memory must not depend on what is
 * beside it. */
static unsigned char *make(size_t npages, int prot)
{
	size_t bytes = npages * REPLAY_PAGE_BYTES;
	unsigned char *at =
		mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	madvise(at, bytes, MADV_NOHUGEPAGE);
	return at;
}

int replay_buffers_init(struct replay_buffers *b)
{
	size_t data = (REPLAY_BUFFER_PAGES + 1) * REPLAY_PAGE_BYTES;
	size_t edge = REPLAY_EDGE_PAGES / 2 * REPLAY_PAGE_BYTES;
	size_t hole = HOLE_PAGES * REPLAY_PAGE_BYTES;
	int rw = PROT_READ | PROT_WRITE;

	b->data = make(REPLAY_BUFFER_PAGES + 1 + HOLE_PAGES, rw);
	b->edge = make(REPLAY_EDGE_PAGES / 2 + HOLE_PAGES, rw);
	b->ro = make(1, PROT_READ);
	b->none = make(REPLAY_EDGE_PAGES, PROT_NONE);
	b->cmd = make(1, PROT_READ);
	if (!b->data || !b->edge || !b->ro || !b->none || !b->cmd)
		return -ENOMEM;
	if (mprotect(b->data + data, hole, PROT_NONE))
		return -errno;
	/* last, lest one of the others comes to be there */
	return munmap(b->edge + edge, hole) ? -errno : 0;
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
