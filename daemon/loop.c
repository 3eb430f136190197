/* SPDX-License-Identifier: MIT */
/* loop.c - the part of the loop that both back ends share (loop.h) */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct slot_ref ref_of(union uhmm_ev ev)
{
	return (struct slot_ref){ ev.slot, ev.generation };
}

static int open_with(struct loop *loop, const struct loop_backend *ops)
{
	memset(loop, 0, sizeof(*loop));
	loop->ops = ops;
	return ops->open(loop);
}

int loop_open(struct loop *loop, enum loop_kind kind)
{
	int err;

	if (kind != LOOP_EPOLL) {
		err = open_with(loop, &loop_uring);
		if (!err || kind == LOOP_URING)
			return err;
	}
	return open_with(loop, &loop_epoll);
}

void loop_close(struct loop *loop)
{
	struct loop_source *src;
	uint32_t at = 0;

	if (!loop->back)
		return;
	loop->ops->close(loop);
	loop->back = NULL;
	while ((src = slots_next(&loop->sources, &at)))
		free(src);
	slots_fini(&loop->sources);
}

int loop_add(struct loop *loop, int fd, enum ev_type type, void *obj,
	     union uhmm_ev *ev)
{
	struct loop_source *src = calloc(1, sizeof(*src));
	struct slot_ref ref;
	int err;

	if (!src)
		return -ENOMEM;
	err = slots_add(&loop->sources, src, &ref);
	if (err)
		goto free_src;
	src->fd = fd;
	src->obj = obj;
	src->ev.slot = ref.slot;
	src->ev.generation = ref.generation;
	src->ev.type = type;
	err = loop->ops->arm(loop, src);
	if (err)
		goto del_slot;
	*ev = src->ev;
	return 0;

del_slot:
	slots_del(&loop->sources, ref);
free_src:
	free(src);
	return err;
}

void loop_del(struct loop *loop, union uhmm_ev *ev)
{
	struct loop_source *src = slots_get(&loop->sources, ref_of(*ev));

	ev->u64 = 0;
	if (!src)
		return;
	loop->ops->disarm(loop, src);
	slots_del(&loop->sources, ref_of(src->ev));
	free(src);
}

void *loop_object(const struct loop *loop, union uhmm_ev ev)
{
	const struct loop_source *src = slots_get(&loop->sources, ref_of(ev));

	return src ? src->obj : NULL;
}

int loop_wait(struct loop *loop, int64_t timeout_ns, struct loop_event *out,
	      unsigned int max)
{
	return loop->ops->wait(loop, timeout_ns, out, max);
}
