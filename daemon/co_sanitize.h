/* SPDX-License-Identifier: MIT */
/* co_sanitize.h - tell ASan and TSan that the stack changes (co.c only)
 *
 * Without a sanitizer all of it is nothing. The calls are inline and come
 * right before and after the jump: between leave and jump TSan takes what we
 * do for the other fiber's doing.
 */
#ifndef UHMMD_CO_SANITIZE_H
#define UHMMD_CO_SANITIZE_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define CO_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CO_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define CO_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CO_TSAN 1
#endif
#endif

#ifdef CO_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CO_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define CO_INLINE static inline __attribute__((always_inline, unused))

struct co_fiber {
	const void *bottom;	/* ASan: of its stack; NULL: not known yet */
	size_t bytes;
	void *fake;		/* ASan: fake stack while it is away */
	struct co_fiber *from;	/* ASan: who jumped here */
	void *tsan;
};

/* A fiber for a new stack. */
CO_INLINE void co_fiber_create(struct co_fiber *f, const void *bottom,
			       size_t bytes)
{
	f->bottom = bottom;
	f->bytes = bytes;
#ifdef CO_TSAN
	f->tsan = __tsan_create_fiber(0);
#endif
}

/* The fiber of a thread that runs already. */
CO_INLINE void co_fiber_adopt(struct co_fiber *f)
{
#ifdef CO_TSAN
	f->tsan = __tsan_get_current_fiber();
#endif
	(void)f;
}

CO_INLINE void co_fiber_destroy(struct co_fiber *f)
{
#ifdef CO_TSAN
	__tsan_destroy_fiber(f->tsan);
#endif
	(void)f;
}

/* The next thing that happens is the jump from @from to @to. */
CO_INLINE void co_fiber_leave(struct co_fiber *from, struct co_fiber *to)
{
	to->from = from;
#ifdef CO_ASAN
	__sanitizer_start_switch_fiber(&from->fake, to->bottom, to->bytes);
#endif
#ifdef CO_TSAN
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
}

/* The jump to @self has happened. A thread's stack becomes known this way. */
CO_INLINE void co_fiber_arrive(struct co_fiber *self)
{
#ifdef CO_ASAN
	__sanitizer_finish_switch_fiber(self->fake, &self->from->bottom,
					&self->from->bytes);
#endif
	(void)self;
}

#endif
