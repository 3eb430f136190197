/* SPDX-License-Identifier: MIT */
/* arena.h - all that a world is, in one place, so that it can be copied
 *
 * Theory of operation. What the fakes and src/mm allocate while a world lives
 * comes from one region at one address (malloc(), mmap() and their kin are
 * wrapped by the linker): the store, device memory, pages, stacks of jobs that
 * stopped. A copy of the pages of it that were ever touched, and of struct
 * world, is a copy of the world; put back, it goes on from there, as often as
 * one likes. Pages are without access until they are touched, which a handler of
 * SIGSEGV notes. So a step is tried from a state without going there again.
 * With a sanitizer, which keeps notes of memory elsewhere, nothing is wrapped
 * and nothing can be copied.
 */
#ifndef UHMM_TESTS_MODEL_ARENA_H
#define UHMM_TESTS_MODEL_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_copy;

/** arena_open() - what is allocated from now on is part of the world, of which
 *  [@also, +@bytes) is one, too; all else is zero
 *  arena_close() - it is not any more */
void arena_open(void *also, size_t bytes);
void arena_close(void);

/** arena_copy_new() - room for a copy. Return: NULL: worlds cannot be copied */
struct arena_copy *arena_copy_new(void);
void arena_copy_free(struct arena_copy *copy);

/** arena_save() - copy the world; arena_restore() - it is what it was then */
void arena_save(struct arena_copy *copy);
void arena_restore(const struct arena_copy *copy);

#endif
