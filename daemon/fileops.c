/* SPDX-License-Identifier: MIT */
/* fileops.c - position and flags of an open device (fileops.h) */
#include "fileops.h"

#include <errno.h>
#include <unistd.h>

#include "channel.h"
#include "daemon.h"
#include "request.h"

/* Where @offset from @whence is in a file of length 0. Every position is fine
 * but a negative one. */
static int seek(int64_t *position, int64_t offset, uint32_t whence)
{
	switch (whence) {
	case SEEK_SET:
	case SEEK_END:
		break;
	case SEEK_CUR:
		offset = (int64_t)((uint64_t)*position + (uint64_t)offset);
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		return -ENXIO;
	default:
		return -EINVAL;
	}
	if (offset < 0)
		return -EINVAL;
	*position = offset;
	return 0;
}

int fileops_seek(struct request *rq)
{
	const struct uhmm_msg_seek *m = &rq->msg.body.seek;
	struct open *open = opens_get(&rq->ch->d->opens, &m->open);
	int err;

	if (!open)
		return -EBADF;
	err = seek(&open->position, m->offset_bytes, m->whence);
	rq->reply.body.seek_reply.offset_bytes = open->position;
	opens_put(open);
	return err;
}

int fileops_getfl(struct request *rq)
{
	struct open *open =
		opens_get(&rq->ch->d->opens, &rq->msg.body.getfl.open);

	if (!open)
		return -EBADF;
	rq->reply.body.getfl_reply.flags = open->file.flags;
	opens_put(open);
	return 0;
}
